"""The `gpio` driver: on gpiozero's mock pins, and on the project's own factory where the factory matters."""

from __future__ import annotations

import errno
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from gpiozero.pins.mock import MockConnectedPin, MockFactory, MockPin

from hw.gpio import DRIVER, Config
from hw.gpio_device import MAX_PULSE_S, QUEUE, GpioDevice, Options
from hw.gpiod_factory import GpiodFactory
from hw.interface import (
    Channel,
    Context,
    Counters,
    Device,
    DeviceFault,
    DigitalInputs,
    DigitalOutputs,
    Edge,
    Kind,
    driver,
)
from tests.hw.fake_gpiod import FakeChip, FakeGpiod

SECOND = 1_000_000_000
PATIENCE_S = 10.0
TRIP, CLOSE, ENABLE = 0, 1, 2  # in the order of RELAYS


def contact(line: int | str, pull: Any = "down") -> Channel:
    return Channel(Kind.DIGITAL_INPUT, line, Options(pull=pull))


def relay(line: int | str, safe: int = 0) -> Channel:
    return Channel(Kind.DIGITAL_OUTPUT, line, Options(), safe)


CONTACTS = (contact(17), contact(27, "up"))
RELAYS = (relay(22), relay(23), relay(24, safe=1))  # the last one is active low


class Bench:
    """A device on mock pins, with a clock that stands still."""

    def __init__(self, channels: Sequence[Channel] = (*CONTACTS, *RELAYS)) -> None:
        self.now_ns = SECOND
        self.factory = MockFactory()
        self.device = GpioDevice(self.factory, channels, now_ns=lambda: self.now_ns)
        self.edges: list[Edge] = []
        self.device.start(self.edges.extend)

    def pin(self, line: int) -> Any:
        return self.factory.pin(line)

    def level(self, line: int) -> int:
        return int(self.pin(line).state)

    def after(self, seconds: float) -> None:
        """Time passes; what is due happens."""
        assert self.device.pulses is not None
        with self.device.pulses.lock:
            self.now_ns += round(seconds * SECOND)
            self.device.pulses.run_due()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.device.close()


class StuckPin(MockPin):  # type: ignore[misc]
    """A line that can be made to refuse."""

    stuck = False
    refused = 0

    def _set_state(self, value: Any) -> None:
        if self.stuck:
            type(self).refused += 1
            raise OSError(errno.EIO, "Input/output error")
        super()._set_state(value)


def test_the_device_is_what_it_says_it_is(bench: Bench) -> None:
    assert isinstance(bench.device, Device)
    assert isinstance(bench.device, DigitalInputs)
    assert isinstance(bench.device, DigitalOutputs)
    assert bench.device.bus == ""
    assert bench.device.self_timed


# -- inputs


def test_an_edge_reaches_the_sink_with_its_channel_stamp_and_level(bench: Bench) -> None:
    before = time.monotonic_ns()
    bench.pin(17).drive_high()
    bench.pin(27).drive_low()
    bench.device.pump()
    after = time.monotonic_ns()
    assert [(edge.channel, edge.level, edge.gap) for edge in bench.edges] == [(0, 1, 0), (1, 0, 0)]
    assert all(before <= edge.mono_ns <= after for edge in bench.edges)
    assert bench.device.stamps == "poll"


def test_the_descriptor_is_readable_while_there_are_edges(bench: Bench) -> None:
    descriptors = bench.device.filenos()
    assert not select.select(descriptors, [], [], 0)[0]
    bench.pin(17).drive_high()
    assert select.select(descriptors, [], [], 0)[0] == list(descriptors)
    bench.device.pump()
    assert not select.select(descriptors, [], [], 0)[0]
    bench.device.pump()
    assert len(bench.edges) == 1


def test_edges_from_another_thread_wait_for_the_pump(bench: Bench) -> None:
    thread = threading.Thread(target=bench.pin(17).drive_high)
    thread.start()
    thread.join(PATIENCE_S)
    assert bench.edges == []
    bench.device.pump()
    assert [edge.level for edge in bench.edges] == [1]


def test_bounces_are_reported_every_one(bench: Bench) -> None:
    for _ in range(5):
        bench.pin(17).drive_high()
        bench.pin(17).drive_low()
    bench.device.pump()
    assert [edge.level for edge in bench.edges] == [1, 0] * 5


