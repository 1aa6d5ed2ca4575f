"""A transfer of files both ways, read off the octets by hat-drivers and by tshark: nobody offers a client for it.

hat-drivers calls the bits FRQ and SRQ "ready" and LFD "more follows"; standard and tshark have them the other way
round. Their place is what is compared.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rtu.iec104.asdu import ASDU
from rtu.iec104.elements import SOF, CP56Time2a, Segment
from tests.station.conftest import Rig
from tests.station.files.conftest import INBOX, STATION, FileMaster

FILE_TYPES = set(range(120, 127))


@pytest.fixture
def said(tmp_path: Path) -> list[bytes]:
    """The ASDUs of a directory, a file that is refused once on its way there, and its way back; of both sides."""
    rig = Rig(STATION, base=tmp_path).begin()
    reader = FileMaster(rig.master())
    octets: list[bytes] = []
    send = reader.master.send_octets

    def record(request: bytes) -> None:
        octets.append(request)
        before = len(reader.master.asdus)
        send(request)
        octets.extend(asdu.encode() for asdu in reader.master.asdus[before:])

    reader.master.send_octets = record
    whole = bytes(range(256)) * 2
    reader.offer(len(whole))
    reader.section(whole, wrong=1)
    reader.section(whole)
    reader.end(whole)
    assert reader.read() == [whole]
    reader.directory()
    reader.call(1, INBOX, name=9)
    assert {asdu[0] for asdu in octets} == FILE_TYPES
    return octets


def test_hat_drivers_reads_what_we_write(said: list[bytes], cannot_run: Callable[[str], None]) -> None:
    if find_spec("hat") is None:
        cannot_run("hat-drivers is not installed: pip install -e '.[interop]'")
    from hat.drivers.iec60870.encodings.iec101 import common, encoder

    codec = encoder.Encoder(
        cause_size=common.CauseSize.TWO,
        asdu_address_size=common.AsduAddressSize.TWO,
        io_address_size=common.IoAddressSize.THREE,
    )
    for octets in said:
        theirs, rest = codec.decode_asdu(octets)
        ours = ASDU.decode(octets)
        assert not rest
        assert theirs.type.value == ours.type_id
        assert theirs.address == ours.ca
        for their_io, item in zip(theirs.ios, ours.objects, strict=True):
            assert their_io.address == item.ioa
            (element,) = their_io.elements
            assert list(flat(element)) == [number for one in item.elements for number in numbers(one)]


def flat(element: Any) -> list[Any]:
    return [
        bytes(value)
        if isinstance(value, bytes | bytearray | memoryview)
        else (value.milliseconds, value.minutes, value.hours, value.day_of_month, value.months, value.years)
        if hasattr(value, "milliseconds")
        else int(value)
        for value in element
    ]


def numbers(element: Any) -> list[Any]:
    """An element of ours as that library tells it."""
    match element:
        case Segment(data):
            return [data]
        case SOF():
            return [int(element.last), int(element.directory), int(element.active)]
        case CP56Time2a():
            return [(element.ms, element.minute, element.hour, element.day, element.month, element.year)]
    fields = msgspec.structs.astuple(element)
    if len(fields) == 2:  # qualifiers with an error nibble are one number there
        return [fields[0] | fields[1] << 4]
    return [int(fields[0])]


def test_tshark_reads_what_we_write(
    said: list[bytes], tmp_path: Path, cannot_run: Callable[[str], None]
) -> None:
    for program in ("text2pcap", "tshark"):
        if shutil.which(program) is None:
            cannot_run(f"{program} is not installed: apt-get install tshark")
    frames = [
        bytes((0x68, len(asdu) + 4, *(2 * at).to_bytes(2, "little"), 0, 0)) + asdu
        for at, asdu in enumerate(said)
    ]
    dump = "".join(f"000000 {frame.hex(' ')}\n\n" for frame in frames)
    (tmp_path / "dump.txt").write_text(dump)
    pcap = tmp_path / "dump.pcap"
    subprocess.run(
        ["text2pcap", "-q", "-T", "40000,2404", tmp_path / "dump.txt", pcap], check=True, capture_output=True
    )
    fields = ("iec60870_asdu.typeid", "iec60870_asdu.causetx", "iec60870_asdu.ioa", "_ws.expert.message")
    told = subprocess.run(
        ["tshark", "-r", pcap, "-n", "-d", "tcp.port==2404,iec60870_104", "-T", "fields", "-E", "separator=|"]
        + [argument for field in fields for argument in ("-e", field)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert len(told) == len(said)
    for line, octets in zip(told, said, strict=True):
        type_id, cause, ioas, complaint = line.split("|")
        ours = ASDU.decode(octets)
        assert (int(type_id), int(cause)) == (ours.type_id, ours.cause)
        assert int(ioas.split(",")[0]) == ours.objects[0].ioa  # it looks no further into files
        assert "Malformed" not in complaint
