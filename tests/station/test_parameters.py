"""Parameters of measured values and their activation (checklist J)."""

import math
import struct

import pytest

from rtu.events.journal import Volatile
from rtu.events.rows import Restored
from rtu.iec104.elements import NVA, QOI, QPA, QPM, R32, SVA
from rtu.points.report import Parameters

THRESHOLD, SMOOTHING, LOW, HIGH = 1, 2, 3, 4


def station(parameters="on", deadband=5.0):
    return f"""
format = 1
[station]
name = "Feeder 12"
common_address = 1
[protocol]
parameters = "{parameters}"
[[point]]
name = "door"
type = "single"
address = [ {{ ioa = 100, group = 1 }} ]
[[point]]
name = "energy"
type = "counter"
address = [ {{ ioa = 800 }} ]
[[point]]
name = "voltage"
type = "normalized"
report = {{ deadband = {deadband}, cyclic_s = 10 }}
address = [ {{ ioa = 500, nominal = 400, group = 1 }}, {{ ioa = 501, nominal = 400, quality = false }} ]
[[point]]
name = "power"
type = "scaled"
report = {{ deadband = 1.0 }}
address = [ {{ ioa = 600, resolution = 0.5, group = 2 }} ]
[[point]]
name = "current"
type = "float"
report = {{ deadband = 1.0, cyclic_s = 10, background_s = 60 }}
address = [ {{ ioa = 700, group = 2 }}, {{ ioa = 701 }}, {{ ca = 2, ioa = 700 }} ]
"""


@pytest.fixture
def on(make_rig):
    return make_rig(station())


def load(master, type_id, ioa, number, qpm, **header):
    """Load a parameter; cause and P/N of the answer, which otherwise must be the request."""
    elements = (number, QPM(qpm) if isinstance(qpm, int) else qpm)
    master.send(type_id, 6, ioa, *elements, **header)
    (answer,) = [asdu for asdu in master.take() if asdu.type_id == type_id]
    assert answer.objects[0].ioa == ioa
    assert answer.objects[0].elements == elements
    return answer.cause, answer.negative


def activate(master, ioa, qpa=3, cause=6, **header):
    master.send(113, cause, ioa, QPA(qpa), **header)
    (answer,) = [asdu for asdu in master.take() if asdu.type_id == 113]
    return answer.cause, answer.negative


def parameters(rig, name):
    return rig.table.parameters(rig.table.index(name))


def told(master, ioa, cause=3):
    return [
        o.elements[0].value for a in master.take() if a.cause == cause and a.ca == 1
        for o in a.objects if o.ioa == ioa
    ]  # fmt: skip


def restarted(rig, text):
    store = Volatile()
    store.restored = Restored(meta=dict(rig.log.meta))
    return type(rig)(text, store=store).begin()


@pytest.mark.parametrize("type_id", [110, 111, 112, 113])
def test_j01_without_the_option_the_types_do_not_exist(rig, type_id):
    octets = bytes((type_id,)) + bytes.fromhex("01060001 00BC0200") + {113: b"\x03", 112: bytes(4) + b"\x01"}.get(
        type_id, bytes(2) + b"\x01"
    )  # fmt: skip
    master = rig.master()
    master.send_octets(octets)
    (answer,) = master.take()
    assert (answer.type_id, answer.cause, answer.negative) == (type_id, 44, True)


@pytest.mark.parametrize(
    ("type_id", "ioa", "number", "name", "threshold"),
    [
        (110, 500, NVA(328), "voltage", 328 / 32768 * 400),
        (110, 501, NVA(328), "voltage", 328 / 32768 * 400),
        (111, 600, SVA(30), "power", 15.0),
        (112, 700, R32(2.5), "current", 2.5),
        (112, 701, R32(0.0), "current", 0.0),
    ],
)
def test_j01_a_threshold_is_in_the_units_of_its_object(on, type_id, ioa, number, name, threshold):
    assert load(on.master(), type_id, ioa, number, THRESHOLD) == (7, False)
    assert parameters(on, name) == Parameters(threshold)