def test_edges_beyond_the_queue_become_a_gap(bench: Bench) -> None:
    pin = bench.pin(17)
    for _ in range(QUEUE // 2 + 5):
        pin.drive_high()
        pin.drive_low()
    bench.device.pump()
    assert len(bench.edges) == QUEUE
    pin.drive_high()
    bench.device.pump()
    assert bench.edges[-1].gap == 10


def test_levels_are_read_in_the_order_of_opening(bench: Bench) -> None:
    assert bench.device.levels() == [0, 1]  # pulled down, pulled up
    bench.pin(17).drive_high()
    assert bench.device.levels() == [1, 1]


def test_a_line_that_cannot_be_read_is_unknown_and_the_others_are_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable() -> bool:
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(bench.pin(17), "_get_state", unreadable)
    assert bench.device.levels() == [None, 1]


def test_an_edge_before_the_start_is_not_delivered() -> None:
    factory = MockFactory()
    device = GpioDevice(factory, CONTACTS)
    factory.pin(17).drive_high()
    edges: list[Edge] = []
    device.start(edges.extend)
    device.pump()
    assert edges == []
    assert device.levels() == [1, 1]
    device.close()


# -- outputs


def test_outputs_open_at_their_safe_level(bench: Bench) -> None:
    assert bench.device.read_back() == [0, 0, 1]
    assert [bench.pin(line).function for line in (22, 23, 24)] == ["output"] * 3


def test_relays_are_safe_before_any_input_is_tried() -> None:
    order: list[str] = []

    class Spy(MockFactory):  # type: ignore[misc]
        def pin(self, name: Any, **kwargs: Any) -> Any:
            order.append(str(name))
            return super().pin(name, **kwargs)

    GpioDevice(Spy(), (*CONTACTS, *RELAYS)).close()
    assert order == ["22", "23", "24", "17", "27"]


def test_a_pulse_ends_when_its_time_is_over(bench: Bench) -> None:
    bench.device.pulse(TRIP, 1, 0.5)
    assert bench.level(22) == 1
    bench.after(0.499)
    assert bench.level(22) == 1
    bench.after(0.001)
    assert bench.level(22) == 0


def test_a_pulse_of_an_active_low_relay_ends_high(bench: Bench) -> None:
    bench.device.pulse(ENABLE, 0, 0.5)
    assert bench.device.read_back() == [0, 0, 0]
    bench.after(0.5)
    assert bench.device.read_back() == [0, 0, 1]


def test_a_pulse_ends_although_nobody_calls_again() -> None:
    released = threading.Event()

    class Watched(MockPin):  # type: ignore[misc]
        def _set_state(self, value: Any) -> None:
            super()._set_state(value)
            if not value and threading.current_thread().name == "field-pulses":
                released.set()

    device = GpioDevice(MockFactory(pin_class=Watched), [relay(22)], name="field")
    device.pulse(0, 1, 0.02)
    assert released.wait(PATIENCE_S)  # this thread did nothing meanwhile
    assert device.read_back() == [0]
    device.close()


def test_pulses_run_side_by_side(bench: Bench) -> None:
    bench.device.pulse(TRIP, 1, 0.5)
    bench.after(0.25)
    bench.device.pulse(CLOSE, 1, 0.1)
    bench.after(0.1)
    assert bench.device.read_back() == [1, 0, 1]
    bench.after(0.15)
    assert bench.device.read_back() == [0, 0, 1]


def test_a_pulse_is_not_prolonged(bench: Bench) -> None:
    bench.device.pulse(TRIP, 1, 0.5)
    with pytest.raises(DeviceFault, match="in the middle of a pulse"):
        bench.device.pulse(TRIP, 1, 5.0)
    with pytest.raises(DeviceFault, match="in the middle of a pulse"):
        bench.device.write(TRIP, 1)
    bench.after(0.5)
    assert bench.level(22) == 0


def test_writing_the_safe_level_ends_a_pulse_for_good(bench: Bench) -> None:
    bench.device.pulse(TRIP, 1, 0.5)
    bench.device.write(TRIP, 0)
    assert bench.level(22) == 0
    bench.device.write(TRIP, 1)
    bench.after(0.5)  # the old deadline passes
    assert bench.level(22) == 1


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), MAX_PULSE_S + 1])
def test_a_pulse_without_a_sensible_end_is_refused(bench: Bench, seconds: float) -> None:
    with pytest.raises(DeviceFault, match="cannot pulse"):
        bench.device.pulse(TRIP, 1, seconds)
    assert bench.level(22) == 0


