"""Packed single points: octets, and that no change goes missing between reports."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rtu.clock import VirtualClock
from rtu.iec104.elements import QDS, SCD
from rtu.points.encoding import encode_single
from rtu.points.model import GOOD, IV, NT, Address, Cause, Signal, Value
from rtu.points.packed import Packed, encode_changes, encode_states
from rtu.points.table import PointTable

QUALITIES = st.sampled_from([GOOD, NT, IV, IV | NT, 0x10, 0x20])


class Reports:
    """What was told of the packed point."""

    def __init__(self) -> None:
        self.told: list[tuple[SCD, QDS]] = []

    def changed(self, signal: Signal, value: Value) -> None: ...

    def state(self, address: Address, octets: bytes, cause: Cause) -> None:
        if address.type_id == 20:
            self.told.append((SCD.decode(octets), QDS.decode(octets, 4)))

    def measured(self, address: Address, octets: bytes, cause: Cause, every: bool) -> None: ...


def station(reports: Reports, members: int) -> PointTable:
    """Single points 0, 1, .. and a packed point of them behind."""
    image = Address(members, members, 1, 900, 20, 20, (), encode_states)
    told = Address(members, members, 1, 900, 20, 20, (), encode_changes)
    singles = [
        Signal(n, str(n), "single", (Address(n, n, 1, n + 1, 1, 30, (), encode_single),))
        for n in range(members)
    ]
    return PointTable(
        [*singles, Signal(members, "packed", "packed", (image,), reports=(told,))], VirtualClock(), reports
    )


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.integers(0, 255))
def test_the_octets_are_those_of_the_standard(states: int, changes: int, quality: int) -> None:
    value = states + 65536 * changes
    qds = QDS(quality & 0xF0).encode()
    assert encode_changes(value, quality) == SCD(states, changes).encode() + qds
    assert encode_states(value, quality) == SCD(states, 0).encode() + qds


@given(
    st.lists(st.tuples(st.integers(0, 15), st.integers(0, 1), QUALITIES), max_size=20),
    st.lists(st.tuples(st.integers(0, 15), st.integers(0, 1), QUALITIES), max_size=60),
)
def test_every_change_is_marked_and_what_is_known_last_is_true(
    first_scan: list[tuple[int, int, int]], readings: list[tuple[int, int, int]]
) -> None:
    reports = Reports()
    table = station(reports, 16)
    Packed(table, 16, range(16))
    for n, state, quality in first_scan:
        table.update(n, Value(state, quality, 0))
    table.finish_start()
    states, qualities = int(table.value(16).value) & 0xFFFF, table.value(16).quality
    reports.told.clear()
    for n, state, quality in readings:
        table.update(n, Value(state, quality, 0))
    for scd, qds in reports.told:
        assert scd.status == states ^ scd.changed
        assert scd.changed or qds.quality != qualities
        states, qualities = scd.status, qds.quality
    assert states == sum(1 << n for n in range(16) if table.value(n).value)
    union = 0
    for n in range(16):
        union |= table.value(n).quality
    assert qualities == union
