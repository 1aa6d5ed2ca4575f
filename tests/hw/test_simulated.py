"""The simulated bay, in virtual time: a story per test."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator

import pytest

from hw.bay import CHARGING_NS, COILS, CONTACTS, COUNTERS, MEASUREMENTS, MS, SECOND, SETPOINTS
from hw.interface import (
    AnalogInputs,
    AnalogOutputs,
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
from hw.simulated import DRIVER, Config, SimulatedDevice

PATIENCE_S = 10.0
EVERYTHING = [
    *(Channel(Kind.DIGITAL_INPUT, name) for name in CONTACTS),
    *(Channel(Kind.ANALOG_INPUT, name) for name in MEASUREMENTS),
    *(Channel(Kind.COUNTER, name) for name in COUNTERS),
    *(Channel(Kind.DIGITAL_OUTPUT, name) for name in COILS),
    *(Channel(Kind.ANALOG_OUTPUT, name) for name in SETPOINTS),
]


class Story:
    """A bay whose time passes when told; edges are kept as (ms since the beginning, contact, level)."""

    def __init__(self, *, seed: int = 1, events: bool = False) -> None:
        self.now_ns = self.begin_ns = 5 * SECOND
        self.device = SimulatedDevice(
            Config(seed=seed, events=events), EVERYTHING, Context("bay"), now_ns=lambda: self.now_ns
        )
        self.edges: list[tuple[float, str, int]] = []
        self.device.start(self._take)

    def _take(self, edges: object) -> None:
        names = list(CONTACTS)
        for edge in edges:  # type: ignore[attr-defined]
            assert isinstance(edge, Edge)
            self.edges.append(((edge.mono_ns - self.begin_ns) / MS, names[edge.channel], edge.level))

    def after(self, seconds: float) -> None:
        self.now_ns += round(seconds * SECOND)
        self.device.pump()

    def pulse(self, coil: str, seconds: float = 0.5) -> None:
        self.device.pulse(COILS.index(coil), 1, seconds)

    def contact(self, name: str) -> int | None:
        return dict(zip(CONTACTS, self.device.levels(), strict=True))[name]

    def value(self, name: str) -> float:
        samples = self.device.scan()
        return dict(zip(MEASUREMENTS, samples, strict=True))[name].value

    def opened(self) -> None:
        self.pulse("q0.trip")
        self.after(10)
        assert (self.contact("q0.open"), self.contact("q0.closed")) == (1, 0)
        self.edges.clear()


@pytest.fixture
def story() -> Iterator[Story]:
    made = Story()
    yield made
    made.device.close()


def test_the_device_is_everything_at_once(story: Story) -> None:
    for protocol in (Device, DigitalInputs, AnalogInputs, Counters, DigitalOutputs, AnalogOutputs):
        assert isinstance(story.device, protocol)
    assert story.device.bus == ""
    assert story.device.self_timed


def test_a_tripped_breaker_is_between_its_positions_for_a_while(story: Story) -> None:
    story.pulse("q0.trip")
    story.after(10)
    (left, first, first_level), (arrived, second, second_level) = story.edges
    assert (first, first_level, second, second_level) == ("q0.closed", 0, "q0.open", 1)
    assert left == 20.0
    assert 50 <= arrived - left <= 80


def test_a_closing_breaker_uses_up_its_spring_and_charges_it_again(story: Story) -> None:
    story.opened()
    story.pulse("q0.close")
    story.after(10)
    assert [(name, level) for _, name, level in story.edges] == [
        ("q0.open", 0), ("q0.closed", 1), ("spring", 0), ("spring", 1),
    ]  # fmt: skip
    assert story.edges[3][0] - story.edges[2][0] == CHARGING_NS / MS


def test_a_breaker_with_a_discharged_spring_opens_but_does_not_close(story: Story) -> None:
    story.opened()
    story.pulse("q0.close", 0.2)
    story.after(0.5)
    assert story.contact("spring") == 0
    story.pulse("q0.trip", 0.2)
    story.after(0.5)
    assert story.contact("q0.open") == 1
    story.pulse("q0.close", 0.2)
    story.after(0.5)
    assert story.contact("q0.open") == 1


def test_a_breaker_tripped_while_closing_opens_at_once(story: Story) -> None:
    story.opened()
    story.pulse("q0.close", 1.0)
    story.after(0.03)
    story.pulse("q0.trip", 1.0)
    story.after(0.5)
    assert [(name, level) for _, name, level in story.edges if name.startswith("q0")] == [
        ("q0.open", 0), ("q0.closed", 1), ("q0.closed", 0), ("q0.open", 1),
    ]  # fmt: skip
    story.after(10)  # the closing coil was energised longer: it does not pump
    assert story.contact("q0.open") == 1


def test_a_pulse_too_short_moves_nothing(story: Story) -> None:
    story.pulse("q0.trip", 0.015)
    story.after(10)
    assert story.edges == []


def test_in_local_control_the_coils_have_no_supply(story: Story) -> None:
    story.device.bay.turn("remote", 0)
    story.pulse("q0.trip")
    story.after(10)
    assert [(name, level) for _, name, level in story.edges] == [("remote", 0)]


def test_the_earthing_switch_takes_seconds_and_only_with_the_breaker_open(story: Story) -> None:
    story.pulse("q8.close")
    story.after(10)
    assert story.contact("q8.open") == 1
    story.opened()
    story.pulse("q8.close")
    story.after(2)
    assert (story.contact("q8.open"), story.contact("q8.closed")) == (0, 0)
    story.after(2)
    assert story.contact("q8.closed") == 1
    story.pulse("q8.open")
    story.after(4)
    assert story.contact("q8.open") == 1


def test_an_open_breaker_carries_no_current_and_a_closed_one_does(story: Story) -> None:
    story.after(1)
    assert 50 < story.value("i.l1") < 300
    assert story.value("p") > 0
    story.opened()
    assert (story.value("i.l1"), story.value("p"), story.value("q")) == (0, 0, 0)
    assert story.value("u.l1") == pytest.approx(11.5, rel=0.05)
    assert story.value("f") == pytest.approx(50.0, abs=0.2)


def test_measurements_move(story: Story) -> None:
    seen = set()
    for _ in range(10):
        story.after(1)
        seen.add((story.value("i.l1"), story.value("u.l1"), story.value("f")))
    assert len(seen) == 10


def test_the_tap_changer_steps_once_per_pulse_and_changes_the_voltage(story: Story) -> None:
    before = story.value("u.l1")
    story.pulse("tap.raise")
    story.after(0.5)
    assert story.value("tap") == 0  # on its way
    story.after(1)
    assert story.value("tap") == 1
    assert story.value("u.l1") > before
    for _ in range(12):
        story.pulse("tap.lower")
        story.after(2)
    assert story.value("tap") == -8  # its end


def test_the_load_follows_its_set_point_slowly(story: Story) -> None:
    story.device.set(0, 8.0)
    assert story.value("p.setpoint.echo") == 8.0
    story.after(1)
    assert story.value("p") < 5
    story.after(120)
    assert story.value("p") == pytest.approx(8.0, abs=0.5)


@pytest.mark.parametrize("value", [-0.1, 10.1, float("nan"), float("inf")])
def test_a_set_point_out_of_range_is_refused_and_changes_nothing(story: Story, value: float) -> None:
    with pytest.raises(DeviceFault, match=r"setpoint.p takes 0..10 MW"):
        story.device.set(0, value)
    assert story.value("p.setpoint.echo") == 4.0


def test_energy_is_counted_by_the_power_and_not_with_the_breaker_open(story: Story) -> None:
    story.after(3600)
    (hour,) = story.device.totals()
    assert hour == pytest.approx(4000, rel=0.05)
    story.opened()
    (before,) = story.device.totals()
    story.after(3600)
    assert story.device.totals() == [before]


def test_a_latched_output_is_followed_by_its_contact(story: Story) -> None:
    story.device.write(COILS.index("light"), 1)
    story.after(1)
    story.device.write(COILS.index("light"), 0)
    story.after(1)
    assert story.edges == [(30.0, "light", 1), (1030.0, "light", 0)]


def test_the_door_opens_now_and_then_and_its_contact_bounces() -> None:
    story = Story(events=True)
    story.after(61)
    door = [(at, level) for at, name, level in story.edges if name == "door"]
    assert [level for _, level in door[:3]] == [1, 0, 1]
    assert door[2][0] - door[0][0] == 2.0
    story.after(1000)
    assert {name for _, name, _ in story.edges} == {"door", "buchholz"}
    story.device.close()


def test_one_seed_tells_one_story_however_often_somebody_looks() -> None:
    hasty, patient, other = Story(events=True), Story(events=True), Story(seed=2, events=True)
    for _ in range(1000):
        hasty.after(0.3)
    patient.after(300)
    other.after(300)
    assert hasty.edges == patient.edges
    assert hasty.device.scan() == patient.device.scan()
    assert other.edges != patient.edges
    for each in (hasty, patient, other):
        each.device.close()


# -- the device around the bay


def test_read_back_shows_a_pulse_and_its_end(story: Story) -> None:
    trip = COILS.index("q0.trip")
    assert not any(story.device.read_back())
    story.pulse("q0.trip", 0.5)
    assert story.device.read_back()[trip] == 1
    with pytest.raises(DeviceFault, match="in the middle of a pulse"):
        story.pulse("q0.trip", 0.5)
    with pytest.raises(DeviceFault, match="in the middle of a pulse"):
        story.device.write(trip, 1)
    story.now_ns += SECOND // 2
    assert not any(story.device.read_back())
    story.pulse("q0.trip", 0.5)


def test_the_safe_level_ends_a_pulse(story: Story) -> None:
    trip = COILS.index("q0.trip")
    story.pulse("q0.trip", 5)
    story.device.write(trip, 0)
    story.pulse("q0.trip", 5)
    story.device.safe()
    assert not any(story.device.read_back())


def test_an_active_low_coil_rests_high() -> None:
    channels = [Channel(Kind.DIGITAL_OUTPUT, "q0.trip", safe=1)]
    device = SimulatedDevice(Config(), channels, Context("bay"))
    assert device.read_back() == [1]
    device.pulse(0, 0, 10)
    assert device.read_back() == [0]
    with pytest.raises(DeviceFault, match="cannot pulse to level 1"):
        device.pulse(0, 1, 1)
    device.close()


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), 61])
def test_a_pulse_without_a_sensible_end_is_refused(story: Story, seconds: float) -> None:
    with pytest.raises(DeviceFault, match="cannot pulse"):
        story.pulse("q0.trip", seconds)


def test_a_closed_device_refuses(story: Story) -> None:
    story.pulse("q0.trip", 5)
    story.device.close()
    story.device.close()
    assert not any(story.device.read_back())
    assert story.device.filenos() == ()
    story.device.pump()
    with pytest.raises(DeviceFault, match="is closed"):
        story.pulse("q0.trip")


def test_edges_wake_the_loop_by_themselves() -> None:
    """In real time: the descriptor becomes readable although nobody asks the device anything."""
    device = SimulatedDevice(Config(events=False), EVERYTHING, Context("bay"))
    edges: list[Edge] = []
    device.start(edges.extend)
    before = time.monotonic_ns()
    device.pulse(COILS.index("q0.trip"), 1, 0.1)
    while len(edges) < 2:
        assert select.select(device.filenos(), [], [], PATIENCE_S)[0]
        device.pump()
    assert [edge.level for edge in edges] == [0, 1]
    assert before + 20 * MS <= edges[0].mono_ns < edges[1].mono_ns <= time.monotonic_ns()
    device.close()


# -- checking


def test_the_driver_is_found_by_its_name() -> None:
    assert driver("simulated") is DRIVER


def test_everything_it_offers_may_be_used_at_once() -> None:
    assert DRIVER.check(Config(), EVERYTHING) == []


def test_a_wrong_name_is_answered_with_a_suggestion_and_the_list() -> None:
    (mistake,) = DRIVER.check(Config(), [Channel(Kind.DIGITAL_INPUT, "q0.close", user="q0.position")])
    assert mistake.startswith(
        "q0.position: no digital input 'q0.close'; did you mean 'q0.closed'? there are: "
    )
    assert "buchholz" in mistake


def test_a_channel_cannot_be_used_twice() -> None:
    twice = [Channel(Kind.ANALOG_INPUT, "p", user="power"), Channel(Kind.ANALOG_INPUT, "p", user="again")]
    assert DRIVER.check(Config(), twice) == ["again: p is already used by power"]
