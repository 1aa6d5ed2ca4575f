"""The pin factory on libgpiod, against a gpiod module without a kernel."""

from __future__ import annotations

import select
from collections.abc import Iterator

import gpiod
import gpiozero
import pytest
from gpiod.line import Bias, Clock, Direction, Edge

from hw.gpiod_factory import EVENT_BUFFER, PASSES, RETRY_NS, GpiodFactory, GpiodPin
from hw.interface import DeviceFault
from tests.hw.fake_gpiod import FakeChip, FakeGpiod

HEADER = "pinctrl-bcm2711"


class Recorder:
    """Keeps what one pin reports."""

    def __init__(self, pin: GpiodPin, story: list[tuple[str, int, int, int]], name: str = "") -> None:
        self.pin, self.story, self.name = pin, story, name
        pin.when_changed = self.on_edge

    def on_edge(self, stamp: int, level: int) -> None:
        self.story.append((self.name, stamp, level, self.pin.gap))


@pytest.fixture
def chip() -> FakeChip:
    return FakeChip("/dev/gpiochip0", HEADER, names={"SDA1": 2, "DOOR": 17})


@pytest.fixture
def lines(chip: FakeChip) -> list[str]:
    return []


@pytest.fixture
def factory(chip: FakeChip, lines: list[str]) -> Iterator[GpiodFactory]:
    api = FakeGpiod([FakeChip("/dev/gpiochip1", "raspberrypi-exp-gpio"), chip])
    with GpiodFactory(api=api, paths=api.paths, log=lines.append) as made:
        yield made


def readable(factory: GpiodFactory) -> bool:
    (descriptor,) = factory.filenos()
    return bool(select.select([descriptor], [], [], 0)[0])


# -- finding chips and lines


def test_the_chip_of_the_header_is_found_by_its_label(factory: GpiodFactory) -> None:
    assert factory.path == "/dev/gpiochip0"
    assert factory.title == "gpiochip0 [pinctrl-bcm2711]"


@pytest.mark.parametrize("name", ["raspberrypi-exp-gpio", "gpiochip1", "/dev/gpiochip1"])
def test_another_chip_is_found_by_label_name_or_path(chip: FakeChip, name: str) -> None:
    api = FakeGpiod([FakeChip("/dev/gpiochip1", "raspberrypi-exp-gpio"), chip])
    with GpiodFactory(name, api=api, paths=api.paths) as factory:
        assert factory.path == "/dev/gpiochip1"


def test_a_chip_that_is_not_there_is_a_fault_that_says_what_is(chip: FakeChip) -> None:
    api = FakeGpiod([chip])
    with pytest.raises(
        DeviceFault, match=r"no GPIO chip 'mcp23017'; there are: gpiochip0 \[pinctrl-bcm2711\]"
    ):
        GpiodFactory("mcp23017", api=api, paths=api.paths)


def test_a_label_two_chips_have_is_a_fault() -> None:
    api = FakeGpiod([FakeChip("/dev/gpiochip0", "ftdi"), FakeChip("/dev/gpiochip1", "ftdi")])
    with pytest.raises(DeviceFault, match="not unique"):
        GpiodFactory("ftdi", api=api, paths=api.paths)


def test_a_line_is_the_same_pin_by_name_and_by_offset(factory: GpiodFactory) -> None:
    assert factory.pin("DOOR") is factory.pin(17)


def test_a_line_in_use_by_another_device_is_refused_under_either_name(factory: GpiodFactory) -> None:
    first = gpiozero.InputDevice(17, pull_up=True, pin_factory=factory)
    with pytest.raises(gpiozero.GPIOPinInUse):
        gpiozero.InputDevice("DOOR", pull_up=True, pin_factory=factory)
    first.close()
    gpiozero.InputDevice("DOOR", pull_up=True, pin_factory=factory).close()


