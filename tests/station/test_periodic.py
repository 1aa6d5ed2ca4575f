"""Cyclic transmission and background scan (checklist L10, L11)."""

import pytest

from rtu.iec104.elements import QOI

STATION = """
format = 1
[station]
name = "Feeder 12"
common_address = 1
[[point]]
name = "door"
type = "single"
report = { background_s = 60 }
address = [ { ioa = 100 } ]
[[point]]
name = "energy"
type = "counter"
report = { background_s = 60 }
address = [ { ioa = 800 } ]
[[point]]
name = "current"
type = "float"
report = { deadband = 1000, cyclic_s = 10, background_s = 60 }
address = [ { ioa = 700 }, { ioa = 710, type = "scaled" } ]
[[point]]
name = "voltage"
type = "normalized"
report = { deadband = 1000, cyclic_s = 25 }
address = [ { ioa = 500 }, { ioa = 501, quality = false } ]
[[point]]
name = "power"
type = "float"
report = { deadband = 0.5 }
address = [ { ioa = 600 } ]
"""


@pytest.fixture
def station(make_rig):
    return make_rig(STATION)


def told(asdus, cause):
    return [(a.type_id, o.ioa) for a in asdus if a.cause == cause for o in a.objects]


def test_l10_each_object_is_told_in_its_own_period(station):
    master = station.master()
    station.advance(50)
    cyclic = told(master.take(), 1)
    assert {item: cyclic.count(item) for item in cyclic} == {
        (13, 700): 5,
        (11, 710): 5,
        (9, 500): 2,
        (21, 501): 2,
    }


def test_l10_with_the_value_of_the_moment_and_no_originator(station):
    master = station.master()
    station.advance(9.9)
    station.set("current", 42)
    station.advance(0.2)
    (asdu,) = [a for a in master.take() if (a.cause, a.type_id) == (1, 13)]
    assert (asdu.objects[0].elements[0].value, asdu.originator) == (42, 0)


def test_l10_while_stopped_nothing_is_kept(station):
    station.advance(35)
    master = station.master()
    assert told(master.take(), 1) == []
    station.advance(5)
    assert sorted(told(master.take(), 1)) == [(11, 710), (13, 700)]
    master.stop()
    station.advance(30)
    assert told(master.take(), 1) == []


def test_l10_what_waits_from_the_last_time_is_not_told_twice(make_rig):
    rig = make_rig(STATION, k=1)
    master = rig.master()
    master.acknowledging = False
    rig.set("door", 1)
    rig.clock.advance(12)  # falls due with the window full, and once more before it opens
    rig.settle()
    rig.clock.advance(10)
    master.acknowledging = True
    rig.settle()
    assert sorted(told(master.take(), 1)) == [(11, 710), (13, 700)]


def test_l10_a_stall_is_not_caught_up_with(station):
    master = station.master()
    station.clock.stall(95)
    station.clock.advance(0)
    station.settle()
    assert sorted(told(master.take(), 1)).count((13, 700)) == 1


def test_l11_the_background_scan_is_untagged_and_tells_no_counters(station):
    master = station.master()
    station.advance(60)
    assert sorted(told(master.take(), 2)) == [(1, 100), (11, 710), (13, 700)]


def test_l11_an_event_goes_before_the_background_scan(make_rig):
    rig = make_rig(STATION, k=1)
    master = rig.master()
    rig.clock.advance(59.99)
    rig.settle()
    master.take()
    master.acknowledging = False
    rig.set("door", 1)
    rig.settle()
    rig.clock.advance(0.02)
    for value in (0, 1, 0, 1):
        rig.set("door", value)
    master.acknowledging = True
    rig.settle()
    causes = [a.cause for a in master.take()]
    assert set(causes) == {1, 2, 3}
    assert causes.index(2) > max(at for at, cause in enumerate(causes) if cause == 3)


@pytest.mark.parametrize("k", [1, 12])
def test_l11_events_that_never_end_do_not_starve_it(make_rig, k):
    rig = make_rig(STATION, k=k)
    master = rig.master()
    heard = []
    for number in range(2500):
        rig.set("door", number % 2)
        rig.set("door", 1 - number % 2)
        rig.clock.advance(0.05)
        master.exchange()
        heard += master.take()
    assert told(heard, 2).count((13, 700)) == 2
    assert 8 <= told(heard, 1).count((13, 700)) <= 12


def test_l11_measured_values_that_never_end_do_not_starve_it(make_rig):
    rig = make_rig(STATION, k=1)
    master = rig.master()
    heard = []
    for number in range(2000):
        rig.set("power", number)
        rig.clock.advance(0.05)
        master.exchange()
        heard += master.take()
    assert told(heard, 2).count((1, 100)) == 1
    assert 8 <= told(heard, 1).count((13, 700)) <= 10


def test_l11_interrogations_that_never_end_do_not_starve_it(make_rig):
    rig = make_rig(STATION, k=1)
    master = rig.master()
    master.link.parameters = rig.station.parameters
    heard = []
    for _ in range(2000):
        if master.session.transmission.running("interrogation", 1) is None:
            master.send_together(100, 6, 0, QOI(20))
        rig.clock.advance(0.05)
        master.exchange()
        heard += master.take()
    assert told(heard, 2).count((1, 100)) == 1
    assert 8 <= told(heard, 1).count((13, 700)) <= 10