def test_a_pulse_to_the_safe_level_is_refused(bench: Bench) -> None:
    with pytest.raises(DeviceFault, match="cannot pulse"):
        bench.device.pulse(ENABLE, 1, 1.0)


def test_a_latched_output_stays(bench: Bench) -> None:
    bench.device.write(TRIP, 1)
    bench.after(3600)
    assert bench.device.read_back() == [1, 0, 1]


def test_safe_ends_everything_and_may_be_repeated(bench: Bench) -> None:
    bench.device.pulse(TRIP, 1, 0.5)
    bench.device.write(CLOSE, 1)
    bench.device.write(ENABLE, 0)
    bench.device.safe()
    bench.device.safe()
    assert bench.device.read_back() == [0, 0, 1]
    bench.device.write(TRIP, 1)
    bench.after(1)
    assert bench.level(22) == 1


def test_closing_leaves_outputs_safe_and_refuses_more(bench: Bench) -> None:
    levels: list[bool] = []
    pin = bench.pin(22)
    bench.device.pulse(TRIP, 1, 0.5)
    pin.clear_states()
    bench.device.close()
    bench.device.close()
    levels += [state.state for state in pin.states]
    assert levels == [True, False]
    assert pin.function == "input"
    with pytest.raises(DeviceFault, match="is closed"):
        bench.device.pulse(TRIP, 1, 0.5)
    with pytest.raises(DeviceFault, match="is closed"):
        bench.device.write(TRIP, 0)
    assert bench.device.filenos() == ()
    assert bench.device.levels() == [None, None]
    bench.device.pump()


def test_a_line_that_refuses_is_a_fault_and_is_tried_until_it_is_at_rest() -> None:
    now_ns = SECOND
    factory = MockFactory(pin_class=StuckPin)
    device = GpioDevice(factory, [relay(22)], now_ns=lambda: now_ns)
    assert device.pulses is not None
    pin = factory.pin(22)
    device.pulse(0, 1, 0.5)
    pin.stuck = True
    with device.pulses.lock:
        now_ns += SECOND
        device.pulses.run_due()
    assert pin.refused
    assert pin.state
    with pytest.raises(DeviceFault, match=r"cannot be switched: .*Input/output error"):
        device.write(0, 0)
    pin.stuck = False
    with device.pulses.lock:
        now_ns += SECOND
        device.pulses.run_due()
    assert device.read_back() == [0]
    device.close()


def test_a_latched_line_that_refuses_to_rest_is_tried_until_it_is() -> None:
    factory = MockFactory(pin_class=StuckPin)
    device = GpioDevice(factory, [relay(22)], now_ns=lambda: SECOND)
    assert device.pulses is not None
    pin = factory.pin(22)
    device.write(0, 1)
    with device.pulses.lock:
        pin.stuck = True
        with pytest.raises(DeviceFault, match="cannot be switched"):
            device.write(0, 0)
        with pytest.raises(DeviceFault):
            device.write(0, 1)
        pin.stuck = False
        assert device.pulses.run_due() is None
    assert device.read_back() == [0]
    device.write(0, 1)
    assert device.read_back() == [1]
    device.close()


