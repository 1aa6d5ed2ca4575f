"""The log, a real store and a link that loses things, against a model that only counts.

A lease sends some batches; a prefix of them is acknowledged; the lease is lost; the process crashes and comes back with
what was committed, or stops in order. Sometimes the disk takes nothing, and once in a life the time becomes known.
Each event carries a number of its own, so it is known wherever it turns up.

Always: in order on every lease, the same octets whenever repeated, nothing acknowledged and committed comes again,
and events made = events acknowledged + events counted as lost + events discarded + events waiting. The number of lost
events that a group is shown never goes back, and a notice of it repeats unchanged unless it has become wrong. After
everything was fetched, each group has been told of all it lost.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections import deque
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rtu.clock import VirtualClock
from rtu.events.log import EventLog
from rtu.events.store import Store
from rtu.iec104.asdu import ASDU
from rtu.points.model import SPONTANEOUS, Address, Cause

GROUPS = ("main", "second")
LANES = ("urgent", "states", "measured")
CAPACITY = {"urgent": 25, "states": 25, "measured": 9}
NOTICE_TYPES = (7, 33)


def encode(value: float, quality: int) -> bytes:
    return int(value).to_bytes(4, "little") + bytes([quality])


URGENT = [Address(i, i, 1, 1000 + i, 7, 33, (), encode) for i in range(2)]
STATES = [Address(i, i, i, 1000 + i, 7, 33, (), encode) for i in range(2, 4)]
MEASURED = [Address(4, 4, 1, 2000, 13, 36, (), encode)]
OVERFLOW = [Address(5, 5, 1, 9000, 7, 33, (), encode), Address(6, 6, 2, 9001, 7, 7, (), encode)]
OVERFLOW_IOAS = {address.ioa for address in OVERFLOW}
EVERYTHING = [*URGENT, *STATES, *MEASURED, *OVERFLOW]
ROOM = len(EVERYTHING)  # beyond the capacity, for what a start tells
LANE_OF = {
    **dict.fromkeys((address.ioa for address in URGENT), "urgent"),
    **dict.fromkeys((address.ioa for address in STATES), "states"),
    **dict.fromkeys((address.ioa for address in MEASURED), "measured"),
}
CAUSES = [SPONTANEOUS, Cause(11, 5, "main"), Cause(11, 9, "second"), Cause(12)]


@dataclass
class Expected:
    """One lane of one group, as far as it outlives a lease."""

    made: int = 0
    acked: int = 0
    discarded: int = 0
    last_acked: int = 0  # the number of the newest acknowledged event
    waiting: set[int] = field(default_factory=set)  # numbers made and not acknowledged; some may be lost


@dataclass
class Lease:
    """One lane of one group on one lease."""

    flight: deque[tuple[Any, list[int], list[tuple[int, int]], tuple[int, bytes] | None]] = field(
        default_factory=deque
    )
    repeats: deque[tuple[int, bytes]] = field(
        default_factory=deque
    )  # notices of the lease before: total and ASDU
    last_sent: int = 0


class Disk(sqlite3.Connection):
    """A connection whose commits fail while `broken`."""

    broken = False

    def execute(self, sql, *parameters):  # type: ignore[no-untyped-def]
        if sql == "COMMIT" and Disk.broken:
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *parameters)


class LogAndLink(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.boots = 0
        self.number = 0
        self.wire: dict[tuple[str, int], tuple[object, ...]] = {}
        self.clock = VirtualClock()

    @initialize()
    def first_start(self) -> None:
        self.expected = {(group, lane): Expected() for group in GROUPS for lane in LANES}
        self.told = {(group, ioa): 0 for group in GROUPS for ioa in OVERFLOW_IOAS}  # acknowledged
        self.shown = dict(self.told)  # sent, acknowledged or not
        self.keep()
        self.start(self.root / "0")
        self.let_time_pass(2.0)

    def keep(self) -> None:
        self.kept = deepcopy((self.expected, self.told, self.shown))

    def start(self, directory: Path) -> None:
        Disk.broken = False
        self.resolved = False
        self.store = Store.open(directory, self.clock, partial(sqlite3.connect, factory=Disk))
        self.log = EventLog(
            GROUPS,
            self.clock,
            EVERYTHING,
            capacity=CAPACITY["states"],
            measured_capacity=CAPACITY["measured"],
            first=URGENT,
            overflow=OVERFLOW,
            store=self.store,
        )
        self.leases = {key: Lease() for key in self.expected}

    def teardown(self) -> None:
        if hasattr(self, "log"):
            for group in GROUPS:
                self.fetch_everything(group)
            Disk.broken = False
            self.log.close()
        shutil.rmtree(self.root)

    # What happens in the field

    @rule(
        many=st.integers(1, 30),
        point=st.sampled_from([*URGENT, *STATES, *MEASURED]),
        cause=st.sampled_from(CAUSES),
    )
    def events(self, many: int, point: Address, cause: Cause) -> None:
        lane = LANE_OF[point.ioa]
        for _ in range(many):
            self.number += 1
            octets = self.number.to_bytes(4, "little") + b"\x00\x00\x00\x00\x00\x01\x01\x1a"
            if lane == "measured":
                self.log.measured(point, octets, cause, every=True)
            else:
                self.log.state(point, octets, cause)
            for group in GROUPS:
                self.expected[group, lane].made += 1
                self.expected[group, lane].waiting.add(self.number)

    # What happens on the link

    @rule(group=st.sampled_from(GROUPS), what=st.sampled_from(["states", "measured"]), many=st.integers(1, 4))
    def send(self, group: str, what: str, many: int) -> None:
        for _ in range(many):
            self.send_one(group, what)

    def send_one(self, group: str, what: str) -> bool:
        source = self.log.groups[group]
        position = self.log.position
        batch = source.next_states() if what == "states" else source.next_measured()
        if batch is None:
            assert what == "measured" or source.passed(position)
            return False
        assert len(batch.asdu) <= 249
        asdu = ASDU.decode(batch.asdu)
        lane = self.lane_of(group, batch)
        expected, lease = self.expected[group, lane], self.leases[group, lane]
        numbers, notices = [], []
        for item in asdu.objects:
            octets = b"".join(element.encode() for element in item.elements)
            value = int.from_bytes(octets[:4], "little")
            if item.ioa in OVERFLOW_IOAS:
                assert value >= self.shown[group, item.ioa], "fewer lost than it was shown before"
                self.shown[group, item.ioa] = value
                notices.append((item.ioa, value))
                continue
            assert lane == LANE_OF[item.ioa]
            assert value > lease.last_sent, "out of order"
            assert value > expected.last_acked, "acknowledged, and sent again"
            assert value in expected.waiting
            lease.last_sent = value
            wire = (asdu.type_id, asdu.cause, asdu.originator, asdu.ca, item.ioa, octets)
            assert self.wire.setdefault((group, value), wire) == wire, "repeated with other octets"
            numbers.append(value)
        if notices and lease.repeats and source.lost == lease.repeats[0][0]:
            assert lease.repeats.popleft()[1] == batch.asdu, "a notice that is still right was changed"
        lease.flight.append((batch.token, numbers, notices, (source.lost, batch.asdu) if notices else None))
        return True

    def lane_of(self, group: str, batch: Any) -> str:
        source = self.log.groups[group]
        return LANES[source._cursors.index(batch.token[0])]

    @rule(group=st.sampled_from(GROUPS), lane=st.sampled_from(LANES), many=st.integers(1, 6))
    def acknowledge(self, group: str, lane: str, many: int) -> None:
        expected, lease = self.expected[group, lane], self.leases[group, lane]
        token = None
        for _ in range(min(many, len(lease.flight))):
            token, numbers, notices, _ = lease.flight.popleft()
            expected.acked += len(numbers)
            expected.waiting.difference_update(numbers)
            expected.last_acked = max([expected.last_acked, *numbers])
            for ioa, value in notices:
                self.told[group, ioa] = max(self.told[group, ioa], value)
        if token is not None:
            self.log.groups[group].acknowledge(token)

    @rule(group=st.sampled_from(GROUPS))
    def lose_the_lease(self, group: str) -> None:
        self.log.groups[group].release()
        for lane in LANES:
            lease = self.leases[group, lane]
            self.leases[group, lane] = Lease(repeats=deque(notice for *_, notice in lease.flight if notice))

    @rule(group=st.sampled_from(GROUPS))
    def discard(self, group: str) -> None:
        source = self.log.groups[group]
        lost, before = source.lost, source.pending
        count = source.discard()
        assert (source.lost, source.pending) == (lost, before - count)
        in_flight = 0
        for lane in LANES:
            expected = self.expected[group, lane]
            self.leases[group, lane].repeats.clear()  # one notice stands for all now
            flying = {n for _, numbers, _, _ in self.leases[group, lane].flight for n in numbers}
            in_flight += len(flying)
            # What was lost before is still among those waiting: only the log knows which.
            expected.waiting &= flying
        assert source.pending == in_flight
        self.expected[group, "states"].discarded += count

    @rule(group=st.sampled_from(GROUPS))
    def fetch_everything(self, group: str) -> None:
        for what in ("states", "measured"):
            while self.send_one(group, what):
                pass
        for lane in LANES:
            self.acknowledge(group, lane, 1_000_000)
        source = self.log.groups[group]
        assert source.pending == 0
        for ioa in OVERFLOW_IOAS:
            assert self.told[group, ioa] == source.lost, "a loss nobody was told of"

    # What happens to the station

    @rule(seconds=st.sampled_from([0.02, 0.5, 2.0, 61.0]))
    def let_time_pass(self, seconds: float) -> None:
        """In steps, so that whatever is due is committed before more happens."""
        steps = 10 if seconds > 0.02 else 1
        for _ in range(steps):
            commits = self.store.commits
            self.clock.advance(seconds / steps)
            assert self.store.drain(10)
            if self.store.commits != commits:
                self.keep()

    @rule()
    def break_or_mend_the_disk(self) -> None:
        Disk.broken = not Disk.broken

    @rule()
    def learn_the_time(self) -> None:
        if self.resolved or Disk.broken or self.store.incomplete:
            return
        self.resolved = True
        mark = bytes([1 + self.boots])
        self.log.resolve(lambda _, octets: octets[:5] + mark + octets[6:])
        self.let_time_pass(0.5)

    @rule()
    def crash(self) -> None:
        """The directory as it is now is what the next start finds."""
        self.boots += 1
        before, after = self.root / str(self.boots - 1), self.root / str(self.boots)
        shutil.copytree(before, after)
        self.store.close()
        self.expected, self.told, self.shown = deepcopy(self.kept)
        self.start(after)

    @rule()
    def stop_in_order(self) -> None:
        Disk.broken = False
        self.log.close()
        self.keep()
        self.start(self.root / str(self.boots))

    @invariant()
    def everything_is_accounted_for(self) -> None:
        if not hasattr(self, "log"):
            return
        for group in GROUPS:
            source = self.log.groups[group]
            made = sum(self.expected[group, lane].made for lane in LANES)
            done = sum(
                self.expected[group, lane].acked + self.expected[group, lane].discarded for lane in LANES
            )
            assert made == done + source.lost + source.pending
            assert source.pending <= sum(CAPACITY.values()) + len(LANES) * ROOM

    @invariant()
    def memory_is_bounded(self) -> None:
        if hasattr(self, "log"):
            for lane, stream in zip(
                LANES, (self.log._urgent, self.log._states, self.log._measured), strict=True
            ):
                assert len(stream.rows) <= len(GROUPS) * (CAPACITY[lane] + ROOM)


LogAndLink.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestLogAndLink = LogAndLink.TestCase
