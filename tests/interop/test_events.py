"""What happens in the plant reaches a foreign master: at once, or after it was away, in order."""

import time

import pytest

SPRING, LIGHT = 1005, 1001
SPONTANEOUS, RETURN_INFORMATION = 3, 11
PATIENCE_MS = 1000  # what two clocks of one machine may differ, seen through a busy one


@pytest.fixture
def operator(connect, station):
    """Somebody else, in a redundancy group of its own, who makes things happen."""
    return connect(station, "TLS 1.2", "operator.example").start()


def switch_light(operator, *values):
    for value in values:
        assert operator.ask("command", type="C_SC_NA_1", ioa=5001, value=value)
        operator.until(ioa=5001, cause=10)


def trip_and_close(operator):
    for value in (1, 2):
        assert operator.ask("command", type="C_DC_NA_1", ioa=5101, value=value, select=True)
        operator.until(ioa=5101, cause=10)


def test_a_spontaneous_event_carries_the_time_it_happened(master, operator):
    """Closing the breaker relaxes its spring."""
    before = time.time() * 1000
    trip_and_close(operator)
    (relaxed,) = master.until_told(SPRING)
    after = time.time() * 1000
    assert (relaxed.type, relaxed.cause, relaxed.value, relaxed.quality) == (
        "M_SP_TB_1",
        SPONTANEOUS,
        True,
        0,
    )
    assert before - PATIENCE_MS < relaxed.ms < after + PATIENCE_MS
    opened, closed = master.until_told(1101, 2)
    assert (opened.value, closed.value) == (1, 2)
    assert opened.ms < closed.ms <= relaxed.ms
    assert master.until_told(SPRING, 2)[1].value is False  # charged again


def test_a_stopped_connection_is_told_nothing_until_it_is_started_again(master, operator):
    assert master.ask("mute")
    master.becomes("OPEN_MUTED")
    silent = len(master.asdus)
    switch_light(operator, 1, 0)
    assert len(master.asdus) == silent
    master.start()
    on, off = master.until_told(LIGHT, 2)
    assert (on.value, off.value) == (True, False)
    assert on.ms < off.ms


def test_who_was_away_gets_every_event_in_order(master, operator):
    master.ask("disconnect")
    master.becomes("CLOSED")
    operator.forget()
    switches = [1, 0] * 10
    for value in switches:
        assert operator.ask("command", type="C_SC_NA_1", ioa=5001, value=value)
        operator.until_told(LIGHT)
        operator.until(ioa=5001, cause=10)
    master.ask("reconnect")
    master.becomes("OPEN_MUTED").start()
    events = master.until_told(LIGHT, len(switches))
    assert [one.value for one in events] == [bool(value) for value in switches]
    assert [one.type for one in events] == ["M_SP_TB_1"] * len(switches)
    assert [one.ms for one in events] == sorted(one.ms for one in events)
    seen = [one for asdu in operator.asdus for one in asdu.objects if one.ioa == LIGHT]
    assert [(one.value, one.ms) for one in seen[-len(switches) :]] == [(one.value, one.ms) for one in events]


def test_events_survive_a_restart_of_the_station(run, connect):
    station = run()
    reader = connect(station, "TLS 1.2")
    reader.start().until(type="M_EI_NA_1", ca=2)
    reader.ask("interrogate")
    reader.until(type="C_IC_NA_1", cause=10)
    reader.ask("disconnect")
    reader.becomes("CLOSED")
    operator = connect(station, "TLS 1.2", "operator.example").start()
    switch_light(operator, 1, 0, 1)
    station.restart()
    reader.ask("reconnect")
    reader.becomes("OPEN_MUTED").start()
    reader.until(type="M_EI_NA_1", ca=2)
    events = reader.until_told(LIGHT, 3)
    assert [one.value for one in events] == [True, False, True]
    # The lamp went out with the station; what is found then is one event more.
    reader.ask("interrogate")
    assert [
        one.value for a in reader.until(type="C_IC_NA_1", cause=10) for one in a.objects if one.ioa == LIGHT
    ][-1] is False