def test_without_its_thread_a_line_comes_to_rest_and_is_energised_no_more(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.device.write(TRIP, 1)
    monkeypatch.setattr(type(bench.device.pulses), "alive", False)
    with pytest.raises(DeviceFault, match="the thread that ends pulses is gone"):
        bench.device.write(CLOSE, 1)
    with pytest.raises(DeviceFault, match="the thread that ends pulses is gone"):
        bench.device.pulse(CLOSE, 1, 0.5)
    bench.device.write(TRIP, 0)
    assert bench.device.read_back() == [0, 0, 1]


def test_a_pulse_that_could_not_begin_is_brought_to_rest() -> None:
    now_ns = SECOND
    factory = MockFactory(pin_class=StuckPin)
    device = GpioDevice(factory, [relay(22)], now_ns=lambda: now_ns)
    assert device.pulses is not None
    pin = factory.pin(22)
    with device.pulses.lock:
        pin.stuck = True
        with pytest.raises(DeviceFault, match="cannot be switched"):
            device.pulse(0, 1, 0.5)
        pin.stuck = False
        assert device.pulses.run_due() is None
    device.pulse(0, 1, 0.5)
    device.close()


def test_an_output_may_be_wired_to_an_input_for_read_back(bench: Bench) -> None:
    factory = MockFactory()
    factory.pin(22, pin_class=MockConnectedPin, input_pin=factory.pin(17))
    device = GpioDevice(factory, [contact(17), relay(22)], now_ns=lambda: bench.now_ns)
    edges: list[Edge] = []
    device.start(edges.extend)
    device.pulse(0, 1, 1.0)
    device.safe()
    device.pump()
    assert [edge.level for edge in edges] == [1, 0]
    device.close()


def test_a_program_that_ends_without_closing_leaves_its_outputs_safe() -> None:
    program = """
from gpiozero.pins.mock import MockFactory, MockPin
from hw.gpio_device import GpioDevice
from hw.interface import Channel, Kind

class Loud(MockPin):
    def _set_state(self, value):
        super()._set_state(value)
        print(int(value), flush=True)

kept = GpioDevice(MockFactory(pin_class=Loud), [Channel(Kind.DIGITAL_OUTPUT, 22)])
kept.write(0, 1)
raise SystemExit(3)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (3, "")
    assert ended.stdout.split()[:3] == ["0", "1", "0"]


# -- counters


def pulses(line: int, count: Any = "rising", pull: Any = "down") -> Channel:
    return Channel(Kind.COUNTER, line, Options(pull=pull, count=count, min_pulse_ms=5))


def test_pulses_are_counted_without_a_sink_and_beside_contacts() -> None:
    chip = FakeChip("/dev/gpiochip0", "pinctrl-rp1")
    api = FakeGpiod([chip])
    now_ns = 0
    device = GpioDevice(
        GpiodFactory(api=api, paths=api.paths),
        [pulses(5), contact(17), pulses(6, "falling", "up")],
        now_ns=lambda: now_ns,
    )
    assert isinstance(device, Counters)
    assert device.totals() == [0, 0]
    for at_ms, line, level in ((10, 5, 1), (40, 5, 0), (50, 6, 0), (51, 6, 1), (52, 6, 0), (80, 5, 1)):
        chip.drive(line, level, at_ms * 1_000_000)
    now_ns = 100 * 1_000_000
    assert device.totals() == [2, 1]
    assert device.totals() == [2, 1]
    edges: list[Edge] = []
    device.start(edges.extend)
    chip.drive(17, 1, 110 * 1_000_000)
    chip.drive(5, 0, 111 * 1_000_000)
    device.pump()
    assert edges == [Edge(0, 110 * 1_000_000, 1)]
    device.close()


def test_a_counter_that_cannot_be_read_is_unknown_and_keeps_its_total() -> None:
    chip = FakeChip("/dev/gpiochip0", "pinctrl-rp1")
    api = FakeGpiod([chip])
    now_ns = 0
    factory = GpiodFactory(api=api, paths=api.paths)
    device = GpioDevice(factory, [pulses(5)], now_ns=lambda: now_ns)
    chip.drive(5, 1, 10_000_000)
    now_ns = 20_000_000
    assert device.totals() == [1]
    chip.unplug()
    assert device.totals() == [None]
    chip.plug_in()
    factory.pin(5)._retry_ns = 0
    assert device.totals() == [1]
    chip.drive(5, 1, 40_000_000)
    now_ns = 50_000_000
    assert device.totals() == [2]
    device.close()


def test_pulses_are_counted_on_mock_pins_too() -> None:
    now_ns = time.monotonic_ns()
    factory = MockFactory()
    device = GpioDevice(factory, [pulses(5)], now_ns=lambda: now_ns)
    factory.pin(5).drive_high()
    now_ns += 10 * SECOND
    assert device.totals() == [1]
    device.close()


# -- opening


def test_a_line_that_is_not_to_be_had_gives_the_others_back() -> None:
    factory = MockFactory()
    with pytest.raises(DeviceFault, match="input 17"):
        GpioDevice(factory, [relay(22), Channel(Kind.DIGITAL_INPUT, 17), contact(17)])
    assert not any(reserved() for references in factory._reservations.values() for reserved in references)


def test_a_pull_the_board_does_not_allow_is_a_fault() -> None:
    with pytest.raises(DeviceFault, match=r"input 2: .*fixed pull"):
        GpioDevice(MockFactory(), [contact(2, "down")])


def test_over_the_own_factory_edges_have_kernel_stamps_and_gaps() -> None:
    chip = FakeChip("/dev/gpiochip0", "pinctrl-rp1", names={"DOOR": 17})
    api = FakeGpiod([chip])
    device = GpioDevice(GpiodFactory(api=api, paths=api.paths), [contact("DOOR"), contact(18), relay(22)])
    edges: list[Edge] = []
    chip.drive(18, 1, 5)  # before the start
    device.start(edges.extend)
    for n in range(1025):
        chip.drive(17, 1 - n % 2, 100 + n)
    chip.drive(18, 0, 150)
    assert select.select(device.filenos(), [], [], 0)[0]
    device.pump()
    assert device.stamps == "kernel"
    assert len(edges) == 1025
    assert edges[0] == Edge(0, 101, 0, gap=1)
    assert Edge(1, 150, 0) in edges
    assert edges == sorted(edges, key=lambda edge: edge.mono_ns)
    device.close()
    assert chip.held == {}


def test_over_the_own_factory_a_vanished_chip_is_unknown_and_commands_are_faults() -> None:
    chip = FakeChip("/dev/gpiochip0", "pinctrl-rp1")
    api = FakeGpiod([chip])
    device = GpioDevice(GpiodFactory(api=api, paths=api.paths), [contact(17), relay(22)])
    device.start(lambda edges: None)
    chip.unplug()
    device.pump()
    assert device.levels() == [None]
    assert device.read_back() == [None]
    with pytest.raises(DeviceFault, match="output 22 cannot be switched"):
        device.pulse(0, 1, 0.1)
    device.safe()
    device.close()


def test_over_the_own_factory_a_pulse_whose_chip_vanished_is_over_when_it_comes_back() -> None:
    now_ns = SECOND
    chip = FakeChip("/dev/gpiochip0", "pinctrl-rp1")
    api = FakeGpiod([chip])
    factory = GpiodFactory(api=api, paths=api.paths)
    device = GpioDevice(factory, [relay(22)], now_ns=lambda: now_ns)
    assert device.pulses is not None
    with device.pulses.lock:
        device.pulse(0, 1, 0.5)
        chip.unplug()
        now_ns += SECOND
        assert device.pulses.run_due()  # seconds to the next attempt
        chip.plug_in()
        factory.pin(22)._retry_ns = 0
        now_ns += SECOND
        assert device.pulses.run_due() is None
        assert chip.held.keys() == {22}
    assert device.read_back() == [0]
    device.close()


def test_opening_without_a_chip_is_a_fault_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glob.glob", lambda pattern: [])
    with pytest.raises(DeviceFault, match=r"no GPIO chip of a Raspberry Pi header.*there are: none"):
        DRIVER.open(Config(), CONTACTS, Context("field"))


# -- checking


def test_the_driver_is_found_by_its_name() -> None:
    assert driver("gpio") is DRIVER


def test_a_sensible_use_has_no_mistakes() -> None:
    assert DRIVER.check(Config(), [*CONTACTS, *RELAYS, contact("DI3")]) == []
    assert DRIVER.check(Config(chip="mcp23017"), [contact(0), contact(200)]) == []


@pytest.mark.parametrize(
    ("channels", "mistake"),
    [
        ([Channel(Kind.ANALOG_INPUT, 17, user="line.current")], "line.current: a GPIO line cannot be a"),
        ([contact(28)], "line 28 is not on the header"),
        ([contact(0)], "line 0 is not on the header"),
        ([contact(17), relay(17)], "line 17 is already used by line 17"),
        ([Channel(Kind.DIGITAL_OUTPUT, 22, Options(pull="up"))], "`pull` is for inputs"),
        ([contact(3, "down")], "is pulled up by the board"),
        ([contact("")], "the line has no name"),
        ([contact("17")], "line '17' is a number: write it without quotes"),
        ([Channel(Kind.DIGITAL_INPUT, 17, Options(count="falling"))], "are for counters"),
    ],
)
def test_a_mistake_is_one_line(channels: list[Channel], mistake: str) -> None:
    (found,) = DRIVER.check(Config(), channels)
    assert mistake in found


def test_a_line_of_a_named_chip_must_be_possible() -> None:
    (found,) = DRIVER.check(Config(chip="mcp23017"), [contact(4000)])
    assert "out of range" in found
