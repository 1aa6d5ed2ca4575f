"""Two masters of one group take turns, in good order and in bad: together they hear every event, and a stopped one nothing.

In a run of CI 40 switch-overs, by `make soak` 500, at 1,000 edges per second.
"""

from __future__ import annotations

import random
from collections import Counter

from tests.durability.wire import Master, Row, Station
from tests.scale import scale

SWITCH_OVERS = scale(40, 500)
EDGES_PER_SECOND = 1000
SOURCES = ("127.0.0.1", "127.0.0.2")


def in_order(old: Master, new: Master) -> None:
    """STOPDT on the one, STARTDT on the other."""
    old.stop()
    new.start()
    assert old.stopped
    assert not old.ended


def newest_wins(old: Master, new: Master) -> None:
    """STARTDT on the other while the one is still started: the station closes the one."""
    new.start()
    old.until(lambda: old.ended)
    assert old.ended


def broken(old: Master, new: Master) -> None:
    """The one is gone with a TCP reset."""
    old.reset()
    new.start()


def half_open(old: Master, new: Master) -> None:
    """The path of the one is dead: it neither receives nor acknowledges nor closes, and nobody is told."""
    new.start()


def test_switch_overs_of_every_kind_lose_nothing_and_tell_a_stopped_link_nothing(tmp_path):
    chance = random.Random(104)
    station = Station(tmp_path, EDGES_PER_SECOND)
    assert station.serves()
    masters = [Master(station.port, SOURCES[0])]
    masters[0].start()
    kinds: Counter[str] = Counter()
    for number in range(1, SWITCH_OVERS + 1):
        old = masters[-1]
        old.until(lambda: False, acknowledge=chance.random() < 0.7, patience_s=chance.uniform(0, 0.03))
        new = Master(station.port, SOURCES[number % 2])
        switch = chance.choice([in_order, newest_wins, broken, half_open])
        switch(old, new)
        kinds[switch.__name__] += 1
        assert new.started
        assert not new.ended
        if len(masters) > 4:  # what a dead path held back is still there, to be looked at
            masters[-4].drain(0)
            masters[-4].close()
        masters.append(new)

    edges = station.quiet()
    masters[-1].drain()
    station.stop()
    heard: Counter[Row] = Counter()
    for master in masters:
        while master.receive(0):
            pass
        assert master.intruders == []
        heard.update(master.rows)
        master.close()
    repeated = sum(heard.values()) - len(heard)
    print(
        f"{SWITCH_OVERS} switch-overs {dict(kinds)}: {len(heard):,} of {edges:,} events, {repeated:,} of them repeated"
    )
    assert len(heard) == edges
    assert_each_contact_alternates(heard)


def assert_each_contact_alternates(heard: Counter[Row]) -> None:
    """Nothing is missing and nothing was made up: sorted by their time tags the levels of a contact take turns."""
    by_contact: dict[int, list[Row]] = {}
    for row in heard:
        by_contact.setdefault(row.ioa, []).append(row)
    for ioa, rows in by_contact.items():
        levels = [row.octets[0] & 1 for row in sorted(rows, key=lambda row: row.tag)]
        assert levels == [1 - at % 2 for at in range(len(levels))], f"contact {ioa}"
