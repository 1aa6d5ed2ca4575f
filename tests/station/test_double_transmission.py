"""Double transmission: one change told without its time and with it (checklist L07)."""

from __future__ import annotations

import pytest

from rtu.iec104.elements import BSI, DIQ, NVA, QDS, QOI, R32, SCO, SIQ, SVA, VTI

STATION = """
format = 1
[station]
name = "Feeder 12"
common_address = 1
[device.field]
driver = "recorded"
config = {}
[[point]]
name = "door"
type = "single"
address = [ { ioa = 100, time_tag = "both" }, { ioa = 101 }, { ioa = 102, time_tag = false } ]
[[point]]
name = "q0"
type = "double"
address = [ { ioa = 200, time_tag = "both" } ]
[[point]]
name = "tap"
type = "step"
address = [ { ioa = 300, time_tag = "both" } ]
[[point]]
name = "word"
type = "bitstring"
address = [ { ioa = 400, time_tag = "both" } ]
[[point]]
name = "lost"
type = "bitstring"
system = "events.lost"
address = [ { ioa = 450, time_tag = "both" } ]
[[point]]
name = "normalized"
type = "normalized"
report = { keep = "every" }
address = [
    { ioa = 500, nominal = 4, time_tag = "both" },
    { ioa = 501, nominal = 4, quality = false, time_tag = "both" },
]
[[point]]
name = "scaled"
type = "scaled"
report = { keep = "every" }
address = [ { ioa = 600, time_tag = "both" } ]
[[point]]
name = "float"
type = "float"
report = { keep = "every" }
address = [ { ioa = 700, time_tag = "both" } ]
[[command]]
name = "lamp"
type = "single"
output = { device = "field", on = 1, latched = true }
feedback = { point = "door", within_s = 5 }
address = [ { ioa = 2000 } ]
"""


@pytest.fixture
def rig(make_rig):
    return make_rig(STATION)


def told(asdus):
    """Type, cause, address and elements of every object, without the time."""
    return [
        (asdu.type_id, asdu.cause, item.ioa, *(e for e in item.elements if not hasattr(e, "minute")))
        for asdu in asdus
        for item in asdu.objects
    ]


@pytest.mark.parametrize(
    ("name", "value", "pair"),
    [
        ("q0", 2, [(3, 3, 200, DIQ(2)), (31, 3, 200, DIQ(2))]),
        ("tap", 7, [(5, 3, 300, VTI(7), QDS()), (32, 3, 300, VTI(7), QDS())]),
        ("word", 0xA5F0, [(7, 3, 400, BSI(0xA5F0), QDS()), (33, 3, 400, BSI(0xA5F0), QDS())]),
        ("scaled", -3, [(11, 3, 600, SVA(-3), QDS()), (35, 3, 600, SVA(-3), QDS())]),
        ("float", 1.5, [(13, 3, 700, R32(1.5), QDS()), (36, 3, 700, R32(1.5), QDS())]),
        (
            "normalized",
            1,
            [
                (9, 3, 500, NVA(8192), QDS()),
                (34, 3, 500, NVA(8192), QDS()),
                (21, 3, 501, NVA(8192)),
                (34, 3, 501, NVA(8192), QDS()),
            ],
        ),
    ],
)
def test_l07_one_change_is_told_without_its_time_and_then_with_it(rig, name, value, pair):
    master = rig.master()
    rig.set(name, value)
    rig.settle()
    assert told(master.take()) == pair


def test_l07_is_a_matter_of_each_address(rig):
    master = rig.master()
    rig.set("door", 1)
    rig.settle()
    assert told(master.take()) == [
        (1, 3, 100, SIQ(True)),
        (30, 3, 100, SIQ(True)),
        (30, 3, 101, SIQ(True)),
        (1, 3, 102, SIQ(True)),
    ]


def test_l07_return_information_is_told_twice_too(rig):
    master = rig.master()
    master.send(45, 6, 2000, SCO(True))
    rig.set("door", 1)
    rig.settle()
    objects = [each for each in told(master.take()) if each[2] == 100]
    assert objects == [(1, 11, 100, SIQ(True)), (30, 11, 100, SIQ(True))]


def test_l07_every_change_of_a_measured_value_is_a_pair(rig):
    rig.set("float", 1)
    rig.set("float", 2)
    master = rig.connect().start()
    values = [(type_id, element.value) for type_id, _, ioa, element, *_ in told(master.take()) if ioa == 700]
    assert values == [(13, 1), (36, 1), (13, 2), (36, 2)]


def test_l07_interrogation_tells_the_value_once_and_without_time(rig):
    master = rig.master()
    rig.set("q0", 2)
    rig.settle()
    master.take()
    master.send(100, 6, 0, QOI(20))
    assert [each for each in told(master.take()) if each[2:3] == (200,)] == [(3, 20, 200, DIQ(2))]


def test_l07_lost_events_are_told_twice_too(make_rig):
    rig = make_rig(STATION, capacity=4)
    for n in range(1, 7):
        rig.set("tap", n)
    master = rig.connect().start()
    objects = [each for each in told(master.take()) if each[2] == 450]
    assert objects == [(7, 3, 450, BSI(8), QDS()), (33, 3, 450, BSI(8), QDS())]
