"""D. Redundancy and events kept: an event leaves when its acknowledgement came, and not before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rtu.clock import VirtualClock
from rtu.events.store import Store
from tests.conformance.wire import STARTDT_ACT, STARTDT_CON, STOPDT_ACT, STOPDT_CON, Wire, asdus, numbers
from tests.station.conftest import Rig

END_OF_INITIALISATION = 70
INTERROGATION = bytes.fromhex("64010600010000000014")


def test_d01_the_connection_started_last_is_served_and_the_other_closed(started: Wire) -> None:
    second = Wire(started.rig)
    assert second.say(STARTDT_ACT) == [STARTDT_CON]
    assert started.closed
    assert started.hear() == []
    assert len(second.events(1)) == 1


def test_d02_what_was_not_acknowledged_is_told_again_in_order(started: Wire) -> None:
    events = asdus(started.events(4))
    started.say(b"\x68\x04\x01\x00" + (started.received - 2 << 1).to_bytes(2, "little"))
    first, *rest = Wire(started.rig).say(STARTDT_ACT)
    assert first == STARTDT_CON
    assert asdus(rest) == events[2:]
    assert numbers(rest) == [(0, 0), (1, 0)]


def test_d04_an_orderly_change_repeats_nothing_and_loses_nothing(started: Wire) -> None:
    started.events(2)
    started.acknowledge()
    assert started.say(STOPDT_ACT) == [STOPDT_CON]
    assert started.events(1) == []
    second = Wire(started.rig)
    first, event = second.say(STARTDT_ACT)
    assert first == STARTDT_CON
    assert event[6] == 32
    assert not started.closed


def test_d09_an_interrogation_ends_with_its_connection(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(k=1, w=1)
    first = Wire(rig).start()
    assert [octets[2] for octets in asdus(first.say(first.ask(INTERROGATION)))] == [7]
    second = Wire(rig)
    assert second.say(STARTDT_ACT) == [STARTDT_CON]
    assert second.wait(1) == []
    assert [octets[2] for octets in asdus(second.say(second.ask(INTERROGATION)))] == [7]


def test_d13_what_was_acknowledged_at_the_last_moment_is_not_told_again(started: Wire) -> None:
    started.events(2)
    acknowledgement = b"\x68\x04\x01\x00" + (started.received << 1).to_bytes(2, "little")
    assert started.say(acknowledgement, b"\x00") == []
    assert started.closed
    assert Wire(started.rig).say(STARTDT_ACT) == [STARTDT_CON]


def test_d14_after_a_restart_come_initialisation_then_kept_events_then_new_ones(
    tmp_path: Path, make_rig: Callable[..., Rig]
) -> None:
    store = Store.open(tmp_path, VirtualClock())
    before = Wire(make_rig(store=store)).start()
    events = asdus(before.events(3))
    for _ in range(40):  # two seconds, in which everything is committed
        before.rig.advance(0.05)
        assert store.drain(10)
    store.close()
    store = Store.open(tmp_path, VirtualClock())
    try:
        after = Wire(make_rig(store=store))
        after.rig.set("door", 1)
        first, *rest = after.say(STARTDT_ACT)
        assert first == STARTDT_CON
        told = asdus(rest)
        assert [octets[0] for octets in told[:2]] == [END_OF_INITIALISATION] * 2
        assert told[2:5] == events
        new = told[5:]
        assert new[-1][0] == 30
        assert not set(events) & set(new)
    finally:
        store.close()