def test_j01_a_threshold_is_effective_at_once(on):
    master = on.master()
    on.set("current", 10)
    on.settle()
    assert told(master, 700) == [10]
    assert load(master, 112, 700, R32(50.0), THRESHOLD) == (7, False)
    on.set("current", 40)
    on.settle()
    assert told(master, 700) == []
    on.set("current", 70)
    on.settle()
    assert told(master, 700) == [70]


def test_j02_beyond_its_limits_a_value_is_not_transmitted(on):
    master = on.master()
    assert load(master, 112, 700, R32(20.0), LOW) == (7, False)
    assert load(master, 112, 700, R32(80.0), HIGH) == (7, False)
    for value in (10, 30, 50, 90, 100, 60):
        on.set("current", value)
        on.settle()
    assert told(master, 700) == [30, 50, 60]


@pytest.mark.parametrize(
    ("type_id", "ioa", "number", "name", "share"),
    [
        (110, 500, NVA(16384), "voltage", 0.5),
        (111, 600, SVA(99), "power", 0.99),
        (112, 700, R32(0.25), "current", 0.25),
    ],
)
def test_a_smoothing_factor_is_a_share_in_its_form(on, type_id, ioa, number, name, share):
    assert load(on.master(), type_id, ioa, number, SMOOTHING) == (7, False)
    assert parameters(on, name).smoothing == share


@pytest.mark.parametrize("kpa", [0, 5, 31, 32, 63])
def test_j03_a_kind_of_parameter_that_does_not_exist_is_refused(on, kpa):
    assert load(on.master(), 112, 700, R32(1.0), kpa) == (7, True)