def test_a_line_in_use_by_another_program_is_a_fault_that_names_it(
    factory: GpiodFactory, chip: FakeChip
) -> None:
    chip.foreign[17] = "gpiomon"
    with pytest.raises(DeviceFault, match=r"line 17 of gpiochip0 .* is used by 'gpiomon'"):
        gpiozero.InputDevice(17, pull_up=True, pin_factory=factory)


@pytest.mark.parametrize(
    ("line", "says"), [(32, "has lines 0..31"), (-1, "has lines"), ("WINDOW", "no line named")]
)
def test_a_line_that_is_not_there_is_a_fault(factory: GpiodFactory, line: int | str, says: str) -> None:
    with pytest.raises(DeviceFault, match=says):
        factory.pin(line)


# -- one request, no glitch


def test_an_active_low_output_never_sees_a_low_level(factory: GpiodFactory, chip: FakeChip) -> None:
    relay = gpiozero.OutputDevice(22, initial_value=True, pin_factory=factory)
    (request,) = chip.requests
    assert request.settings.direction is Direction.OUTPUT
    assert chip.history[22] == [1]
    relay.close()


def test_an_input_is_requested_once_with_pull_edges_and_a_deep_buffer(
    factory: GpiodFactory, chip: FakeChip
) -> None:
    contact = gpiozero.InputDevice(17, pull_up=True, pin_factory=factory)
    Recorder(contact.pin, [])
    assert contact.pin.state == 1
    (request,) = chip.requests
    assert request.settings.edge_detection is Edge.BOTH
    assert request.settings.event_clock is Clock.MONOTONIC
    assert request.settings.bias is Bias.PULL_UP
    assert request.buffer_size == EVENT_BUFFER == 1024
    contact.close()
    assert request.released


def test_an_input_without_pull_has_its_resistors_off(factory: GpiodFactory, chip: FakeChip) -> None:
    contact = gpiozero.InputDevice(17, pull_up=None, active_state=True, pin_factory=factory)
    assert chip.requests[0].settings.bias is Bias.DISABLED
    contact.close()


def test_a_pin_cannot_become_an_output_without_a_first_level(factory: GpiodFactory) -> None:
    with pytest.raises(gpiozero.PinInvalidFunction, match="first level"):
        gpiozero.OutputDevice(22, initial_value=None, pin_factory=factory)


def test_an_input_cannot_be_driven(factory: GpiodFactory) -> None:
    contact = gpiozero.InputDevice(17, pull_up=True, pin_factory=factory)
    with pytest.raises(gpiozero.PinSetInput):
        contact.pin.state = 1
    contact.close()


def test_debouncing_in_the_kernel_is_refused_because_it_moves_the_stamps(factory: GpiodFactory) -> None:
    with pytest.raises(gpiozero.PinInvalidBounce):
        factory.pin(17).bounce = 0.01


# -- edges


def test_an_edge_carries_the_stamp_of_the_kernel(factory: GpiodFactory, chip: FakeChip) -> None:
    contact = gpiozero.InputDevice(17, pull_up=False, pin_factory=factory)
    story: list[tuple[str, int, int, int]] = []
    recorder = Recorder(contact.pin, story, "door")
    assert not readable(factory)
    chip.drive(17, 1, 1_000_000_001)
    assert readable(factory)
    factory.pump()
    assert story == [("door", 1_000_000_001, 1, 0)]
    assert not readable(factory)
    assert recorder.pin.lost == 0
    contact.close()


def test_edges_of_one_wake_up_come_in_the_order_they_happened(factory: GpiodFactory, chip: FakeChip) -> None:
    contacts = [gpiozero.InputDevice(line, pull_up=False, pin_factory=factory) for line in (4, 5, 6)]
    story: list[tuple[str, int, int, int]] = []
    recorders = [Recorder(contact.pin, story, str(n)) for n, contact in enumerate(contacts)]
    for stamp, line in ((10, 6), (20, 4), (30, 5), (40, 6), (50, 5)):
        chip.drive(line, 1 - chip.levels.get(line, 0), stamp)
    factory.pump()
    assert [(name, stamp) for name, stamp, _, _ in story] == [
        ("2", 10), ("0", 20), ("1", 30), ("2", 40), ("1", 50),
    ]  # fmt: skip
    assert len(recorders) == 3


