"""Two connections of one redundancy group (IEC 60870-5-104, 10): one is served, the other stands by."""

import pytest

LIGHT = 1001
NOT_STARTED = ("CLOSED_AWAIT_RECONNECT", "CLOSED_AWAIT_OPEN", "OPEN_MUTED")


def switch(master, value):
    assert master.ask("command", type="C_SC_NA_1", ioa=5001, value=value)
    return master.until(ioa=5001, cause=10)


@pytest.fixture
def own_station(run):
    return run()


@pytest.fixture
def pair(own_station, connect, way):
    """Both connected, none started."""
    return connect(own_station, way), connect(own_station, way, "b.scada.example")


def test_the_connection_started_last_is_served_and_the_other_closed(pair):
    first, second = pair
    first.start()
    switch(first, 1)
    assert second.asdus == []
    second.start()
    first.becomes(*NOT_STARTED)
    switch(second, 0)
    first.becomes("OPEN_MUTED")  # it came back by itself, and stands by
    seen = len(first.asdus)
    first.start()
    second.becomes(*NOT_STARTED)
    switch(first, 1)
    assert [asdu.type for asdu in first.asdus[seen:]].count("M_EI_NA_1") == 0


def test_no_event_is_lost_between_the_two(pair):
    """Whoever is told twice is told the same: events are numbered by their time tags here."""
    told = []
    for value, (active, standby) in zip([1, 0, 1, 0], [pair, pair[::-1]] * 2, strict=True):
        active.becomes("OPEN_MUTED").start()
        switch(active, value)
        told += [one for asdu in active.asdus for one in asdu.objects if one.ioa == LIGHT]
        standby.becomes(*NOT_STARTED)
    by_time = {one.ms: one.value for one in told}
    assert [by_time[ms] for ms in sorted(by_time)] == [True, False, True, False]


def test_groups_do_not_disturb_each_other(own_station, pair, connect):
    first, _ = pair
    operator = connect(own_station, "TLS 1.2", "operator.example").start()
    first.start()
    switch(first, 1)
    switch(operator, 0)
    assert first.state == operator.state == "OPEN"
    for master in (first, operator):
        master.until_known(LIGHT, False)
        assert [one.value for asdu in master.asdus for one in asdu.objects] == [True, False]
