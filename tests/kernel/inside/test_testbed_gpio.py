"""The simulated GPIO behaves like the kernel's on a real board, as far as the drivers' tests rely on it."""

import time
from datetime import timedelta
from errno import EBUSY

import gpiod
import pytest
from gpiod.line import Bias, Clock, Direction, Edge, Value
from simhw import LineRecorder, SimChip

BOTH_EDGES = gpiod.LineSettings(edge_detection=Edge.BOTH, bias=Bias.PULL_DOWN)


def pending_edges(request: gpiod.LineRequest) -> list[gpiod.EdgeEvent]:
    """What the kernel has queued by now; its interrupt thread needs a moment after the last pull."""
    edges: list[gpiod.EdgeEvent] = []
    while request.wait_edge_events(timedelta(seconds=0.2)):
        edges += request.read_edge_events()
    return edges


def test_edges_are_numbered_and_none_is_lost(chip: SimChip) -> None:
    with gpiod.request_lines(chip.path, config={3: BOTH_EDGES}, event_buffer_size=1024) as request:
        for n in range(200):
            chip.pull(3, (n + 1) % 2)
        edges = pending_edges(request)
    assert [edge.line_seqno for edge in edges] == list(range(1, 201))
    assert {edge.line_offset for edge in edges} == {3}


def test_a_full_buffer_loses_the_oldest_edges_and_the_numbers_show_it(chip: SimChip) -> None:
    with gpiod.request_lines(chip.path, config={3: BOTH_EDGES}, event_buffer_size=16) as request:
        for n in range(100):
            chip.pull(3, (n + 1) % 2)
        edges = pending_edges(request)
    assert [edge.line_seqno for edge in edges] == list(range(85, 101))


def test_an_edge_carries_the_monotonic_time_of_the_pull(chip: SimChip) -> None:
    with gpiod.request_lines(chip.path, config={3: BOTH_EDGES}, event_buffer_size=1024) as request:
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        chip.pull(3, 1)
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        (edge,) = pending_edges(request)
    assert before <= edge.timestamp_ns <= after


def test_setting_the_wall_clock_does_not_move_the_stamps(chip: SimChip) -> None:
    now = time.time()
    settings = gpiod.LineSettings(edge_detection=Edge.BOTH, event_clock=Clock.MONOTONIC)
    with gpiod.request_lines(chip.path, config={3: settings}) as request:
        chip.pull(3, 1)
        time.clock_settime(time.CLOCK_REALTIME, now + 3600)
        chip.pull(3, 0)
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        first, second = pending_edges(request)
    time.clock_settime(time.CLOCK_REALTIME, time.time() - 3600)
    assert first.timestamp_ns < second.timestamp_ns <= after


def test_a_pull_to_the_level_the_line_already_has_is_no_edge(chip: SimChip) -> None:
    with gpiod.request_lines(chip.path, config={3: BOTH_EDGES}) as request:
        chip.pull(3, 1)
        chip.pull(3, 1)
        assert len(pending_edges(request)) == 1


def test_edges_of_several_lines_come_in_the_order_they_happened(chip: SimChip) -> None:
    with gpiod.request_lines(chip.path, config={(3, 4, 5): BOTH_EDGES}, event_buffer_size=1024) as request:
        for line in (4, 3, 5, 3, 4):
            chip.pull(line, 1 - chip.value(line))
        edges = pending_edges(request)
    assert [edge.line_offset for edge in edges] == [4, 3, 5, 3, 4]
    assert [edge.global_seqno for edge in edges] == [1, 2, 3, 4, 5]


def test_a_line_belongs_to_one_request(chip: SimChip) -> None:
    with gpiod.request_lines(chip.path, config={3: None}), pytest.raises(OSError, match="busy") as refused:
        gpiod.request_lines(chip.path, config={3: None})
    assert refused.value.errno == EBUSY


def test_a_chip_is_found_by_its_label_and_a_line_by_its_name() -> None:
    with SimChip(lines=8, label="bay", names={5: "Q0-OPEN"}) as simulated, gpiod.Chip(simulated.path) as chip:
        assert chip.get_info().label == "bay"
        assert chip.get_info().num_lines == 8
        assert chip.line_offset_from_id("Q0-OPEN") == 5


def test_an_output_shows_on_the_line(chip: SimChip) -> None:
    settings = gpiod.LineSettings(direction=Direction.OUTPUT, output_value=Value.INACTIVE)
    with gpiod.request_lines(chip.path, config={20: settings}) as request:
        assert chip.value(20) == 0
        request.set_value(20, Value.ACTIVE)
        assert chip.value(20) == 1
        chip.pull(20, 0)
        assert chip.value(20) == 1


def test_the_recorder_has_every_change_with_the_time_it_happened(chip: SimChip) -> None:
    settings = gpiod.LineSettings(direction=Direction.OUTPUT, output_value=Value.INACTIVE)
    stamps = []
    with LineRecorder(chip, 20) as recorder:
        with gpiod.request_lines(chip.path, config={(20, 21): settings}) as request:
            for level in (Value.ACTIVE, Value.INACTIVE) * 500:
                request.set_value(20, level)
                stamps.append(time.monotonic_ns())
        changes = recorder.changes
    assert [level for _, level in changes] == [1, 0] * 500
    earliest = stamps[0] - 1_000_000_000
    for (at, _), returned in zip(changes, stamps, strict=True):
        assert earliest - 1000 <= at <= returned + 1000  # the trace rounds to microseconds
        earliest = returned


def test_the_recorder_sees_a_pulse_too_short_for_any_poll(chip: SimChip) -> None:
    settings = gpiod.LineSettings(direction=Direction.OUTPUT, output_value=Value.INACTIVE)
    with LineRecorder(chip, 20) as recorder:
        with gpiod.request_lines(chip.path, config={20: settings}) as request:
            request.set_value(20, Value.ACTIVE)
            request.set_value(20, Value.INACTIVE)
        (_, up), (_, down) = recorder.changes
    assert (up, down) == (1, 0)


def test_the_recorder_sees_a_glitch_at_the_request_and_the_fall_at_the_release(chip: SimChip) -> None:
    settings = gpiod.LineSettings(direction=Direction.OUTPUT, output_value=Value.ACTIVE)
    with LineRecorder(chip, 20) as recorder:
        with gpiod.request_lines(chip.path, config={20: settings}):
            held = [level for _, level in recorder.changes]
        released = [level for _, level in recorder.changes]
    assert held == [1]
    assert released == [1, 0]


def test_the_recorder_of_one_line_does_not_hear_another(chip: SimChip) -> None:
    settings = gpiod.LineSettings(direction=Direction.OUTPUT, output_value=Value.ACTIVE)
    with LineRecorder(chip, 20) as quiet, gpiod.request_lines(chip.path, config={21: settings}):
        assert quiet.changes == []


def test_a_recorder_that_lost_changes_refuses_to_answer(chip: SimChip) -> None:
    settings = gpiod.LineSettings(direction=Direction.OUTPUT, output_value=Value.INACTIVE)
    with LineRecorder(chip, 20) as recorder, gpiod.request_lines(chip.path, config={20: settings}) as request:
        for level in (Value.ACTIVE, Value.INACTIVE) * 20_000:
            request.set_value(20, level)
        with pytest.raises(OverflowError, match="line 20"):
            assert recorder.changes
