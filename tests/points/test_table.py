"""The point table: what is news, how often, and to whom."""

from __future__ import annotations

import struct
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtu.clock import SECOND, VirtualClock, WallTime
from rtu.iec104.elements import encode_cp56
from rtu.points import encoding
from rtu.points.model import (
    GOOD,
    IV,
    NEVER_READ,
    NT,
    OFF,
    ON,
    SPONTANEOUS,
    Address,
    Cause,
    Kind,
    Reporting,
    Signal,
    Value,
)
from rtu.points.report import Parameters
from rtu.points.station_time import StationTime
from rtu.points.table import PointTable

ALWAYS = Reporting()
FORMS: dict[Kind, tuple[int, int, encoding.Encode]] = {
    "single": (1, 30, encoding.encode_single),
    "double": (3, 31, encoding.encode_double),
    "bitstring": (7, 33, encoding.encode_bitstring),
    "measured": (13, 36, encoding.encode_float),
    "counter": (15, 37, encoding.encode_counter),
}


def signal(index: int, kind: Kind, *, reporting: Reporting = ALWAYS, system: str = "") -> Signal:
    """A signal with one time-tagged address of the same index."""
    type_id, event_type, encode = FORMS[kind]
    address = Address(index, index, 1, 100 + index, type_id, event_type, (), encode)
    return Signal(index, f"{kind}.{index}", kind, (address,), reporting, system=system)


