"""Reset process: what is enabled, who may, and what becomes of the connection and of waiting events (checklist H)."""

from __future__ import annotations

import pytest

from rtu.events.journal import Volatile
from rtu.iec104.elements import DCO, QRP, SCO

from .conftest import STATION, Master, Rig

ENABLED = STATION + '[protocol]\nreset = ["process", "events"]\nt1 = 15\n'


@pytest.fixture
def rig() -> Rig:
    return Rig(ENABLED).begin()


def reset(master: Master, qrp: int, **how) -> list[tuple[int, int, bool]]:
    """The confirmations: cause, common address, negative."""
    master.send(105, 6, 0, QRP(qrp), **how)
    return [(a.cause, a.ca, a.negative) for a in master.take() if a.type_id == 105]


def test_h13_a_reset_of_the_process_is_confirmed_and_the_station_restarts_when_the_master_has_that(rig):
    master = rig.master()
    master.acknowledging = False
    assert reset(master, 1) == []
    master.acknowledging = True
    rig.settle()
    assert [(a.type_id, a.cause, a.negative) for a in master.take()] == [(105, 7, False)]
    assert rig.restarts == ["reset by master of main"]
    (record,) = [r for r in rig.audit.records if r["event"] == "reset.process"]
    assert record["master"] == "master of main"


def test_h13_and_after_t1_when_it_never_says_so(rig):
    master = rig.master()
    master.link.send(bytes.fromhex("69010600010000000001"), rig.now)
    master.session.receive(master.link.data_to_send(rig.now), rig.now)
    master.session.data_to_send(rig.now)
    master.disconnect()
    rig.advance(14.9)
    assert not rig.restarts
    rig.advance(0.2)
    assert rig.restarts == ["reset by master of main"]


def test_h13_to_all_common_addresses_it_is_one_reset_that_each_confirms(rig):
    assert reset(rig.master(), 1, ca=65535) == [(7, 1, False), (7, 2, False)]
    assert len(rig.restarts) == 1
    assert rig.audit.events().count("reset.process") == 1


@pytest.mark.parametrize(
    ("enabled", "qrp"),
    [("[]", 1), ("[]", 2), ('["events"]', 1), ('["process"]', 2), ('["process", "events"]', 0)]
    + [('["process", "events"]', qrp) for qrp in (3, 127, 128, 255)],
)
def test_h14_what_is_not_enabled_is_refused(enabled, qrp):
    rig = Rig(STATION + f"[protocol]\nreset = {enabled}\n").begin()
    rig.set("door", 1)
    assert reset(rig.master(group="other"), qrp) == [(7, 1, True)]
    rig.advance(20)
    assert not rig.restarts
    assert rig.log.groups["main"].pending
    assert "reset.refuse" in rig.audit.events()


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_h14_only_an_engineer_may(rig, role):
    assert reset(rig.master(role=role), 1) == [(7, 1, True)]
    rig.advance(20)
    assert not rig.restarts


def test_h15_a_reset_of_the_event_buffer_discards_what_waits_for_this_group_alone(rig):
    master = rig.master()
    master.acknowledging = False
    for number in range(100):
        rig.set("door", (number + 1) % 2)
        rig.settle()
    sent = len(events(master))
    waiting = rig.log.groups["main"].pending - sent
    assert waiting > 0
    master.link.send(bytes.fromhex("69010600010000000002"), rig.now)
    master.session.receive(master.link.data_to_send(rig.now), rig.now)
    master.acknowledging = True
    rig.settle()
    assert [(a.type_id, a.cause, a.negative) for a in master.take()] == [(105, 7, False)]
    assert rig.log.groups["main"].pending == 0
    assert rig.log.groups["main"].lost == 0
    assert not rig.restarts
    assert [r["rows"] for r in rig.audit.records if r["event"] == "reset.events"] == [waiting]
    assert len(events(rig.connect(group="other").start())) == 300
    rig.set("door", 1)
    rig.settle()
    assert len(events(master)) == 3


def events(master: Master) -> list[object]:
    return [item for asdu in master.take() if asdu.type_id == 30 for item in asdu.objects]


@pytest.mark.parametrize("qrp", [1, 2])
def test_a_test_resets_nothing(rig, qrp):
    rig.set("door", 1)
    assert reset(rig.master(group="other"), qrp, test=True) == [(7, 1, False)]
    rig.advance(20)
    assert not rig.restarts
    assert rig.log.groups["main"].pending
    assert "reset.test" in rig.audit.events()


LAMP, Q0 = 2000, 2100


def causes(master: Master) -> list[tuple[int, int, bool]]:
    return [(a.type_id, a.cause, a.negative) for a in master.take()]


def test_a_command_after_a_reset_operates_nothing_though_the_restart_is_still_to_come(rig):
    master = rig.master()
    master.send_together(105, 6, 0, QRP(1))
    master.send_together(45, 6, LAMP, SCO(True))
    rig.settle()
    other = rig.master(group="other")
    other.send(45, 6, LAMP, SCO(True))
    assert causes(master) == [(105, 7, False), (45, 7, True)]
    assert causes(other) == [(45, 7, True)]
    rig.advance(5)
    assert rig.relays.history == []


def test_a_reset_ends_every_selection(rig):
    master, other = rig.master(), rig.master(group="other")
    other.send(46, 6, Q0, DCO(2, select=True))
    reset(master, 1)
    other.send(46, 6, Q0, DCO(2))
    assert causes(other) == [(46, 7, False), (46, 7, True)]
    assert rig.relays.history == []


def test_a_reset_does_not_cut_a_pulse_short_it_is_refused_meanwhile(rig):
    master = rig.master()
    master.send_together(45, 6, LAMP, SCO(True))
    master.send_together(105, 6, 0, QRP(1))
    rig.settle()
    rig.advance(1)
    assert causes(master) == [(45, 7, False), (105, 7, True), (45, 10, False)]
    (on, off) = rig.relays.history
    assert off[0] - on[0] == pytest.approx(0.5)
    assert rig.restarts == []
    assert reset(master, 1) == [(7, 1, False)]
    assert len(rig.restarts) == 1


def test_a_reset_that_is_refused_or_a_test_leaves_selections_alone(rig):
    master = rig.master()
    master.send(46, 6, Q0, DCO(2, select=True))
    master.send(105, 6, 0, QRP(3))
    master.send(105, 6, 0, QRP(1), test=True)
    master.send(105, 6, 0, QRP(2))
    master.send(46, 6, Q0, DCO(2))
    assert [cause for type_id, *cause in causes(master) if type_id == 46] == [[7, False], [7, False]]


def test_while_the_disk_fails_the_process_is_not_reset_for_events_and_locks_would_be_lost(make_rig):
    store = Volatile()
    rig = make_rig(ENABLED, store=store)
    master = rig.master()
    store.fault = "no space left on device"
    assert reset(master, 1) == [(7, 1, True)]
    assert not rig.restarts
    store.fault = None
    assert reset(master, 1) == [(7, 1, False)]
