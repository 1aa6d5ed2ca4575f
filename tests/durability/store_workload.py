"""Child process: an event log at work on its store, telling what the store had promised so far.

    store_workload.py DIRECTORY ROUNDS

Events are bitstrings that carry their own number, acknowledged unevenly; with every commit and acknowledgement the file
`promises` in DIRECTORY gets one line: the last number committed and the last one acknowledged.
"""

import random
import sys
from pathlib import Path

import rtu.events.store
from rtu.clock import SECOND, VirtualClock
from rtu.events.log import EventLog
from rtu.events.store import Store
from rtu.points.model import SPONTANEOUS
from tests.durability.restart import addresses_of

WORDS = addresses_of("bitstring", range(1, 11))


def main(directory: str, rounds: str) -> None:
    rtu.events.store.CHECKPOINT_OCTETS = 40_000  # so that there are many
    base = Path(directory)
    clock = VirtualClock()
    store = Store.open(base, clock)
    log = EventLog(("main",), clock, WORDS, store=store)
    group = log.groups["main"]
    chance = random.Random(60870)
    number = acknowledged = 0
    with (base / "promises").open("w", buffering=1, encoding="ascii") as promises:
        for _ in range(int(rounds)):
            for _ in range(chance.randrange(12)):
                number += 1
                octets = number.to_bytes(4, "little") + bytes(8)
                log.state(WORDS[number % len(WORDS)], octets, SPONTANEOUS)
            log.remember("number", number)
            batches = []
            while chance.random() < 0.6 and (batch := group.next_states()) is not None:
                batches.append(batch)
            for batch in batches[: chance.randrange(len(batches) + 1)]:
                acknowledged = max(acknowledged, *numbers(batch.asdu))
                promises.write(f"{store.committed} {acknowledged}\n")
                group.acknowledge(batch.token)
            group.release()
            for _ in range(chance.choice([1, 5, 60])):
                clock.advance(0.03)
                assert store.drain(10)
            promises.write(f"{store.committed} {acknowledged}\n")
    clock.advance(ns=2 * SECOND)
    log.close()


def numbers(asdu: bytes) -> list[int]:
    return [int.from_bytes(asdu[at + 3 : at + 7], "little") for at in range(6, len(asdu), 15)]


if __name__ == "__main__":
    main(*sys.argv[1:])
