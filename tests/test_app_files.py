"""Files of a whole station: real clock, real disk, real socket."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
import pytest

from rtu.app import Outstation
from rtu.clock import SECOND
from rtu.config.load import load
from rtu.config.schema import StationFile
from rtu.iec104.asdu import ASDU, InformationObject
from rtu.iec104.elements import AFQ, CHS, FRQ, LOF, LSQ, NOF, NOS, SCQ, SRQ, Element, Segment
from rtu.iec104.link import AsduReceived, Link, LinkParameters, Role, Started
from rtu.points.model import Value

F_FR, F_SR, F_SC, F_LS, F_AF, F_SG, F_DR = range(120, 127)
LOG, INBOX, RECORD = 9000, 9001, 9010
DEADLINE_S = 30

STATION = """
format = 1
[station]
name = "bay"
common_address = 1
[events]
directory = "events"
[clock]
source = "none"
[listen.plain]
address = "127.0.0.1"
port = 2404
commands = true
[[master]]
name = "a"
from = ["127.0.0.0/8"]
role = "engineer"
[device.bay]
driver = "simulated"
events = false
[[point]]
name = "q0.position"
type = "double"
input = { device = "bay", open = "q0.open", closed = "q0.closed" }
address = [{ ioa = 1001 }]
[files]
event_log = { ioa = 9000 }
[[files.inbox]]
ioa = 9001
file = "inbox.bin"
[[record]]
name = "trip: bay/1"
trigger = { "q0.position" = "open" }
points = ["q0.position"]
before_s = 0.1
after_s = 0.05
keep = 2
address = { ioa = 9010 }
"""


@pytest.fixture
def file(tmp_path: Path) -> StationFile:
    path = tmp_path / "station.toml"
    path.write_text(STATION)
    loaded = load(path)
    assert loaded.listen.plain is not None
    plain = msgspec.structs.replace(loaded.listen.plain, port=0)
    return msgspec.structs.replace(loaded, listen=msgspec.structs.replace(loaded.listen, plain=plain))


class Wire:
    """A master on a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._link = Link(Role.CONTROLLING, LinkParameters(w=1), time.monotonic())
        self._asdus: list[ASDU] = []

    @classmethod
    async def open(cls, station: Outstation) -> Wire:
        wire = cls(*await asyncio.open_connection("127.0.0.1", station.listeners[0].port))
        wire._link.start(time.monotonic())
        await wire._exchange(Started)
        return wire

    async def say(self, type_id: int, ioa: int, *elements: Element, cause: int = 13) -> None:
        asdu = ASDU(type_id, cause, 1, (InformationObject(ioa, elements),))
        self._link.send(asdu.encode(), time.monotonic())

    async def hear(self, *types: int) -> ASDU:
        """The next ASDU about files, which has to be of one of these types."""
        while True:
            while self._asdus:
                asdu = self._asdus.pop(0)
                if asdu.type_id >= F_FR and asdu.cause != 3:
                    assert asdu.type_id in types
                    return asdu
            await self._exchange(AsduReceived)

    async def read(self, ioa: int, name: int) -> list[bytes]:
        await self.say(F_SC, ioa, NOF(name), NOS(0), SCQ(1))
        ready = await self.hear(F_FR)
        assert ready.objects[0].elements[2] == FRQ()
        await self.say(F_SC, ioa, NOF(name), NOS(0), SCQ(2))
        sections: list[bytes] = []
        while (await self.hear(F_SR, F_LS)).type_id == F_SR:
            number = NOS(len(sections) + 1)
            await self.say(F_SC, ioa, NOF(name), number, SCQ(6))
            octets = b""
            while (asdu := await self.hear(F_SG, F_LS)).type_id == F_SG:
                segment = asdu.objects[0].elements[2]
                assert isinstance(segment, Segment)
                octets += segment.data
            assert asdu.objects[0].elements[3] == CHS(sum(octets) & 0xFF)
            sections.append(octets)
            await self.say(F_AF, ioa, NOF(name), number, AFQ(3))
        await self.say(F_AF, ioa, NOF(name), NOS(0), AFQ(1))
        return sections

    async def write(self, ioa: int, octets: bytes) -> None:
        one, sum_ = NOS(1), CHS(sum(octets) & 0xFF)
        await self.say(F_FR, ioa, NOF(1), LOF(len(octets)), FRQ())
        await self.hear(F_SC)
        await self.say(F_SR, ioa, NOF(1), one, LOF(len(octets)), SRQ())
        await self.hear(F_SC)
        await self.say(F_SG, ioa, NOF(1), one, Segment(octets))
        await self.say(F_LS, ioa, NOF(1), one, LSQ(3), sum_)
        assert (await self.hear(F_AF)).objects[0].elements[2] == AFQ(3)
        await self.say(F_LS, ioa, NOF(1), one, LSQ(1), sum_)
        assert (await self.hear(F_AF)).objects[0].elements[2] == AFQ(1)

    async def directory(self) -> dict[int, int]:
        """Lengths by address."""
        await self.say(F_SC, 0, NOF(0), NOS(0), SCQ(0), cause=5)
        found = {}
        for item in (await self.hear(F_DR)).objects:
            length = item.elements[1]
            assert isinstance(length, LOF)
            found[item.ioa] = length.length
        return found

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def _exchange(self, wanted: type) -> None:
        found = False
        while not found:
            self._writer.write(self._link.data_to_send(time.monotonic()))
            octets = await self._reader.read(4096)
            assert octets
            for event in self._link.receive(octets, time.monotonic()):
                found |= isinstance(event, wanted)
                if isinstance(event, AsduReceived):
                    self._asdus.append(ASDU.decode(event.octets))


