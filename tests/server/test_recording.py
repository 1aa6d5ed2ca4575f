"""The recording: what tshark reads of it, its bounds, and what becomes of it when the disk fails."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from pathlib import Path

import pytest

from rtu.background import BackgroundThread
from rtu.clock import SECOND, VirtualClock
from rtu.iec104.apci import IFrame, SFrame, UFrame, UFunction
from rtu.iec104.asdu import ASDU, InformationObject
from rtu.iec104.catalogue import Cause, TypeID
from rtu.iec104.elements import QOI, SCO, SIQ, CP56Time2a
from rtu.server import capture as capture_module
from rtu.server import recording as recording_module
from rtu.server.capture import SEGMENTS, Capture
from rtu.server.recording import Recording
from rtu.station.traffic import End, Telegram, Traffic, Way
from tests.station.conftest import AtOnce, AuditList
from tests.tshark import WARNING, packets

IPV4 = Way(1, "scada-a", End("192.0.2.1", 40001), End("192.0.2.9", 19998))
IPV6 = Way(2, "scada-b", End("2001:db8::1", 40002), End("2001:db8::9", 19998))
LINK_LOCAL = Way(3, "scada-c", End("fe80::1%eth0", 40003), End("fe80::9%eth0", 2404))
STARTDT_ACT = UFrame(UFunction.STARTDT_ACT).encode()
STARTDT_CON = UFrame(UFunction.STARTDT_CON).encode()
TESTFR_ACT = UFrame(UFunction.TESTFR_ACT).encode()
UNIX_NS = 1_784_116_800 * SECOND


def i_frame(ns: int, nr: int, type_id: int, cause: int, ioa: int, *elements: object) -> bytes:
    asdu = ASDU(type_id, cause, 12, (InformationObject(ioa, elements),))  # type: ignore[arg-type]
    return IFrame(ns, nr, asdu.encode()).encode()


TAG = CP56Time2a.decode(bytes.fromhex("00000c0c160b1a"))
TALK = (
    ("opened", b""),
    ("received", STARTDT_ACT),
    ("sent", STARTDT_CON),
    ("received", i_frame(0, 0, TypeID.C_IC_NA_1, Cause.ACT, 0, QOI(20))),
    ("sent", i_frame(0, 1, TypeID.C_IC_NA_1, Cause.ACTCON, 0, QOI(20))),
    ("sent", i_frame(1, 1, TypeID.M_SP_TB_1, Cause.SPONT, 1001, SIQ(True, 0), TAG)),
    ("received", i_frame(1, 2, TypeID.C_SC_NA_1, Cause.ACT, 5001, SCO(True, 0, False))),
    ("sent", SFrame(2).encode()),
    ("closed", b""),
)


def talk(way: Way) -> list[Telegram]:
    """A whole connection, a millisecond between two telegrams."""
    return [
        Telegram(UNIX_NS + number * 1_000_000, way, kind, octets)
        for number, (kind, octets) in enumerate(TALK)
    ]


def record(directory: Path, telegrams: list[Telegram], limit: int = 1 << 20) -> None:
    """One recording, from its beginning to its end."""
    capture = Capture(directory, limit)
    capture.begin()
    capture.write(telegrams)
    capture.end()


def files(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.pcap"))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "trace"


@pytest.mark.parametrize("way", [IPV4, IPV6, LINK_LOCAL], ids=lambda way: way.peer.address)
def test_tshark_reads_a_whole_connection(directory: Path, way: Way) -> None:
    record(directory, talk(way))
    (path,) = files(directory)
    fields = ("typeid", "causetx", "addr", "ioa")
    names = [f"iec60870_asdu.{name}" for name in fields]
    asdus = packets(path, "iec60870_asdu", *names, "frame.time_epoch", "tcp.srcport")
    assert [[packet[name][0] for name in names] for packet in asdus] == [
        ["100", "6", "12", "0"],
        ["100", "7", "12", "0"],
        ["30", "3", "12", "1001"],
        ["45", "6", "12", "5001"],
    ]
    assert [packet["tcp.srcport"][0] for packet in asdus] == [
        str(way.peer.port), "2404", "2404", str(way.peer.port),
    ]  # fmt: skip
    assert asdus[0]["frame.time_epoch"][0].startswith("1784116800.003")
    control = packets(path, "iec60870_104.utype", "iec60870_104.utype")
    assert len(control) == 2
    assert len(packets(path, "iec60870_104.type == 1", "iec60870_104.rx")) == 1


@pytest.mark.parametrize("way", [IPV4, IPV6], ids=lambda way: way.peer.address)
def test_tshark_finds_nothing_wrong_with_it(directory: Path, way: Way) -> None:
    record(directory, talk(way))
    (path,) = files(directory)
    wrong = f"_ws.malformed || _ws.expert.severity >= {WARNING} || tcp.analysis.flags"
    assert packets(path, wrong, "frame.number", "_ws.expert.message") == []
    bad = "tcp.checksum.status != 1 || (ip && ip.checksum.status != 1)"
    assert packets(path, bad, "frame.number") == []
    assert len(packets(path, "tcp", "frame.number")) == len(TALK) + 4  # three to open, three to close


def test_connections_do_not_mix(directory: Path) -> None:
    """Also those that have the same ports, one after the other."""
    again = IPV4._replace(number=4)
    other = IPV4._replace(number=5, peer=End("192.0.2.1", 40009))
    both = [one for pair in zip(talk(IPV4), talk(other), strict=True) for one in pair]
    record(directory, [*both, *talk(again)])
    (path,) = files(directory)
    streams = packets(path, "iec60870_asdu", "tcp.stream")
    assert [packet["tcp.stream"][0] for packet in streams] == ["0", "1"] * 4 + ["2"] * 4
    assert packets(path, f"_ws.malformed || _ws.expert.severity >= {WARNING}", "frame.number") == []


def test_a_connection_that_was_there_before_is_read_from_its_middle(directory: Path) -> None:
    record(directory, talk(IPV4)[3:])
    (path,) = files(directory)
    assert len(packets(path, "iec60870_asdu", "frame.number")) == 4


def test_the_oldest_files_give_way_and_each_can_be_read(directory: Path) -> None:
    limit = 65_536
    capture = Capture(directory, limit)
    capture.begin()
    telegrams = talk(IPV4)
    capture.write(telegrams[:1])
    for _ in range(700):
        capture.write(telegrams[1:-1])
        assert sum(path.stat().st_size for path in files(directory)) <= limit
    capture.end()
    kept = files(directory)
    assert len(kept) == SEGMENTS
    assert kept[0].name > "traffic-00000001.pcap"
    assert sum(path.stat().st_size for path in kept) > limit // 2
    for path in (kept[0], kept[-1]):
        assert packets(path, "_ws.malformed", "frame.number") == []
        assert len(packets(path, "iec60870_104", "frame.number")) > 50


def test_after_a_restart_a_new_file_is_begun_within_the_same_bounds(directory: Path) -> None:
    for _ in range(SEGMENTS + 3):
        record(directory, talk(IPV4), 65_536)
    names = [path.name for path in files(directory)]
    assert names == [f"traffic-{number:08d}.pcap" for number in range(4, SEGMENTS + 4)]


def test_a_smaller_limit_holds_for_old_files_too(directory: Path) -> None:
    record(directory, talk(IPV4) * 1000)
    record(directory, talk(IPV4), 65_536)
    assert sum(path.stat().st_size for path in files(directory)) <= 65_536


def test_nobody_else_may_read_it(directory: Path) -> None:
    record(directory, talk(IPV4))
    (path,) = files(directory)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_files_of_others_in_the_directory_stay(directory: Path) -> None:
    directory.mkdir()
    for name in ("notes.txt", "traffic-1.pcap", "mine.pcap"):
        (directory / name).write_text("mine")
    for _ in range(SEGMENTS + 1):
        record(directory, talk(IPV4), 65_536)
    assert {path.name for path in directory.iterdir()} > {"notes.txt", "traffic-1.pcap", "mine.pcap"}


def test_a_file_the_power_cut_off_is_read_up_to_there(directory: Path) -> None:
    record(directory, talk(IPV4))
    (path,) = files(directory)
    whole = len(packets(path, "tcp", "frame.number"))
    os.truncate(path, path.stat().st_size - 7)
    assert len(packets(path, "tcp", "frame.number")) == whole - 1


# The switch, and the disk


class Desk:
    """A recording whose background work is done at once, or when the test lets it go."""

    def __init__(self, directory: Path) -> None:
        self.audit = AuditList()
        self.background = AtOnce()
        self.traffic = Traffic(VirtualClock())
        self.recording = Recording(self.traffic, directory, 1 << 20, self.background, self.audit.record)

    def talk(self, *telegrams: Telegram) -> None:
        for telegram in telegrams:
            for watcher in tuple(self.traffic._watchers):
                watcher(telegram)


def test_nothing_is_recorded_until_it_is_switched_on(directory: Path) -> None:
    desk = Desk(directory)
    desk.talk(*talk(IPV4))
    assert not desk.recording.on
    assert not directory.exists()


def test_switching_goes_on_record_with_the_name_of_who_did_it(directory: Path) -> None:
    desk = Desk(directory)
    desk.recording.start("ann")
    desk.recording.start("ann")
    desk.talk(*talk(IPV4))
    desk.recording.stop("bob")
    desk.recording.stop("bob")
    assert desk.audit.records == [
        {"event": "trace.on", "by": "ann"},
        {"event": "trace.off", "by": "bob", "kept": len(TALK), "lost": 0, "reason": ""},
    ]
    assert len(packets(files(directory)[0], "tcp", "frame.number")) == len(TALK) + 4


def test_what_comes_too_fast_for_the_disk_is_counted_and_holds_up_nothing(
    directory: Path, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(recording_module, "MAX_UNWRITTEN", 10)
    desk = Desk(directory)
    desk.recording.start("ann")
    desk.background.held = []
    desk.talk(*talk(IPV4)[1:2] * 30)
    assert desk.recording.recorded == (10, 20)
    desk.background.let_go()
    desk.recording.stop("ann")
    assert len(packets(files(directory)[0], "tcp", "frame.number")) == 10
    assert desk.audit.records[-1]["lost"] == 20
    assert [record.getMessage() for record in caplog.records] == [
        "the disk is too slow for the recording of the traffic: telegrams are left out"
    ]


def test_switching_while_the_disk_hangs_takes_no_more_than_one_that_is_slow(
    directory: Path, monkeypatch
) -> None:
    monkeypatch.setattr(recording_module, "MAX_UNWRITTEN", 10)
    desk = Desk(directory)
    desk.background.held = []
    kept = 0
    for _ in range(5):
        desk.recording.start("ann")
        desk.talk(*talk(IPV4)[1:5])
        kept += desk.recording.recorded.kept
        desk.recording.stop("ann")
    assert kept == 10
    desk.background.let_go()
    desk.recording.start("ann")
    desk.talk(*talk(IPV4))
    assert desk.recording.recorded == (len(TALK), 0)
    desk.recording.stop("ann")


def test_a_full_disk_switches_it_off_and_nothing_else_happens(directory: Path, monkeypatch, caplog) -> None:
    desk = Desk(directory)
    desk.recording.start("ann")
    desk.talk(*talk(IPV4)[:3])
    monkeypatch.setattr(capture_module, "RESERVE", 1 << 62)
    desk.talk(*talk(IPV4)[3:])
    assert not desk.recording.on
    assert desk.recording.trouble == os.strerror(errno.ENOSPC)
    assert desk.audit.events() == ["trace.on", "trace.off"]
    assert desk.audit.records[-1]["by"] == "station"
    assert (desk.audit.records[-1]["kept"], desk.audit.records[-1]["lost"]) == (3, 1)
    assert "No space left on device" in caplog.records[-1].getMessage()
    monkeypatch.undo()
    desk.recording.start("ann")
    desk.talk(*talk(IPV4))
    assert desk.recording.on
    desk.recording.stop("ann")
    assert len(files(directory)) == 2


def test_a_directory_that_cannot_be_made_switches_it_off(tmp_path: Path, caplog) -> None:
    (tmp_path / "file").write_text("in the way")
    desk = Desk(tmp_path / "file" / "trace")
    desk.recording.start("ann")
    assert not desk.recording.on
    assert desk.audit.events() == ["trace.on", "trace.off"]


def test_it_writes_in_a_thread_of_its_own_and_tells_what_it_has(directory: Path) -> None:
    async def main() -> None:
        background = BackgroundThread(asyncio.get_running_loop().call_soon_threadsafe, "trace")
        traffic = Traffic(VirtualClock())
        recording = Recording(traffic, directory, 65_536, background, AuditList().record)
        recording.start("ann")
        for telegram in talk(IPV4) * 200:
            for watcher in tuple(traffic._watchers):
                watcher(telegram)
        await recording.settled()
        assert recording.recorded == (len(TALK) * 200, 0)
        octets: dict[str, bytes] = {}
        async for name, part in recording.contents():
            octets[name] = octets.get(name, b"") + part
        assert octets == {path.name: path.read_bytes() for path in files(directory)}
        recording.stop("ann")
        background.close()

    asyncio.run(main())