def test_edges_that_come_while_others_are_read_are_put_between_them(
    factory: GpiodFactory, chip: FakeChip, monkeypatch: pytest.MonkeyPatch
) -> None:
    contacts = [gpiozero.InputDevice(line, pull_up=False, pin_factory=factory) for line in (4, 5)]
    story: list[tuple[str, int, int, int]] = []
    recorders = [Recorder(contact.pin, story, str(n)) for n, contact in enumerate(contacts)]
    chip.drive(4, 1, 10)
    read = chip.held[4].read_edge_events

    def read_and_move_on() -> list[gpiod.EdgeEvent]:
        events = read()
        if len(events) == 1 and events[0].timestamp_ns == 10:
            chip.drive(4, 0, 20)
            chip.drive(5, 0, 40)
        return events

    monkeypatch.setattr(chip.held[4], "read_edge_events", read_and_move_on)
    chip.drive(5, 1, 30)
    factory.pump()
    assert [(name, stamp) for name, stamp, _, _ in story] == [("0", 10), ("0", 20), ("1", 30), ("1", 40)]
    assert len(recorders) == 2


def test_a_contact_that_never_rests_does_not_hold_up_the_program(
    factory: GpiodFactory, chip: FakeChip, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = gpiozero.InputDevice(4, pull_up=False, pin_factory=factory)
    story: list[tuple[str, int, int, int]] = []
    recorder = Recorder(contact.pin, story)
    read = chip.held[4].read_edge_events

    def read_and_chatter() -> list[gpiod.EdgeEvent]:
        events = read()
        chip.drive(4, 1 - chip.levels[4], events[-1].timestamp_ns + 10)
        return events

    monkeypatch.setattr(chip.held[4], "read_edge_events", read_and_chatter)
    chip.drive(4, 1, 10)
    factory.pump()
    assert len(story) == PASSES
    assert readable(factory)
    assert recorder.pin.lost == 0


def test_edges_the_kernel_dropped_are_counted_before_the_next_one(
    factory: GpiodFactory, chip: FakeChip
) -> None:
    contact = gpiozero.InputDevice(17, pull_up=False, pin_factory=factory)
    story: list[tuple[str, int, int, int]] = []
    recorder = Recorder(contact.pin, story)
    for n in range(EVENT_BUFFER + 50):
        chip.drive(17, 1 - n % 2, n)
    factory.pump()
    assert len(story) == EVENT_BUFFER
    assert story[0] == ("", 50, 1, 50)
    assert {gap for _, _, _, gap in story[1:]} == {0}
    assert recorder.pin.lost == 50


def test_a_chattering_contact_costs_the_others_nothing(factory: GpiodFactory, chip: FakeChip) -> None:
    loud, quiet = (gpiozero.InputDevice(line, pull_up=False, pin_factory=factory) for line in (4, 5))
    story: list[tuple[str, int, int, int]] = []
    recorders = Recorder(loud.pin, [], "loud"), Recorder(quiet.pin, story, "quiet")
    chip.drive(5, 1, 7)
    for n in range(5000):
        chip.drive(4, 1 - n % 2, 10 + n)
    factory.pump()
    assert story == [("quiet", 7, 1, 0)]
    assert recorders[0].pin.lost == 5000 - EVENT_BUFFER


def test_a_handler_that_raises_costs_no_other_edge(
    factory: GpiodFactory, chip: FakeChip, lines: list[str]
) -> None:
    bad, good = (gpiozero.InputDevice(line, pull_up=False, pin_factory=factory) for line in (4, 5))
    story: list[tuple[str, int, int, int]] = []
    recorder = Recorder(good.pin, story, "good")

    def broken(stamp: int, level: int) -> None:
        raise RuntimeError("not today")

    bad.pin.when_changed = broken
    chip.drive(4, 1, 1)
    chip.drive(5, 1, 2)
    factory.pump()
    assert story == [("good", 2, 1, 0)]
    assert "line 4: handler failed" in lines[0]
    assert recorder.pin.lost == 0


def test_only_the_wanted_edges_are_reported_and_the_others_are_no_gap(
    factory: GpiodFactory, chip: FakeChip
) -> None:
    contact = gpiozero.InputDevice(17, pull_up=False, pin_factory=factory)
    story: list[tuple[str, int, int, int]] = []
    recorder = Recorder(contact.pin, story)
    recorder.pin.edges = "rising"
    for stamp, level in ((1, 1), (2, 0), (3, 1)):
        chip.drive(17, level, stamp)
    factory.pump()
    assert story == [("", 1, 1, 0), ("", 3, 1, 0)]


def test_ticks_are_nanoseconds_and_differences_seconds(factory: GpiodFactory) -> None:
    assert isinstance(factory.ticks(), int)
    assert factory.ticks_diff(3_500_000_000, 1_000_000_000) == 2.5


# -- a chip that goes away


def test_a_chip_that_goes_away_is_dropped_and_does_not_spin(
    factory: GpiodFactory, chip: FakeChip, lines: list[str]
) -> None:
    contacts = [gpiozero.InputDevice(line, pull_up=False, pin_factory=factory) for line in (4, 5)]
    chip.unplug()
    assert readable(factory)
    factory.pump()
    assert not readable(factory)
    for contact in contacts:
        with pytest.raises(OSError, match="chip is gone"):
            _ = contact.pin.state
    assert lines == [f"gpiochip0 [{HEADER}] is gone: its lines are unknown until it comes back"]


def test_a_chip_that_comes_back_is_read_and_heard_again(
    factory: GpiodFactory, chip: FakeChip, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = gpiozero.InputDevice(17, pull_up=False, pin_factory=factory)
    story: list[tuple[str, int, int, int]] = []
    recorder = Recorder(contact.pin, story)
    chip.drive(17, 1, 5)
    factory.pump()
    chip.unplug()
    factory.pump()
    chip.plug_in()
    with pytest.raises(OSError, match="chip is gone"):  # not asked for again at once
        _ = contact.pin.state
    now = factory.ticks() + RETRY_NS
    monkeypatch.setattr(factory, "ticks", lambda: now)
    assert contact.pin.state == 0
    chip.drive(17, 1, 9)
    factory.pump()
    assert story == [("", 5, 1, 0), ("", 9, 1, 0)]
    assert recorder.pin.lost == 0
    assert lines[-1] == f"gpiochip0 [{HEADER}] is back"


def test_an_output_that_comes_back_comes_back_at_its_first_level(
    factory: GpiodFactory, chip: FakeChip, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = gpiozero.OutputDevice(22, initial_value=True, pin_factory=factory)
    relay.pin.state = 0
    chip.unplug()
    with pytest.raises(OSError, match="No such device"):
        relay.pin.state = 0
    with pytest.raises(OSError, match="chip is gone"):
        relay.pin.state = 0
    chip.plug_in()
    now = factory.ticks() + RETRY_NS
    monkeypatch.setattr(factory, "ticks", lambda: now)
    assert relay.pin.state == 1
    assert chip.history[22] == [1, 0, 1]


def test_a_closed_factory_has_nothing_to_wait_for_and_holds_no_line(chip: FakeChip) -> None:
    api = FakeGpiod([chip])
    factory = GpiodFactory(api=api, paths=api.paths)
    contact = gpiozero.InputDevice(17, pull_up=True, pin_factory=factory)
    factory.close()
    factory.pump()
    contact.close()
    assert factory.filenos() == ()
    assert chip.held == {}
