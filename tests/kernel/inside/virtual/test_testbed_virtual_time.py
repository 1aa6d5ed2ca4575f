"""In virtual time a test may wait for hours and measure to the microsecond, however busy the host is.

Reading the clock takes 256 ns and all other work none, so a measured time is a few microseconds long at most.
"""

import threading
import time
from datetime import timedelta
from itertools import pairwise

import gpiod
import pytest
from gpiod.line import Direction, Edge, Value
from simhw import LineRecorder, SimChip

CLOCK_READS_NS = 10_000


def test_a_day_of_sleep_is_over_at_once_and_a_day_long() -> None:
    before = time.monotonic_ns()
    time.sleep(86_400)
    assert 0 <= time.monotonic_ns() - before - 86_400_000_000_000 < CLOCK_READS_NS


def test_a_pulse_timed_by_sleep_is_recorded_at_its_length(chip: SimChip) -> None:
    settings = gpiod.LineSettings(direction=Direction.OUTPUT, output_value=Value.INACTIVE)
    with LineRecorder(chip, 20) as recorder:
        with gpiod.request_lines(chip.path, config={20: settings}) as request:
            request.set_value(20, Value.ACTIVE)
            time.sleep(0.5)
            request.set_value(20, Value.INACTIVE)
        (rise, _), (fall, _) = recorder.changes
    assert abs(fall - rise - 500_000_000) < CLOCK_READS_NS


def test_waiting_for_a_change_ends_with_the_change_or_says_what_there_was(chip: SimChip) -> None:
    settings = gpiod.LineSettings(direction=Direction.OUTPUT, output_value=Value.INACTIVE)
    with LineRecorder(chip, 20) as recorder, gpiod.request_lines(chip.path, config={20: settings}) as request:
        relay = threading.Timer(3600, request.set_value, (20, Value.ACTIVE))
        relay.start()
        assert [level for _, level in recorder.wait(1, timeout_s=7200)] == [1]
        relay.join()
        with pytest.raises(TimeoutError, match="line 20 changed 1 times, not 2"):
            recorder.wait(2, timeout_s=10)


def test_a_thousand_edges_a_second_are_stamped_a_millisecond_apart(chip: SimChip) -> None:
    def chatter() -> None:
        for n in range(1000):
            time.sleep(0.001)
            chip.pull(3, (n + 1) % 2)

    settings = gpiod.LineSettings(edge_detection=Edge.BOTH)
    stamps: list[int] = []
    with gpiod.request_lines(chip.path, config={3: settings}, event_buffer_size=1024) as request:
        contact = threading.Thread(target=chatter)
        contact.start()
        while request.wait_edge_events(timedelta(seconds=1)):
            stamps += [edge.timestamp_ns for edge in request.read_edge_events()]
        contact.join()
    assert len(stamps) == 1000
    assert all(0 <= after - before - 1_000_000 < CLOCK_READS_NS for before, after in pairwise(stamps))
