"""L. Events and quality: what is told of a value, and in which order."""

from __future__ import annotations

from itertools import pairwise

import pytest

from rtu.iec104.asdu import ASDU, InformationObject
from rtu.points.model import BL, OV, SB
from tests.conformance.wire import Wire, asdus
from tests.station.conftest import Rig


def objects(wire: Wire) -> list[InformationObject]:
    """Everything told under common address 1 since the last call, acknowledged."""
    frames = wire.hear()
    wire.acknowledge()
    return [one for octets in asdus(frames) if octets[4] == 1 for one in ASDU.decode(octets).objects]


def test_l03_what_happens_10_ms_apart_is_told_in_the_order_of_its_times(started: Wire) -> None:
    rig = started.rig
    for name, value in (("tap", 1), ("q0.position", 2), ("tap", 2), ("q0.position", 1)):
        rig.set(name, value)
        rig.clock.advance(0.01)
    told = objects(started)
    assert [one.ioa for one in told] == [300, 200, 300, 200]
    times = [one.elements[-1].to_ns() for one in told]
    assert [(later - first) // 1_000_000 for first, later in pairwise(times)] == [10] * 3


@pytest.mark.parametrize(
    ("name", "value", "ioa", "raw"),
    [("tap", 100, 300, 63), ("tap", -100, 300, -64), ("current", 1e6, 710, 32767)],
)
def test_l08_what_does_not_fit_is_told_as_far_as_it_does_with_ov(
    started: Wire, name: str, value: float, ioa: int, raw: int
) -> None:
    started.rig.set(name, value)
    (told,) = [one for one in objects(started) if one.ioa == ioa]
    element, quality, _ = told.elements
    assert (element.value, quality.quality) == (raw, OV)


@pytest.mark.parametrize("quality", [SB, BL, SB | BL])
def test_l09_a_value_that_is_substituted_or_blocked_is_told_as_such(started: Wire, quality: int) -> None:
    started.rig.set("door", 0, quality)
    started.rig.set("tap", 5, quality)
    door, *_, tap = [one for one in objects(started) if one.ioa in (100, 300)]
    assert door.elements[0].quality == tap.elements[1].quality == quality


def test_l05_l06_a_lost_sensor_keeps_its_last_value(started: Wire) -> None:
    rig: Rig = started.rig
    for quality in (0, 0x40, 0xC0, 0):
        rig.set("tap", 7, quality)
    told = [(one.elements[0].value, one.elements[1].quality) for one in objects(started)]
    assert told == [(7, 0), (7, 0x40), (7, 0xC0), (7, 0)]
