"""The directory of files F_DR_TA_1: what a common address has, by ascending address (IEC 60870-5-101, 7.3.6.7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rtu.iec104.asdu import HEADER_SIZE, IOA_SIZE, MAX_ASDU, pack_header, pack_ioa
from rtu.iec104.catalogue import TYPES, TypeID
from rtu.iec104.elements import LOF, NOF, SOF
from rtu.points.station_time import StationTime

from .served import MAX_FILE, Entry

PER_ASDU = (MAX_ASDU - HEADER_SIZE) // (IOA_SIZE + TYPES[TypeID.F_DR_TA_1].size)


class Listed(NamedTuple):
    """A file in a directory. `active`: somebody transfers it (FA)."""

    ioa: int
    name: int
    entry: Entry
    active: bool


def directory(
    files: Sequence[Listed],
    ca: int,
    cause: int,
    time: StationTime,
    *,
    originator: int = 0,
    test: bool = False,
) -> Iterator[bytes]:
    """The ASDUs that list these files; only the very last entry is marked LFD. Nothing for no file."""
    for at in range(0, len(files), PER_ASDU):
        some = files[at : at + PER_ASDU]
        octets = pack_header(TypeID.F_DR_TA_1, False, len(some), cause, originator, ca, test=test)
        for file in some:
            status = SOF(last=file is files[-1], active=file.active)
            octets += pack_ioa(file.ioa)
            octets += NOF(file.name).encode()
            octets += LOF(min(file.entry.length, MAX_FILE)).encode()
            octets += status.encode()
            octets += time.tag(file.entry.created)
        yield octets
