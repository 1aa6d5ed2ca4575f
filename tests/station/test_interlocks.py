"""An interlock that is not known to be met refuses, and the audit trail says why: at select and at execute."""

import pytest

from rtu.iec104.elements import DCO
from rtu.points.model import BL, IV, NT, OV, SB

from .bay import Q0, Q1, answers, begin, energised, line, refusals, start

OPEN, CLOSED, ON = 1, 2, 2

DOUBLE = [
    ("q8.position", 0, 0, "q8.position is in between, must be open"),
    ("q8.position", 3, 0, "q8.position is contradicting itself, must be open"),
    ("q8.position", CLOSED, 0, "q8.position is not open, must be open"),
    ("q8.position", OPEN, IV, "q8.position is invalid, must be open"),
    ("q8.position", OPEN, NT, "q8.position is not topical, must be open"),
    ("q8.position", OPEN, BL, "q8.position is blocked, must be open"),
    ("q8.position", OPEN, SB, "q8.position is substituted, must be open"),
    ("q8.position", OPEN, OV, "q8.position is overflowing, must be open"),
    ("q8.position", OPEN, IV | NT, "q8.position is invalid and not topical, must be open"),
    ("q8.position", CLOSED, SB, "q8.position is substituted, must be open"),
]
SINGLE = [
    ("remote", 0, 0, "remote is not on, must be on"),
    ("remote", 1, IV, "remote is invalid, must be on"),
    ("remote", 1, NT, "remote is not topical, must be on"),
    ("remote", 1, BL, "remote is blocked, must be on"),
    ("remote", 1, SB, "remote is substituted, must be on"),
]


@pytest.fixture
def bay(make_rig):
    return begin(make_rig)


@pytest.mark.parametrize(("name", "value", "quality", "reason"), DOUBLE + SINGLE)
def test_at_select(bay, name, value, quality, reason):
    master = start(bay)
    bay.set(name, value, quality)
    master.send(46, 6, Q0, DCO(ON, select=True))
    assert answers(master) == [(7, True)]
    assert refusals(bay) == [reason]
    bay.set(name, 1)
    master.send(46, 6, Q0, DCO(ON))
    assert answers(master) == [(7, True)]
    assert energised(bay) == []


@pytest.mark.parametrize(("name", "value", "quality", "reason"), DOUBLE + SINGLE)
def test_at_execute_of_a_selection(bay, name, value, quality, reason):
    master = start(bay)
    master.send(46, 6, Q0, DCO(ON, select=True))
    bay.set(name, value, quality)
    master.send(46, 6, Q0, DCO(ON))
    assert answers(master) == [(7, False), (7, True)]
    assert refusals(bay) == [reason, "not selected"]
    assert energised(bay) == []


@pytest.mark.parametrize(("name", "value", "quality", "reason"), SINGLE)
def test_at_execute_of_a_direct_command(bay, name, value, quality, reason):
    master = start(bay)
    bay.set(name, value, quality)
    master.send(46, 6, Q1, DCO(ON))
    assert answers(master) == [(7, True)]
    assert refusals(bay) == [reason]
    assert energised(bay) == []


@pytest.mark.parametrize(("name", "value", "quality"), [case[:3] for case in DOUBLE + SINGLE])
def test_what_is_met_again_permits_again(bay, name, value, quality):
    master = start(bay)
    bay.set(name, value, quality)
    bay.set(name, 1)
    master.send(46, 6, Q0, DCO(ON, select=True))
    master.send(46, 6, Q0, DCO(ON))
    assert answers(master) == [(7, False), (7, False)]
    assert energised(bay) == [line(bay, "q0.operate", "on")]