def test_files_are_read_and_written_and_outlive_a_restart(file: StationFile, tmp_path: Path) -> None:
    async def first() -> list[bytes]:
        station = Outstation(file, tmp_path)
        await station.start()
        index = station.table.index("q0.position")
        assert station.station.files is not None
        recorded: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        station.station.files.on_new = recorded.set_result
        wire = await Wire.open(station)
        for position in (2, 1):
            station.table.update(index, Value(position, 0, time.monotonic_ns()))
        assert await recorded == 1
        await wire.write(INBOX, b"settings")
        log = (await wire.read(LOG, 3))[0].decode().splitlines()
        assert ["IV", "q0.position", "1", "", "SPONT"] in [line.split(";")[1:] for line in log]
        record = await wire.read(RECORD, 2)
        assert set(await wire.directory()) == {LOG, INBOX, RECORD}
        await wire.close()
        await station.stop("test")
        return record

    async def second() -> list[bytes]:
        station = Outstation(file, tmp_path)
        await station.start()
        wire = await Wire.open(station)
        lengths = await wire.directory()
        record = await wire.read(RECORD, 2)
        assert await wire.read(INBOX, 1) == [b"settings"]
        assert lengths[INBOX] == len(b"settings")
        assert lengths[RECORD] == sum(map(len, record))
        await wire.close()
        await station.stop("test")
        return record

    record = asyncio.run(asyncio.wait_for(first(), DEADLINE_S))
    assert asyncio.run(asyncio.wait_for(second(), DEADLINE_S)) == record
    cfg, dat = record
    assert cfg.startswith(b"bay,trip: bay/1,1999\r\n")
    assert 50_000 <= int(dat.splitlines()[-1].split(b",")[1]) <= 10 * SECOND // 1000
    assert [path.name for path in (tmp_path / "events" / "records").iterdir()] == ["trip%3A bay%2F1"]


def test_what_was_begun_is_on_the_disk_when_the_station_has_stopped(
    file: StationFile, tmp_path: Path
) -> None:
    async def main() -> None:
        station = Outstation(file, tmp_path)
        await station.start()
        recorders: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        submit = station.background.submit

        def noted(*job: object) -> None:
            submit(*job)  # type: ignore[arg-type]
            recorders.set_result(None)

        station.background.submit = noted  # type: ignore[method-assign]
        index = station.table.index("q0.position")
        for position in (2, 1):
            station.table.update(index, Value(position, 0, time.monotonic_ns()))
        await recorders
        await station.stop("test")

    asyncio.run(asyncio.wait_for(main(), DEADLINE_S))
    assert len(list(tmp_path.glob("events/records/*/*.cff"))) == 1
