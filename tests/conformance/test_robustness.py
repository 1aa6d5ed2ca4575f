"""M. Robustness: whatever masters and their networks do, nothing is lost and everybody else is served."""

from __future__ import annotations

import gc
import random
import tracemalloc
from collections import deque
from collections.abc import Callable

from tests.conformance.wire import Wire, asdus
from tests.scale import scale
from tests.station.conftest import Master, Rig

INTERROGATION = bytes.fromhex("64010600010000000014")
EVENTS_PER_S = 50
WARM_UP_S = 20
STEP_WITH_TIME = 32
GROWTH = 200_000
"""Octets; a soaked station may hold more of what it holds a little of, but nothing per event or connection."""


class ControlCentre:
    """The controlling system of one group, on a bad line: told everything in order, some of it twice."""

    def __init__(self, rig: Rig, group: str, rnd: random.Random) -> None:
        self.rig = rig
        self.group = group
        self.rnd = rnd
        self.master: Master | None = None
        self.expected: deque[tuple[int, int]] = deque()
        self.before: deque[tuple[int, int]] = deque(maxlen=EVENTS_PER_S * 10)
        self.connections = 0

    def live(self) -> None:
        """One moment: be told, and now and then fall silent, lose the connection, or come back."""
        if self.master is None:
            if self.rnd.random() < 0.02:
                self.master = self.rig.connect(group=self.group).start()
                self.connections += 1
            return
        self.hear()
        if self.master.closed is not None or self.rnd.random() < 0.005:
            self.master.disconnect()
            self.master = None
        elif self.rnd.random() < 0.02:
            self.master.acknowledging = not self.master.acknowledging

    def hear(self) -> None:
        for asdu in self.master.take() if self.master else ():
            if asdu.type_id == STEP_WITH_TIME:
                for one in asdu.objects:
                    position, _, time = one.elements
                    self.told((position.value, time.to_ns()))

    def told(self, event: tuple[int, int]) -> None:
        if self.expected and event == self.expected[0]:
            self.before.append(self.expected.popleft())
        else:
            assert event in self.before, "told out of order, or something that did not happen"


def test_m05_nothing_is_lost_and_nothing_grows(make_rig: Callable[..., Rig]) -> None:
    """Some seconds in every run, a day with `make soak`."""
    rig = make_rig()
    rnd = random.Random(24)
    centres = [ControlCentre(rig, group, rnd) for group in ("main", "other")]

    def live(seconds: int) -> None:
        for number in range(seconds * EVENTS_PER_S):
            rig.set("tap", number % 100 - 50)
            event = (number % 100 - 50, rig.clock.wall(rig.clock.now_ns()).unix_ns)
            rig.advance(1 / EVENTS_PER_S)
            for centre in centres:
                centre.expected.append(event)
                centre.live()
        rig.audit.records.clear()

    def held() -> int:
        """Octets in use when everybody has been told everything."""
        for centre in centres:
            if centre.master is not None:
                centre.master.disconnect()
            centre.master = rig.connect(group=centre.group).start()
            rig.advance(1)
            centre.hear()
            assert not centre.expected
            assert rig.log.groups[centre.group].lost == 0
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        live(WARM_UP_S)
        before = held()
        live(scale(ci=40, soak=86_400))
        assert held() - before < GROWTH
    finally:
        tracemalloc.stop()
    assert all(centre.connections > 5 for centre in centres)


def test_m06_malformed_frames_in_any_order_end_their_own_connection_only(
    rig: Rig, vectors: dict[str, bytes]
) -> None:
    malformed = [name for name in vectors if name.startswith("bad.")]
    assert len(malformed) == 14
    rnd = random.Random(14)
    witness = Wire(rig, group="other").start()
    for _ in range(10):
        for name in rnd.sample(malformed, len(malformed)):
            attacker = Wire(rig)
            if rnd.random() < 0.5:
                attacker.start()
            attacker.say(vectors[name])
            assert attacker.closed, name
            answers = [octets[2] for octets in asdus(witness.say(witness.ask(INTERROGATION)))]
            assert (answers[0], answers[-1]) == (7, 10)
            witness.acknowledge()
    assert rig.relays.history == []
