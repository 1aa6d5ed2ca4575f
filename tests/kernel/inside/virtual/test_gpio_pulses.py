"""The `gpio` driver where time is exact: the pulses it gives, the pulses it counts, and its patience."""

import time

from simhw import LineRecorder, SimChip

from hw.gpio import DRIVER, Config
from hw.gpio_device import Options
from hw.gpiod_factory import RETRY_NS
from hw.interface import Channel, Context, Edge, Kind

RELAYS = [Channel(Kind.DIGITAL_OUTPUT, line, Options(), safe) for line, safe in ((20, 0), (21, 1))]
MS = 1_000_000


def test_a_pulse_lasts_as_long_as_asked_although_nobody_attends(chip: SimChip) -> None:
    device = DRIVER.open(Config(chip=chip.label), RELAYS, Context("field"))
    with LineRecorder(chip, 20) as trip, LineRecorder(chip, 21) as active_low:
        device.pulse(0, 1, 0.5)
        device.pulse(1, 0, 0.2)
        time.sleep(3600)
        (rise, up), (fall, down) = trip.changes
        (start, low), (end, high) = active_low.changes
        device.close()
    assert (up, down, low, high) == (1, 0, 0, 1)
    assert 500 * MS <= fall - rise < 505 * MS
    assert 200 * MS <= end - start < 205 * MS


def test_pulses_are_counted_without_their_bounces(chip: SimChip) -> None:
    counter = Channel(Kind.COUNTER, 3, Options(pull="down"))
    device = DRIVER.open(Config(chip=chip.label), [counter], Context("field"))
    for _ in range(10):
        for level in (1, 0, 1):
            chip.pull(3, level)
        time.sleep(0.05)
        for level in (0, 1, 0):
            chip.pull(3, level)
        time.sleep(0.05)
    assert device.totals() == [10]
    device.close()


def test_a_chip_that_is_plugged_in_again_is_served_again() -> None:
    chip = SimChip(lines=32, label="usb-gpio")
    channels = [Channel(Kind.DIGITAL_INPUT, 3, Options(pull="down")), RELAYS[1]]
    device = DRIVER.open(Config(chip=chip.label), channels, Context("field"))
    edges: list[Edge] = []
    device.start(edges.extend)
    chip.close()
    device.pump()
    assert device.levels() == [None]
    assert device.read_back() == [None]
    with SimChip(lines=32, label="usb-gpio") as again:
        time.sleep(2 * RETRY_NS / 1e9)
        assert device.levels() == [0]
        assert device.read_back() == [1]
        assert again.value(21) == 1
        again.pull(3, 1)
        device.pump()
        assert [(edge.level, edge.gap) for edge in edges] == [(1, 0)]
        device.close()
