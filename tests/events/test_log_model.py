"""The log, a real store and a link that loses things, against a model that only counts.

A lease sends some batches; a prefix of them is acknowledged; the lease is lost; the process crashes and comes back with
what was committed, or stops in order. Each event carries a number of its own, so it is known wherever it turns up.

Always: in order on every lease, the same octets whenever repeated, nothing acknowledged and committed comes again,
and events made = events acknowledged + events counted as lost + events waiting. After everything was fetched, each
group has been told of all it lost.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from copy import deepcopy
from dataclasses import dataclass, field
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
LANES = ("states", "measured")
CAPACITY = {"states": 60, "measured": 9}
NOTICE_TYPES = (7, 33)


def encode(value: float, quality: int) -> bytes:
    return int(value).to_bytes(4, "little") + bytes([quality])


STATES = [Address(i, i, 1 + i // 3, 1000 + i, 7, 33, (), encode) for i in range(4)]
MEASURED = [Address(4, 4, 1, 2000, 13, 36, (), encode)]
OVERFLOW = [Address(5, 5, 1, 9000, 7, 33, (), encode), Address(6, 6, 2, 9001, 7, 7, (), encode)]
OVERFLOW_IOAS = {address.ioa for address in OVERFLOW}
EVERYTHING = [*STATES, *MEASURED, *OVERFLOW]
CAUSES = [SPONTANEOUS, Cause(11, 5, "main"), Cause(11, 9, "second"), Cause(12)]


@dataclass
class Expected:
    """One lane of one group, as far as it outlives a lease."""

    made: int = 0
    acked: int = 0
    last_acked: int = 0  # the number of the newest acknowledged event
    notices: list[bytes] = field(default_factory=list)  # sent, not acknowledged: fixed
    waiting: set[int] = field(default_factory=set)  # numbers made and not acknowledged; some may be lost


@dataclass
class Lease:
    """One lane of one group on one lease."""

    flight: deque[tuple[Any, list[int], list[tuple[int, bytes]]]] = field(default_factory=deque)
    last_sent: int = 0
    notices_sent: int = 0


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
        self.told = dict.fromkeys(GROUPS, 0)
        self.kept = deepcopy((self.expected, self.told))
        self.start(self.root / "0")
        self.let_time_pass(2.0)

    def start(self, directory: Path) -> None:
        self.store = Store.open(directory, self.clock)
        self.log = EventLog(
            GROUPS,
            self.clock,
            EVERYTHING,
            capacity=CAPACITY["states"],
            measured_capacity=CAPACITY["measured"],
            overflow=OVERFLOW,
            store=self.store,
        )
        self.leases = {key: Lease() for key in self.expected}

    def teardown(self) -> None:
        if hasattr(self, "log"):
            for group in GROUPS:
                self.fetch_everything(group)
            self.log.close()
        shutil.rmtree(self.root)

    # What happens in the field

    @rule(
        many=st.integers(1, 30),
        point=st.sampled_from([*STATES, *MEASURED]),
        cause=st.sampled_from(CAUSES),
    )
    def events(self, many: int, point: Address, cause: Cause) -> None:
        lane = "measured" if point in MEASURED else "states"
        for _ in range(many):
            self.number += 1
            octets = self.number.to_bytes(4, "little") + b"\x00\x00\x00\x00\x00\x01\x01\x1a"
            if lane == "states":
                self.log.state(point, octets, cause)
            else:
                self.log.measured(point, octets, cause, every=True)
            for group in GROUPS:
                self.expected[group, lane].made += 1
                self.expected[group, lane].waiting.add(self.number)

    # What happens on the link

    @rule(group=st.sampled_from(GROUPS), lane=st.sampled_from(LANES), many=st.integers(1, 4))
    def send(self, group: str, lane: str, many: int) -> None:
        for _ in range(many):
            self.send_one(group, lane)

    def send_one(self, group: str, lane: str) -> bool:
        source = self.log.groups[group]
        batch = source.next_states() if lane == "states" else source.next_measured()
        if batch is None:
            return False
        assert len(batch.asdu) <= 249
        asdu = ASDU.decode(batch.asdu)
        expected, lease = self.expected[group, lane], self.leases[group, lane]
        numbers, notices = [], []
        for item in asdu.objects:
            octets = b"".join(element.encode() for element in item.elements)
            value = int.from_bytes(octets[:4], "little")
            if item.ioa in OVERFLOW_IOAS:
                self.check_notice(expected, lease, batch.asdu)
                notices.append((value, batch.asdu))
                continue
            assert value > lease.last_sent, "out of order"
            assert value > expected.last_acked, "acknowledged, and sent again"
            assert value in expected.waiting
            lease.last_sent = value
            wire = (asdu.type_id, asdu.cause, asdu.originator, asdu.ca, item.ioa, octets)
            assert self.wire.setdefault((group, value), wire) == wire, "repeated with other octets"
            numbers.append(value)
        lease.flight.append((batch.token, numbers, notices))
        return True

    def check_notice(self, expected: Expected, lease: Lease, asdu: bytes) -> None:
        """A repeat, or a new notice before those still to be repeated; none of these may be left at the end."""
        if expected.notices[lease.notices_sent : lease.notices_sent + 1] != [asdu]:
            expected.notices.insert(lease.notices_sent, asdu)
        lease.notices_sent += 1

    @rule(group=st.sampled_from(GROUPS), lane=st.sampled_from(LANES), many=st.integers(1, 6))
    def acknowledge(self, group: str, lane: str, many: int) -> None:
        expected, lease = self.expected[group, lane], self.leases[group, lane]
        token = None
        for _ in range(min(many, len(lease.flight))):
            token, numbers, notices = lease.flight.popleft()
            expected.acked += len(numbers)
            expected.waiting.difference_update(numbers)
            expected.last_acked = max([expected.last_acked, *numbers])
            for value, _ in notices:
                self.told[group] = max(self.told[group], value)
                del expected.notices[0]
                lease.notices_sent -= 1
        if token is not None:
            self.log.groups[group].acknowledge(token)

    @rule(group=st.sampled_from(GROUPS))
    def lose_the_lease(self, group: str) -> None:
        self.log.groups[group].release()
        for lane in LANES:
            self.leases[group, lane] = Lease()

    @rule(group=st.sampled_from(GROUPS))
    def fetch_everything(self, group: str) -> None:
        for lane in LANES:
            while self.send_one(group, lane):
                self.acknowledge(group, lane, 1)
            self.acknowledge(group, lane, 1_000_000)
            assert self.expected[group, lane].notices == [], "a notice changed after it was sent"
        source = self.log.groups[group]
        assert source.pending == 0
        assert self.told[group] == source.lost, "a loss nobody was told of"

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
                self.kept = deepcopy((self.expected, self.told))

    @rule()
    def crash(self) -> None:
        """The directory as it is now is what the next start finds."""
        self.boots += 1
        before, after = self.root / str(self.boots - 1), self.root / str(self.boots)
        shutil.copytree(before, after)
        self.store.close()
        self.expected, self.told = deepcopy(self.kept)
        self.start(after)

    @rule()
    def stop_in_order(self) -> None:
        self.log.close()
        self.kept = deepcopy((self.expected, self.told))
        self.start(self.root / str(self.boots))

    @invariant()
    def everything_is_accounted_for(self) -> None:
        if not hasattr(self, "log"):
            return
        for group in GROUPS:
            source = self.log.groups[group]
            made = sum(self.expected[group, lane].made for lane in LANES)
            acked = sum(self.expected[group, lane].acked for lane in LANES)
            assert made == acked + source.lost + source.pending
            assert source.pending <= sum(CAPACITY.values())

    @invariant()
    def memory_is_bounded(self) -> None:
        if hasattr(self, "log"):
            assert len(self.log._states.rows) <= len(GROUPS) * CAPACITY["states"]
            assert len(self.log._measured.rows) <= len(GROUPS) * CAPACITY["measured"]


LogAndLink.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestLogAndLink = LogAndLink.TestCase
