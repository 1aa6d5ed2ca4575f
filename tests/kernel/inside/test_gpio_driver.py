"""The `gpio` driver on the kernel's own GPIO character device."""

import asyncio
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from subprocess import PIPE

import gpiod
import pytest
from simhw import LineRecorder, SimChip

from hw.gpio import DRIVER, Config
from hw.gpio_device import GpioDevice, Options
from hw.interface import Channel, Context, DeviceFault, Edge, Kind

PATIENCE_S = 10.0


def contact(line: int | str, pull: str = "down") -> Channel:
    return Channel(Kind.DIGITAL_INPUT, line, Options(pull=pull))  # type: ignore[arg-type]


def relay(line: int, safe: int = 0) -> Channel:
    return Channel(Kind.DIGITAL_OUTPUT, line, Options(), safe)


def opened(chip: SimChip, *channels: Channel, log: Callable[[str], None] = print) -> GpioDevice:
    return DRIVER.open(Config(chip=chip.label), channels, Context("field", log))


def pump_until(device: GpioDevice, edges: list[Edge], count: int) -> None:
    while len(edges) < count:
        assert select.select(device.filenos(), [], [], PATIENCE_S)[0], f"{len(edges)} of {count} edges"
        device.pump()


def test_the_driver_reports_every_edge_with_the_time_it_happened(chip: SimChip) -> None:
    device = opened(chip, contact(3))
    edges: list[Edge] = []
    device.start(edges.extend)
    pulls = []
    for n in range(200):
        before = time.monotonic_ns()
        chip.pull(3, 1 - n % 2)
        pulls.append((before, time.monotonic_ns()))
    pump_until(device, edges, 200)
    device.close()
    assert [edge.level for edge in edges] == [1, 0] * 100
    assert {(edge.channel, edge.gap) for edge in edges} == {(0, 0)}
    for edge, (before, after) in zip(edges, pulls, strict=True):
        assert before <= edge.mono_ns <= after


def test_edges_of_several_lines_come_in_the_order_they_happened(chip: SimChip) -> None:
    device = opened(chip, contact(3), contact(4), contact(5))
    edges: list[Edge] = []
    device.start(edges.extend)
    for line in (4, 3, 5, 3, 4):
        chip.pull(line, 1 - chip.value(line))
    pump_until(device, edges, 5)
    device.close()
    assert [edge.channel for edge in edges] == [1, 0, 2, 0, 1]


def test_edges_the_kernel_dropped_are_a_gap_and_cost_the_other_line_nothing(chip: SimChip) -> None:
    device = opened(chip, contact(3), contact(4))
    edges: list[Edge] = []
    device.start(edges.extend)
    chip.pull(4, 1)
    for n in range(1500):
        chip.pull(3, 1 - n % 2)
    while select.select(device.filenos(), [], [], 0.2)[0]:
        device.pump()
    device.close()
    quiet = [edge for edge in edges if edge.channel == 1]
    loud = [edge for edge in edges if edge.channel == 0]
    assert [(edge.level, edge.gap) for edge in quiet] == [(1, 0)]
    assert len(loud) < 1500
    assert len(loud) + sum(edge.gap for edge in loud) == 1500


def test_edges_wake_an_event_loop(chip: SimChip) -> None:
    async def scene() -> Sequence[Edge]:
        device = opened(chip, contact(3))
        loop = asyncio.get_running_loop()
        delivered: asyncio.Future[Sequence[Edge]] = loop.create_future()
        device.start(delivered.set_result)
        (descriptor,) = device.filenos()
        loop.add_reader(descriptor, device.pump)
        chip.pull(3, 1)
        edges = await asyncio.wait_for(delivered, PATIENCE_S)
        loop.remove_reader(descriptor)
        device.close()
        return edges

    (edge,) = asyncio.run(scene())
    assert edge.level == 1


def test_levels_follow_the_field_and_the_pull(chip: SimChip) -> None:
    device = opened(chip, contact(3, "down"), contact(4, "up"))
    assert device.levels() == [0, 1]
    chip.pull(3, 1)
    assert device.levels() == [1, 1]
    device.close()


def test_a_line_is_found_by_its_name() -> None:
    with SimChip(lines=8, label="bay", names={5: "Q0-OPEN"}) as chip:
        device = opened(chip, contact("Q0-OPEN"))
        chip.pull(5, 1)
        assert device.levels() == [1]
        device.close()


def test_a_line_another_program_holds_is_a_fault_that_names_it(chip: SimChip) -> None:
    with gpiod.request_lines(chip.path, config={3: None}, consumer="gpiomon"):
        with pytest.raises(DeviceFault, match="is used by 'gpiomon'"):
            opened(chip, relay(20), contact(3))
        with gpiod.Chip(chip.path) as held:
            assert not held.get_line_info(20).used  # what was opened already is given back


def test_an_active_low_relay_never_sees_a_low_level(chip: SimChip) -> None:
    with LineRecorder(chip, 20) as recorder:
        device = opened(chip, relay(20, safe=1))
        assert device.read_back() == [1]
        assert [level for _, level in recorder.changes] == [1]
        device.close()


def test_a_relay_is_safe_before_the_line_is_given_back(chip: SimChip) -> None:
    chip.pull(20, 0)
    with LineRecorder(chip, 20) as recorder:
        device = opened(chip, relay(20))
        device.pulse(0, 1, 30)
        device.close()
        assert [level for _, level in recorder.changes] == [1, 0]


def test_a_relay_falls_when_its_program_is_killed_in_the_middle_of_a_pulse(chip: SimChip) -> None:
    program = f"""
from hw.gpio import DRIVER, Config
from hw.interface import Channel, Context, Kind
device = DRIVER.open(Config(chip={chip.label!r}), [Channel(Kind.DIGITAL_OUTPUT, 20)], Context("field"))
device.pulse(0, 1, 60)
print("energised", flush=True)
input()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdin=PIPE, stdout=PIPE, text=True) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "energised\n"
        assert chip.value(20) == 1
        victim.kill()
    assert chip.value(20) == 0
    device = opened(chip, relay(20))  # and the next one starts at rest
    assert device.read_back() == [0]
    device.close()


def test_the_kernel_knows_who_holds_the_line(chip: SimChip) -> None:
    device = opened(chip, contact(3))
    with gpiod.Chip(chip.path) as held:
        assert held.get_line_info(3).consumer == "outstation"
    device.close()


def test_a_chip_that_is_unplugged_is_unknown_and_does_not_spin() -> None:
    log: list[str] = []
    chip = SimChip(lines=32, label="usb-gpio")
    device = opened(chip, contact(3), relay(20), log=log.append)
    device.start(lambda edges: None)
    chip.close()
    while select.select(device.filenos(), [], [], 0.2)[0]:
        device.pump()  # once per line at most, then silence
    assert device.levels() == [None]
    assert device.read_back() == [None]
    with pytest.raises(DeviceFault):
        device.pulse(0, 1, 0.1)
    device.close()
    assert [line.split(" is ")[1] for line in log] == ["gone: its lines are unknown until it comes back"]