class Recorder:
    """A sink that remembers, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def changed(self, signal: Signal, value: Value) -> None:
        self.calls.append(("changed", signal.index, value.value, value.quality))

    def state(self, address: Address, octets: bytes, cause: Cause) -> None:
        self.calls.append(("state", address.index, octets, cause))

    def measured(self, address: Address, octets: bytes, cause: Cause, every: bool) -> None:
        self.calls.append(("measured", address.index, octets, cause, every))


class Bench:
    def __init__(self, *signals: Signal, started: bool = True) -> None:
        self.clock = VirtualClock()
        self.sink = Recorder()
        self.table = PointTable(signals, self.clock, self.sink)
        if started:
            for each in signals:
                self.update(each.index, 0)
            self.table.finish_start()
        assert self.sink.calls == [("changed", s.index, 0, GOOD) for s in signals if started and s.is_state]
        self.sink.calls.clear()

    def update(self, index: int, value: float, quality: int = GOOD) -> bytes:
        """Returns the time tag the report of it must have."""
        now = self.clock.now_ns()
        self.table.update(index, Value(value, quality, now))
        unix_ns, valid = self.clock.wall(now)
        return encode_cp56(unix_ns, not valid)

    @property
    def kinds(self) -> list[object]:
        return [call[0] for call in self.sink.calls]


def test_a_change_of_state_is_stored_then_reported_with_its_time() -> None:
    bench = Bench(signal(0, "single"))
    time = bench.update(0, 1)
    assert bench.sink.calls == [("changed", 0, 1, GOOD), ("state", 0, b"\x01" + time, SPONTANEOUS)]
    assert bench.table.image.elements == [b"\x01"]


def test_the_same_state_again_is_no_news() -> None:
    bench = Bench(signal(0, "double"))
    bench.update(0, ON)
    bench.sink.calls.clear()
    bench.clock.advance(5)
    bench.update(0, ON)
    assert bench.sink.calls == []


def test_a_change_of_quality_alone_is_an_event() -> None:
    bench = Bench(signal(0, "single"))
    time = bench.update(0, 0, IV)
    assert bench.sink.calls == [("changed", 0, 0, IV), ("state", 0, b"\x80" + time, SPONTANEOUS)]


def test_an_unsynchronised_clock_marks_the_time_not_the_value() -> None:
    bench = Bench(signal(0, "single"))
    bench.clock.valid = False
    bench.update(0, 1)
    octets = bench.sink.calls[-1][2]
    assert isinstance(octets, bytes)
    assert octets[0] == 1
    assert octets[3] & IV


def test_an_address_without_time_tag_reports_the_element_alone() -> None:
    plain = Signal(0, "s", "single", (Address(0, 0, 1, 1, 1, 1, (), encoding.encode_single),))
    bench = Bench(plain)
    bench.update(0, 1)
    assert bench.sink.calls[-1][2] == b"\x01"


def test_every_address_of_a_signal_is_reported() -> None:
    addresses = tuple(Address(i, 0, 1 + i, 9, 1, 30, (), encoding.encode_single) for i in range(2))
    bench = Bench(Signal(0, "s", "single", addresses))
    bench.update(0, 1)
    assert bench.kinds == ["changed", "state", "state"]
    assert bench.table.image.elements == [b"\x01", b"\x01"]


def test_a_measured_value_is_told_beyond_the_deadband_from_what_was_told() -> None:
    bench = Bench(signal(0, "measured", reporting=Reporting(deadband=2)))
    for x in (1, 2, 2.5, 3, 4.4, 4.6):
        bench.update(0, x)
        assert bench.table.image.elements[0] == encoding.encode_float(x, GOOD)
    told = [encoding.encode_float(x, GOOD) for x in (2.5, 4.6)]
    assert [call[2][:5] for call in bench.sink.calls] == told  # type: ignore[index]


def test_a_measured_value_is_told_when_its_quality_changes() -> None:
    bench = Bench(signal(0, "measured", reporting=Reporting(deadband=2)))
    bench.update(0, 0, NT)
    bench.update(0, 0, GOOD)
    assert bench.kinds == ["measured", "measured"]


def test_a_measured_value_is_told_at_least_so_often() -> None:
    bench = Bench(signal(0, "measured", reporting=Reporting(deadband=2, at_least_s=60)))
    for _ in range(150):
        bench.clock.advance(1)
        bench.update(0, 0)
    assert bench.kinds == ["measured"] * 2


def test_without_at_least_a_steady_value_is_never_told() -> None:
    bench = Bench(signal(0, "measured"))
    bench.clock.advance(1e6)
    bench.update(0, 0)
    assert bench.sink.calls == []


@pytest.mark.parametrize("keep", ["latest", "every"])
def test_the_sink_learns_whether_every_value_counts(keep: str) -> None:
    bench = Bench(signal(0, "measured", reporting=Reporting(keep=keep)))  # type: ignore[arg-type]
    bench.update(0, 5)
    assert bench.sink.calls[0][4] == (keep == "every")


def test_a_counter_is_stored_at_every_change_and_never_told() -> None:
    bench = Bench(signal(0, "counter"))
    for total in (5, 10, 10, 15):
        bench.update(0, total)
    assert bench.kinds == ["changed", "changed", "changed"]


def test_changes_carry_the_cause_of_a_command_while_it_runs() -> None:
    bench = Bench(signal(0, "double"), signal(1, "single"))
    command = Cause(11, 7, "main")
    bench.table.attribute(0, command)
    bench.update(0, ON)
    bench.update(1, 1)
    bench.table.attribute(0, None)
    bench.update(0, OFF)
    assert [call[3] for call in bench.sink.calls if call[0] == "state"] == [command, SPONTANEOUS, SPONTANEOUS]


def test_what_is_told_is_an_event_however_equal() -> None:
    bench = Bench(signal(0, "single"))
    seen: list[float] = []
    bench.table.watch(0, lambda signal, value: seen.append(value.value))
    for _ in range(2):
        bench.table.tell(0, Value(1, GOOD, bench.clock.now_ns()))
    assert bench.kinds == ["changed", "state", "changed", "state"]
    assert bench.table.image.elements == [b"\x01"]
    assert seen == [1, 1]


def test_what_is_shown_is_told_to_nobody() -> None:
    bench = Bench(signal(0, "single"))
    bench.table.watch(0, lambda signal, value: pytest.fail("told"))
    bench.table.show(0, Value(1, IV, 0))
    assert bench.sink.calls == []
    assert bench.table.image.elements == [bytes([IV | 1])]
    assert bench.table.value(0) == (1, IV, 0)


def test_a_report_may_have_another_form_than_the_image() -> None:
    address = Address(0, 0, 1, 1, 1, 30, (), encoding.encode_single)
    twins = (replace(address, event_type=1), replace(address, encode=encoding.encode_double))
    bench = Bench(Signal(0, "s", "single", (address,), reports=twins))
    time = bench.update(0, 1, NT)
    assert [call[2] for call in bench.sink.calls if call[0] == "state"] == [b"\x41", b"\x41" + time]


def test_time_tags_are_those_of_the_station() -> None:
    class Zone(StationTime):
        def tag(self, wall: WallTime) -> bytes:
            return b"seven.."

    sink = Recorder()
    table = PointTable([signal(0, "single")], VirtualClock(), sink, time=Zone())
    table.finish_start()
    table.update(0, Value(1, GOOD, 0))
    assert sink.calls[-1][2] == b"\x01seven.."


# Parameters


def test_a_threshold_that_was_set_holds_from_the_next_sample_on() -> None:
    bench = Bench(signal(0, "measured", reporting=Reporting(deadband=2)))
    assert bench.table.parameters(0) == Parameters(2)
    bench.table.set_parameters(0, Parameters(0.5))
    assert bench.table.parameters(0) == Parameters(0.5)
    bench.update(0, 0.4)
    bench.update(0, 0.6)
    assert len(bench.sink.calls) == 1


def test_only_measured_values_have_parameters() -> None:
    bench = Bench(signal(0, "single"))
    with pytest.raises(ValueError, match="is no measured value"):
        bench.table.parameters(0)
    with pytest.raises(ValueError, match="is no measured value"):
        bench.table.set_parameters(0, Parameters())


def test_smoothing_keeps_its_share_of_the_old_value() -> None:
    bench = Bench(signal(0, "measured"))
    bench.table.set_parameters(0, Parameters(smoothing=0.75))
    for x in (16, 16):
        bench.update(0, x)
    assert bench.table.value(0)[:2] == (7.0, GOOD)
    assert bench.table.image.elements[0] == encoding.encode_float(7.0, GOOD)


def test_smoothing_starts_anew_after_a_change_of_quality() -> None:
    bench = Bench(signal(0, "measured"))
    bench.table.set_parameters(0, Parameters(smoothing=0.5))
    values = []
    for x, quality in ((8, GOOD), (8, IV), (8, GOOD), (0, GOOD)):
        bench.update(0, x, quality)
        values.append(bench.table.value(0)[:2])
    assert values == [(4, GOOD), (8, IV), (8, GOOD), (4, GOOD)]


def told(bench: Bench) -> list[tuple[float, int]]:
    """Value and quality of every report."""
    octets = [call[2] for call in bench.sink.calls]
    return [struct.unpack("<fB", each[:5]) for each in octets]  # type: ignore[index, misc]


def test_beyond_the_limits_of_transmission_a_value_is_only_interrogated() -> None:
    bench = Bench(signal(0, "measured", reporting=Reporting(at_least_s=1)))
    bench.table.set_parameters(0, Parameters(low=-5, high=10))
    for x in (10, 11, 50, -6):
        bench.clock.advance(2)
        bench.update(0, x)
    assert told(bench) == [(10, GOOD)]
    assert bench.table.image.elements[0] == encoding.encode_float(-6, GOOD)


def test_a_value_is_told_when_it_comes_back_within_the_limits() -> None:
    bench = Bench(signal(0, "measured", reporting=Reporting(deadband=3)))
    bench.table.set_parameters(0, Parameters(3, high=10))
    for x in (9, 12, 9.5, 9):
        bench.update(0, x)
    assert told(bench) == [(9, GOOD), (9.5, GOOD)]


def test_a_change_of_quality_is_told_whatever_the_limits() -> None:
    bench = Bench(signal(0, "measured"))
    bench.table.set_parameters(0, Parameters(high=10))
    for x, quality in ((20, GOOD), (20, IV), (20, GOOD), (21, GOOD)):
        bench.update(0, x, quality)
    assert told(bench) == [(20, IV), (20, GOOD)]


def test_limits_may_have_no_room_between_them() -> None:
    bench = Bench(signal(0, "measured"))
    bench.table.set_parameters(0, Parameters(low=5, high=-5))
    bench.update(0, 1)
    assert told(bench) == []


@given(st.lists(st.floats(-100, 100)), st.floats(0, 0.99), st.floats(0, 10))
def test_whatever_is_loaded_what_was_told_last_is_within_the_threshold(
    samples: list[float], smoothing: float, threshold: float
) -> None:
    bench = Bench(signal(0, "measured"))
    bench.table.set_parameters(0, Parameters(threshold, smoothing))
    for sample in samples:
        bench.update(0, sample)
    last = told(bench)[-1][0] if bench.sink.calls else 0.0
    assert abs(bench.table.value(0).value - last) <= threshold + 1e-4


# Watching


def test_a_watcher_is_called_after_the_report() -> None:
    bench = Bench(signal(0, "single"))
    seen: list[object] = []
    bench.table.watch(
        0, lambda signal, value: seen.extend((value.value, bench.table.image.elements[0], *bench.kinds))
    )
    bench.update(0, 1)
    assert seen == [1, b"\x01", "changed", "state"]


def test_a_watcher_hears_no_repetition_and_nothing_after_unwatch() -> None:
    bench = Bench(signal(0, "single"))
    seen: list[float] = []
    unwatch = bench.table.watch(0, lambda signal, value: seen.append(value.value))
    bench.update(0, 1)
    bench.update(0, 1)
    unwatch()
    unwatch()
    bench.update(0, 0)
    assert seen == [1]


def test_a_watcher_may_end_itself_and_others_while_called() -> None:
    bench = Bench(signal(0, "single"))
    seen: list[str] = []

    def first(signal: Signal, value: Value) -> None:
        seen.append("first")
        unwatch_first()
        unwatch_second()
        bench.table.attribute(0, None)

    unwatch_first = bench.table.watch(0, first)
    unwatch_second = bench.table.watch(0, lambda signal, value: seen.append("second"))
    bench.table.watch(0, lambda signal, value: seen.append("third"))
    bench.update(0, 1)
    assert seen == ["first", "third"]


def test_every_watcher_hears_a_change_whatever_another_runs_into() -> None:
    bench = Bench(signal(0, "single"))
    heard = []

    def broken(signal: Signal, value: Value) -> None:
        raise RuntimeError("a watcher")

    bench.table.watch(0, broken)
    bench.table.watch(0, lambda signal, value: heard.append(value.value))
    with pytest.raises(RuntimeError, match="a watcher"):
        bench.update(0, 1)
    assert heard == [1]
    assert bench.kinds == ["changed", "state"]


# Start


def test_whoever_waits_for_the_start_is_called_when_it_is_over() -> None:
    bench = starting(restored=(1, GOOD))
    seen: list[object] = []
    bench.table.when_started(lambda: seen.extend(bench.kinds))
    bench.table.finish_start()
    assert seen == ["changed", "state"]


def test_what_is_made_of_others_is_not_waited_for() -> None:
    address = Address(0, 0, 1, 1, 38, 38, (), lambda value, quality: bytes([int(value), quality]))
    bench = Bench(Signal(0, "s", "protection", (address,)), started=False)
    bench.table.restore(0, 1, GOOD)
    bench.table.finish_start()
    assert bench.sink.calls == []


def starting(kind: Kind = "single", restored: tuple[float, int] | None = None) -> Bench:
    bench = Bench(signal(0, kind), started=False)
    if restored is not None:
        bench.table.restore(0, *restored)
    return bench


def test_what_was_never_read_is_invalid_and_not_topical() -> None:
    bench = starting()
    assert bench.table.value(0) == NEVER_READ
    assert bench.table.image.elements == [bytes([IV | NT])]


def test_a_restored_state_is_shown_invalid_until_it_is_read() -> None:
    bench = starting(restored=(1, GOOD))
    assert bench.table.image.elements == [bytes([IV | NT | 1])]
    assert bench.table.value(0)[:2] == (1, IV | NT)


def test_a_first_reading_equal_to_the_restored_state_makes_no_event() -> None:
    bench = starting(restored=(1, GOOD))
    bench.update(0, 1)
    assert bench.sink.calls == []
    assert bench.table.image.elements == [b"\x01"]


def test_a_first_reading_with_nothing_restored_is_stored_but_makes_no_event() -> None:
    bench = starting()
    bench.update(0, 1)
    assert bench.sink.calls == [("changed", 0, 1, GOOD)]


@pytest.mark.parametrize("restored", [(0, GOOD), (1, IV)])
def test_a_first_reading_that_differs_makes_one_event(restored: tuple[float, int]) -> None:
    bench = starting(restored=restored)
    bench.update(0, 1)
    bench.update(0, 1)
    bench.table.finish_start()
    bench.update(0, 1)
    assert bench.kinds == ["changed", "state"]


def test_a_bad_first_reading_does_not_hide_the_good_one() -> None:
    bench = starting(restored=(0, GOOD))
    bench.update(0, 0, IV)
    assert bench.sink.calls == []
    assert bench.table.image.elements == [bytes([IV])]
    bench.update(0, 1)
    assert bench.kinds == ["changed", "state"]


def test_a_second_reading_while_starting_is_a_change_like_any_other() -> None:
    bench = starting()
    bench.update(0, 0)
    bench.update(0, 1)
    assert bench.kinds == ["changed", "changed", "state"]


@pytest.mark.parametrize("restored", [None, (1, GOOD)])
def test_a_first_reading_after_the_start_is_an_event(restored: tuple[float, int] | None) -> None:
    bench = starting(restored=restored)
    bench.table.finish_start()
    bench.sink.calls.clear()
    bench.update(0, 1)
    assert bench.kinds == ["changed", "state"]


def test_a_restored_state_that_the_first_scan_did_not_find_is_told_to_be_unknown() -> None:
    bench = starting(restored=(1, GOOD))
    bench.clock.advance(5)
    unix_ns, valid = bench.clock.wall(bench.clock.now_ns())
    bench.table.finish_start()
    time = encode_cp56(unix_ns, not valid)
    assert bench.sink.calls == [
        ("changed", 0, 1, IV | NT),
        ("state", 0, bytes([IV | NT | 1]) + time, SPONTANEOUS),
    ]


def test_a_restored_state_that_the_first_scan_could_only_read_badly_is_told_so() -> None:
    bench = starting(restored=(1, GOOD))
    time = bench.update(0, 1, IV)
    bench.table.finish_start()
    assert bench.sink.calls == [("changed", 0, 1, IV), ("state", 0, bytes([IV | 1]) + time, SPONTANEOUS)]


@pytest.mark.parametrize("restored", [None, (1, IV | NT)])
def test_what_was_never_known_or_known_to_be_lost_is_not_told_again(
    restored: tuple[float, int] | None,
) -> None:
    bench = starting(restored=restored)
    bench.table.finish_start()
    assert bench.sink.calls == []


def test_a_counter_that_went_on_before_its_first_reading_is_stored_and_not_told() -> None:
    bench = starting("counter", (1000, GOOD))
    bench.update(0, 1003)
    bench.table.finish_start()
    assert bench.sink.calls == [("changed", 0, 1003, GOOD)]


def test_a_restored_counter_that_is_not_read_makes_no_event() -> None:
    bench = starting("counter", (1000, GOOD))
    bench.table.finish_start()
    assert bench.sink.calls == []


def test_a_counter_goes_on_silently_from_its_restored_total() -> None:
    bench = starting("counter", (1000, GOOD))
    bench.update(0, 1000)
    assert bench.sink.calls == []
    bench.update(0, 1001)
    assert bench.kinds == ["changed"]


def test_a_first_measured_value_is_told_only_after_the_start() -> None:
    bench = starting("measured")
    bench.update(0, 5)
    assert bench.sink.calls == []
    late = starting("measured")
    late.table.finish_start()
    late.update(0, 5)
    assert late.kinds == ["measured"]


def test_a_value_of_the_station_itself_is_good_from_the_start() -> None:
    bench = Bench(signal(0, "bitstring", system="events.lost"), started=False)
    assert bench.table.value(0)[:2] == (0, GOOD)
    assert bench.table.image.elements == [bytes(5)]
    bench.update(0, 3)
    assert bench.kinds == ["changed", "state"]


def test_signals_are_found_by_name() -> None:
    bench = Bench(signal(0, "single"), signal(1, "double"))
    assert bench.table.index("double.1") == 1
    with pytest.raises(KeyError):
        bench.table.index("nobody")


def test_reports_keep_the_stamp_of_the_reading() -> None:
    bench = Bench(signal(0, "single"))
    stamp = bench.clock.now_ns()
    bench.clock.advance(2)
    bench.table.update(0, Value(1, GOOD, stamp))
    octets = bench.sink.calls[-1][2]
    assert octets == b"\x01" + encode_cp56(stamp + bench.clock.offset_ns, False)
    assert bench.clock.now_ns() - stamp == 2 * SECOND


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([GOOD, NT, IV]))))
def test_events_of_a_state_never_repeat_and_end_at_the_image(readings: list[tuple[int, int]]) -> None:
    bench = Bench(signal(0, "double"))
    for state, quality in readings:
        bench.update(0, state, quality)
    told = [bytes(1), *(call[2][:1] for call in bench.sink.calls if call[0] == "state")]  # type: ignore[index]
    assert all(one != next_ for one, next_ in pairwise(told))
    assert told[-1] == bench.table.image.elements[0]
