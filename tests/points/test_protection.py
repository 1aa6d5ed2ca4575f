"""Events of protection equipment: octets, and an operation as a whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rtu.clock import MILLISECOND, VirtualClock
from rtu.iec104.elements import QDP, SEP, SPE, CP16Time2a
from rtu.points.encoding import encode_single
from rtu.points.model import EI, GOOD, IV, NT, Address, Cause, Signal, Value
from rtu.points.protection import STARTS, ProtectionStart, encode_event, encode_operation
from rtu.points.table import PointTable

MS = st.integers(0, 59_999)


@given(st.integers(0, 3), MS, st.integers(0, 255))
def test_the_octets_of_a_single_event(state: int, ms: int, quality: int) -> None:
    octets = SEP(state, quality & 0xF8).encode() + CP16Time2a(ms).encode()
    assert encode_event(state + 256 * ms, quality) == octets


@given(st.integers(0, 63), MS, st.integers(0, 255))
def test_the_octets_of_an_operation(bits: int, ms: int, quality: int) -> None:
    octets = SPE(bits).encode() + QDP(quality & 0xF8).encode() + CP16Time2a(ms).encode()
    assert encode_operation(bits + 256 * ms, quality) == octets


class Reports:
    """Starts, quality and duration of every event of an operation."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int, int]] = []

    def changed(self, signal: Signal, value: Value) -> None: ...

    def state(self, address: Address, octets: bytes, cause: Cause) -> None:
        if address.type_id == 39:
            self.told.append((octets[0], octets[1], int.from_bytes(octets[2:4], "little")))

    def measured(self, address: Address, octets: bytes, cause: Cause, every: bool) -> None: ...


READINGS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.integers(0, 1),
        st.sampled_from([GOOD, GOOD, GOOD, IV, NT]),
        st.integers(0, 40_000),
    ),
    max_size=60,
)


@given(READINGS)
def test_an_operation_only_grows_and_ends_with_all_that_started(
    readings: list[tuple[int, int, int, int]],
) -> None:
    reports = Reports()
    signals = [
        Signal(n, str(n), "single", (Address(n, n, 1, n + 1, 1, 30, (), encode_single),)) for n in range(6)
    ]
    starts = Address(6, 6, 1, 1200, 39, 39, (), encode_operation)
    table = PointTable([*signals, Signal(6, "starts", "protection", (starts,))], VirtualClock(), reports)
    ProtectionStart(table, 6, {bit: n for n, bit in enumerate(STARTS.values())})
    for n in range(6):
        table.update(n, Value(0, GOOD, 0))
    table.finish_start()
    now = 0
    on: set[int] = set()
    seen_in_operation = 0
    expected: list[int] = []
    for n, state, quality, ms in readings:
        now += ms
        table.update(n, Value(state, quality, now * MILLISECOND))
        if quality:
            continue
        if state and n not in on:
            on.add(n)
            if not seen_in_operation & 1 << n:
                seen_in_operation |= 1 << n
                expected.append(seen_in_operation)
        elif not state and n in on:
            on.discard(n)
            if not on:
                expected.append(seen_in_operation)
                seen_in_operation = 0
    assert [bits for bits, _, _ in reports.told] == expected
    assert all(ms <= 59_999 for _, _, ms in reports.told)
    assert all(ms in (0, 59_999) for _, quality, ms in reports.told if quality & EI)