@pytest.mark.parametrize(
    ("type_id", "ioa", "number", "qpm"),
    [
        (112, 700, R32(1.0), QPM(THRESHOLD, lpc=True)),
        (112, 700, R32(1.0), QPM(THRESHOLD, pop=True)),
        (112, 700, R32(-1.0), THRESHOLD),
        (111, 600, SVA(-1), THRESHOLD),
        (110, 500, NVA(-1), THRESHOLD),
        (112, 700, R32(1.0), SMOOTHING),
        (112, 700, R32(-0.5), SMOOTHING),
        (111, 600, SVA(100), SMOOTHING),
        (110, 500, NVA(-1), SMOOTHING),
        (112, 700, R32(10.0), HIGH),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(on, type_id, ioa, number, qpm):
    master = on.master()
    assert load(master, 112, 700, R32(11.0), LOW) == (7, False)
    before = [parameters(on, name) for name in ("voltage", "power", "current")]
    assert load(master, type_id, ioa, number, qpm) == (7, True)
    assert [parameters(on, name) for name in ("voltage", "power", "current")] == before
    assert on.audit.events()[-1] == "parameter.refuse"
    assert on.audit.records[-1]["reason"]


@pytest.mark.parametrize("kpa", [THRESHOLD, SMOOTHING, LOW, HIGH])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_parameter_that_is_no_number_is_refused(on, value, kpa):
    master = on.master()
    before = parameters(on, "current")
    octets = bytes.fromhex("7001060001 00BC0200") + struct.pack("<fB", value, kpa)
    master.send_octets(octets)
    (answer,) = master.take()
    assert (answer.cause, answer.negative) == (7, True)
    assert parameters(on, "current") == before


@pytest.mark.parametrize(
    ("type_id", "ioa", "number"),
    [
        (112, 9999, R32(1.0)),
        (112, 0, R32(1.0)),
        (112, 500, R32(1.0)),
        (112, 600, R32(1.0)),
        (112, 100, R32(1.0)),
        (112, 800, R32(1.0)),
        (111, 500, SVA(1)),
        (110, 600, NVA(1)),
        (110, 700, NVA(1)),
    ],
)
def test_an_object_that_does_not_have_this_form_is_unknown(on, type_id, ioa, number):
    assert load(on.master(), type_id, ioa, number, THRESHOLD) == (47, True)


def test_a_parameter_is_the_engineers_to_load(on):
    assert load(on.master(role="operator"), 112, 700, R32(2.0), THRESHOLD) == (7, True)
    assert parameters(on, "current") == Parameters(1.0)


def test_a_test_changes_nothing(on):
    master = on.master()
    assert load(master, 112, 700, R32(2.0), THRESHOLD, test=True) == (7, False)
    assert parameters(on, "current") == Parameters(1.0)
    assert activate(master, 700, cause=8, test=True) == (9, False)
    on.advance(10)
    assert told(master, 700, cause=1)


def test_what_was_loaded_is_on_record(on):
    load(on.master(), 112, 700, R32(2.0), THRESHOLD)
    record = on.audit.records[-1]
    assert (record["event"], record["parameter"], record["value"]) == ("parameter.load", "threshold", 2.0)


def test_what_was_loaded_survives_a_restart(on):
    master = on.master()
    load(master, 110, 500, NVA(8192), THRESHOLD)
    load(master, 110, 500, NVA(4096), LOW)
    assert parameters(restarted(on, station()), "voltage") == Parameters(100.0, 0.0, 50.0)


def test_a_new_deadband_in_the_station_file_beats_what_was_loaded(on):
    load(on.master(), 110, 500, NVA(8192), THRESHOLD)
    again = restarted(on, station(deadband=7.0))
    assert parameters(again, "voltage") == Parameters(7.0)


def test_without_the_option_nothing_loaded_is_in_operation(on):
    master = on.master()
    load(master, 110, 500, NVA(8192), THRESHOLD)
    activate(master, 500, cause=8)
    again = restarted(on, station("off"))
    assert parameters(again, "voltage") == Parameters(5.0)
    master = again.master()
    again.advance(10)
    assert told(master, 500, cause=1)


def test_what_was_loaded_for_a_point_that_is_no_measured_value_any_more_is_left_alone(on):
    load(on.master(), 112, 700, R32(2.0), THRESHOLD)
    text = station().replace('"current"\ntype = "float"', '"i"\ntype = "float"')
    again = restarted(on, text.replace('"door"', '"current"'))
    assert parameters(again, "i") == Parameters(1.0)


@pytest.mark.parametrize(
    "stored", ["not json", "{}", '{"deadband": 1.0, "parameters": {"threshold": -1}}', 7]
)
def test_a_stored_parameter_that_cannot_be_is_not_taken(on, stored):
    store = Volatile()
    store.restored = Restored(meta={"parameters.current": stored})
    assert parameters(type(on)(station(), store=store), "current") == Parameters(1.0)


def test_j04_cyclic_transmission_of_an_object_is_stopped_and_started(on):
    master = on.master()
    on.advance(10)
    assert {o.ioa for a in master.take() if (a.cause, a.ca) == (1, 1) for o in a.objects} == {
        500,
        501,
        700,
        701,
    }
    assert activate(master, 700, cause=8) == (9, False)
    on.advance(10)
    asdus = [a for a in master.take() if a.cause == 1]
    assert {(a.ca, o.ioa) for a in asdus for o in a.objects} == {(1, 500), (1, 501), (1, 701), (2, 700)}
    assert activate(master, 700) == (7, False)
    on.advance(10)
    assert told(master, 700, cause=1)
    assert on.audit.events()[-2:] == ["cyclic.stop", "cyclic.start"]


def test_j04_all_objects_of_a_period_may_be_stopped(on):
    master = on.master()
    for ioa in (500, 501, 700, 701):
        assert activate(master, ioa, cause=8) == (9, False)
    assert activate(master, 700, cause=8, ca=2) == (9, False)
    on.advance(30)
    assert 1 not in {a.cause for a in master.take()}


def test_j04_the_background_scan_goes_on(on):
    master = on.master()
    activate(master, 700, cause=8)
    on.advance(60)
    assert told(master, 700, cause=2)


def test_j04_an_object_that_was_stopped_stays_so_over_a_restart(on):
    activate(on.master(), 700, cause=8)
    again = restarted(on, station())
    master = again.master()
    again.advance(10)
    asdus = [a for a in master.take() if a.cause == 1]
    assert {(a.ca, o.ioa) for a in asdus for o in a.objects} == {(1, 500), (1, 501), (1, 701), (2, 700)}
    assert activate(master, 700) == (7, False)
    assert parameters(again, "current") == Parameters(1.0)


@pytest.mark.parametrize("ioa", [100, 600, 800])
@pytest.mark.parametrize(("cause", "answer"), [(6, 7), (8, 9)])
def test_j04_an_object_without_a_period_cannot_be_started_or_stopped(on, ioa, cause, answer):
    assert activate(on.master(), ioa, cause=cause) == (answer, True)


@pytest.mark.parametrize(("cause", "answer"), [(6, 7), (8, 9)])
@pytest.mark.parametrize(("ioa", "qpa"), [(0, 1), (700, 1), (700, 2), (700, 0), (700, 4), (700, 255)])
def test_j05_other_activations_are_refused(on, ioa, qpa, cause, answer):
    assert activate(on.master(), ioa, qpa, cause) == (answer, True)
    assert on.audit.records[-1]["event"] == "cyclic.refuse"
    assert on.audit.records[-1]["reason"]


@pytest.mark.parametrize(("ioa", "qpa"), [(9999, 3), (0, 3), (0, 2), (9999, 2)])
def test_j05_an_object_that_does_not_exist_is_unknown(on, ioa, qpa):
    assert activate(on.master(), ioa, qpa) == (47, True)


def test_j06_an_interrogation_tells_the_parameters_of_its_objects(make_rig):
    rig = make_rig(station("interrogated"))
    master = rig.master()
    load(master, 112, 700, R32(245.0), HIGH)
    load(master, 111, 600, SVA(25), SMOOTHING)
    master.send(100, 6, 0, QOI(20), originator=3)
    asdus = master.take()
    assert (asdus[0].cause, asdus[-1].cause) == (7, 10)
    assert {a.cause for a in asdus[1:-1]} == {20}
    assert {a.originator for a in asdus} == {3}
    loaded = {
        (a.type_id, o.ioa, o.elements[1].kpa): o.elements
        for a in asdus if a.type_id in (110, 111, 112)
        for o in a.objects
    }  # fmt: skip
    assert sorted(loaded) == [
        (type_id, ioa, kpa)
        for type_id, ioa in ((110, 500), (110, 501), (111, 600), (112, 700), (112, 701))
        for kpa in (1, 2, 3, 4)
    ]
    assert loaded[110, 500, 1] == (NVA(round(5 / 400 * 32768)), QPM(1))
    assert loaded[110, 500, 3] == (NVA(0), QPM(3, pop=True))
    assert loaded[111, 600, 1] == (SVA(2), QPM(1))
    assert loaded[111, 600, 2] == (SVA(25), QPM(2))
    assert loaded[112, 700, 4] == (R32(245.0), QPM(4))
    assert loaded[112, 701, 4] == (R32(245.0), QPM(4))  # the same signal
    assert loaded[112, 700, 3] == (R32(0.0), QPM(3, pop=True))


def test_j06_a_group_tells_those_of_its_members(make_rig):
    master = make_rig(station("interrogated")).master()
    for qoi, ioas in ((21, {500}), (22, {600, 700})):
        master.send(100, 6, 0, QOI(qoi))
        asdus = master.take()
        assert {a.cause for a in asdus[1:-1]} == {qoi}
        assert {o.ioa for a in asdus if a.type_id in (110, 111, 112) for o in a.objects} == ioas


def test_j06_otherwise_it_tells_none(on):
    master = on.master()
    master.send(100, 6, 0, QOI(20))
    assert not {110, 111, 112} & {a.type_id for a in master.take()}
