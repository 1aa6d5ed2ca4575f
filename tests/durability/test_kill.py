"""The station is killed at any moment: everything committed reaches the master, in order, repeats octet by octet the same.

Killed in a run of CI: 12 times; by `make soak`: 1,000 times. 2,000 edges per second throughout.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

from tests.durability.edge_station import FIRST_IOA, LINES
from tests.durability.restart import addresses_of, restarted, undelivered
from tests.durability.wire import Master, Row, Station, rows
from tests.scale import scale

KILLS = scale(12, 1000)
EDGES_PER_SECOND = 2000
CONTACTS = addresses_of("single", [FIRST_IOA + line for line in LINES])


def committed(directory: Path, copy: Path) -> list[Row]:
    """What a restart would find in the event store and send, in order."""
    shutil.rmtree(copy, ignore_errors=True)
    if not (directory / "events").exists():
        return []
    shutil.copytree(directory / "events", copy, ignore=shutil.ignore_patterns("control"))
    with restarted(copy, CONTACTS) as log:
        return [row for asdu in undelivered(log) for row in rows(asdu)]


def live_and_die(directory: Path, chance: random.Random, heard: list[Row]) -> None:
    """One life of the station: it may be killed before it serves, before a master comes, or while one listens."""
    station = Station(directory, EDGES_PER_SECOND)
    life_s = chance.choice([0.02, 0.3, 1.0]) * chance.random()
    if station.serves(within_s=chance.choice([life_s, 30.0])) and chance.random() < 0.9:
        master = Master(station.port)
        master.start()
        master.until(lambda: False, acknowledge=chance.random() < 0.8, patience_s=life_s)
        station.kill()
        master.until(lambda: master.ended)
        master.close()
        heard += master.rows
    else:
        station.kill()


def test_a_killed_at_any_moment_the_station_loses_nothing_that_was_committed(tmp_path):
    chance = random.Random(60870)
    heard: list[Row] = []
    kept: dict[Row, None] = {}
    for _ in range(KILLS):
        live_and_die(tmp_path, chance, heard)
        stored = committed(tmp_path, tmp_path / "copy")
        assert in_order_of_time(stored)
        kept |= dict.fromkeys(stored)

    station = Station(tmp_path, 0)
    assert station.serves()
    master = Master(station.port)
    master.start()
    master.drain()
    master.close()
    station.stop()
    heard += master.rows

    times = Counter(heard)
    assert [row for row in kept if row not in times] == []
    assert in_order_of_time(list(dict.fromkeys(heard)))
    repeated = sum(count - 1 for count in times.values())
    print(
        f"{KILLS} kills: {len(kept):,} events seen in the store, {len(times):,} heard, "
        f"{repeated:,} of them repeated"
    )
    assert len(kept) > KILLS


def in_order_of_time(events: list[Row]) -> bool:
    """Whether for each contact the events come in the order they happened; its time tags are all different.

    A repeat with other octets would be an event of its own, and out of place.
    """
    last: dict[int, tuple[int, ...]] = {}
    for row in events:
        if row.tag <= last.get(row.ioa, ()):
            return False
        last[row.ioa] = row.tag
    return True
