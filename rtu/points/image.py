"""The process image: the encoded element of every address, and how interrogations send it.

Elements are kept as octets, so answering an interrogation is joining them. Which addresses share an ASDU is
worked out once, when the station is loaded: by type, then by ascending information object address, at most
249 octets each, as one sequence (SQ = 1) or as single objects (SQ = 0), whichever costs fewer octets.
IEC 60870-5-101, 7.2.2 and 7.4.5.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from types import MappingProxyType

from rtu.iec104.asdu import HEADER_SIZE, IOA_SIZE, MAX_ASDU, TYPES, pack_header, pack_ioa

from .model import NEVER_READ, Address

STATION = 0
"""The group of a station interrogation (QOI 20)."""

_MAX_OBJECTS = 127
_APCI = 6  # octets an I frame adds to its ASDU
_TOLD_ONLY = frozenset({15, 37, 38, 39, 40})
"""Counters answer counter interrogations only, and events of protection happen: there is nothing to read."""

_NOTHING: Mapping[int, bytes] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Run:
    """The addresses one ASDU carries, in order."""

    type_id: int
    ca: int
    sequence: bool
    addresses: tuple[int, ...]  # indexes into the image
    ioas: tuple[bytes, ...]  # as on the wire; only the first when `sequence`


class Image:
    """The present element of every address. Indexes are `Address.index`, which must be 0, 1, 2, ..."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self.addresses = tuple(addresses)
        self.elements: list[bytes] = [
            address.encode(NEVER_READ.value, NEVER_READ.quality) for address in self.addresses
        ]
        self.common_addresses: tuple[int, ...] = tuple(sorted({address.ca for address in self.addresses}))
        self._by_number = {(address.ca, address.ioa): address for address in self.addresses}
        self._plans = _plans(self.addresses)

    def find(self, ca: int, ioa: int) -> Address | None:
        """The address of that number, counters included; None when there is none."""
        return self._by_number.get((ca, ioa))

    def plan(self, ca: int, group: int = STATION) -> tuple[Run, ...]:
        """The ASDUs that answer an interrogation of `group` (0 the station, 1..16); () if it has no members.

        Counters and events of protection never belong.
        """
        return self._plans.get((ca, group), ())

    def runs(self, addresses: Iterable[Address]) -> tuple[Run, ...]:
        """The ASDUs that tell any addresses, each of one common address; counters and events of protection excluded."""
        by_ca: dict[int, list[Address]] = defaultdict(list)
        for address in addresses:
            if address.type_id not in _TOLD_ONLY:
                by_ca[address.ca].append(address)
        return tuple(run for same in by_ca.values() for run in _runs(same))

    def asdu(
        self, run: Run, cause: int, originator: int = 0, overlay: Mapping[int, bytes] = _NOTHING
    ) -> bytes:
        """The ASDU of a run as the image is now; `overlay` replaces elements by address index."""
        elements = self.elements
        if overlay:
            octets = [overlay.get(index) or elements[index] for index in run.addresses]
        else:
            octets = [elements[index] for index in run.addresses]
        header = pack_header(run.type_id, run.sequence, len(octets), cause, originator, run.ca)
        if run.sequence:
            return header + run.ioas[0] + b"".join(octets)
        return header + b"".join([part for pair in zip(run.ioas, octets, strict=True) for part in pair])


def _plans(addresses: Sequence[Address]) -> dict[tuple[int, int], tuple[Run, ...]]:
    members: dict[tuple[int, int], list[Address]] = defaultdict(list)
    for address in addresses:
        if address.type_id not in _TOLD_ONLY:
            for group in {STATION, *address.groups}:
                members[address.ca, group].append(address)
    return {key: tuple(_runs(group)) for key, group in members.items()}


def _runs(addresses: list[Address]) -> list[Run]:
    by_type: dict[int, list[Address]] = defaultdict(list)
    for address in sorted(addresses, key=lambda address: (address.type_id, address.ioa)):
        by_type[address.type_id].append(address)
    return [run for type_id, same in by_type.items() for run in _runs_of_type(type_id, same)]


def _runs_of_type(type_id: int, addresses: list[Address]) -> list[Run]:
    info = TYPES[type_id]
    most_single = min(_MAX_OBJECTS, (MAX_ASDU - HEADER_SIZE) // (IOA_SIZE + info.size))
    most_sequence = min(_MAX_OBJECTS, (MAX_ASDU - HEADER_SIZE - IOA_SIZE) // info.size)
    runs = []
    for sequence, members in _cheapest(_stretches(addresses), info.size, most_single, most_sequence):
        step = most_sequence if sequence else most_single
        for at in range(0, len(members), step):
            part = members[at : at + step]
            sent = part[:1] if sequence else part
            runs.append(
                Run(
                    type_id,
                    part[0].ca,
                    sequence,
                    tuple(address.index for address in part),
                    tuple(pack_ioa(address.ioa) for address in sent),
                )
            )
    return runs


def _stretches(addresses: list[Address]) -> list[list[Address]]:
    """Split where the information object addresses are not consecutive."""
    stretches = [[addresses[0]]]
    for address in addresses[1:]:
        if address.ioa == stretches[-1][-1].ioa + 1:
            stretches[-1].append(address)
        else:
            stretches.append([address])
    return stretches


def _cheapest(
    stretches: list[list[Address]], size: int, most_single: int, most_sequence: int
) -> list[tuple[bool, list[Address]]]:
    """Neighbouring stretches together as single objects, or one stretch as a sequence: the fewest octets in all.

    Shortest path: `best[j]` is the cost of the first j stretches and how the last piece of them is sent.
    """
    frame = _APCI + HEADER_SIZE
    best: list[tuple[int, int, bool]] = [(0, 0, False)]
    for j in range(1, len(stretches) + 1):
        n = len(stretches[j - 1])
        options = []
        if n > 1:
            cost = ceil(n / most_sequence) * (frame + IOA_SIZE) + n * size
            options.append((best[j - 1][0] + cost, j - 1, True))
        total = 0
        for i in range(j - 1, -1, -1):
            total += len(stretches[i])
            if total > most_single and i < j - 1:
                break
            cost = ceil(total / most_single) * frame + total * (IOA_SIZE + size)
            options.append((best[i][0] + cost, i, False))
        best.append(min(options))
    pieces = []
    j = len(stretches)
    while j:
        _, i, sequence = best[j]
        pieces.append((sequence, [address for stretch in stretches[i:j] for address in stretch]))
        j = i
    return pieces[::-1]
