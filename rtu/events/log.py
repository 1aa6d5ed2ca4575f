"""The event log: where the point table's reports go, and where every redundancy group pulls them from.

    table --state()----> rows of states that go first ---+
                     `-> rows of states and counters ----+
    table --measured()-> rows of kept measured values ---+--> Group, one per redundancy group
                     `-> newest value per address -------+

What is promised: every committed event arrives at least once, in order, and byte-identical if repeated, time tag
included. Only events whose acknowledgement was not received, or not yet committed, can repeat. An event that had to be
dropped is counted, and its group is told. The kinds of rows have capacities of their own, so measured values never
evict a state. The rows are shared by all groups; the memory is bounded by the capacities.

The order is that of one stream. All rows of an address are in one stream: when the configuration lets an address go
first, or no longer, its new rows still follow the old ones until every group has got these.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from rtu.clock import Clock, WallTime
from rtu.iec104.time_tags import encode_cp56
from rtu.points.model import Address, Cause, Signal, Value

from .bell import Bell
from .group import Group, Position, TimeTag
from .journal import Journal, Keeper, Report, Volatile
from .rows import IOA_SIZE, MEASURED, STATES, STREAMS, URGENT, Kinds, Restored, Row, Scalar, owes
from .stream import Stream


def utc_tag(wall: WallTime) -> bytes:
    """CP56Time2a in UTC; IV unless the clock is synchronised."""
    return encode_cp56(wall.unix_ns, not wall.valid)


def silence(event: str, **details: object) -> None:
    """Tell nobody."""


class EventLog:
    """`groups` are the names of the redundancy groups, `addresses` those of the image; `capacity` and
    `measured_capacity` count rows waiting per group (states and counters, kept measured values). Events of the
    addresses that go `first` are a stream of their own, with `capacity` rows of its own.

    `overflow` are the addresses that tell a group how many rows it lost. `report` is told
    "events.group_removed", "events.addresses_removed", "events.lost_untold", "events.subscriber_failed", "store.fault",
    "store.recovered" and "store.set_aside", each with its details. Without `store` nothing outlives a restart.
    """

    def __init__(
        self,
        groups: Sequence[str],
        clock: Clock,
        addresses: Sequence[Address],
        *,
        capacity: int = 100_000,
        measured_capacity: int = 10_000,
        first: Collection[Address] = (),
        overflow: Sequence[Address] = (),
        store: Keeper | None = None,
        time_tag: TimeTag = utc_tag,
        report: Report = silence,
    ) -> None:
        self._store = store if store is not None else Volatile()
        self._report = report
        self._bell = Bell(self._subscriber_failed)
        restored = self._store.restored
        self._journal = Journal(self._store, clock, report)
        known = {(address.ca, address.ioa): address.index for address in addresses}
        self._kinds = Kinds()
        self._urgent, self._states, self._measured = streams = (
            Stream(URGENT, capacity, restored, known, self._kinds, self._journal),
            Stream(STATES, capacity, restored, known, self._kinds, self._journal),
            Stream(MEASURED, measured_capacity, restored, known, self._kinds, self._journal),
        )
        self.groups: Mapping[str, Group] = {
            name: Group(
                name,
                streams,
                clock=clock,
                kinds=self._kinds,
                bell=self._bell,
                overflow=overflow,
                time_tag=time_tag,
                silent=self._lost_untold,
            )
            for name in groups
        }
        self._latest = [group.latest for group in self.groups.values()]
        removed = {name for name, _ in restored.cursors} - set(groups)
        for name in sorted(removed):
            report("events.group_removed", group=name, rows=_undelivered(restored, name))
        self._journal.start(streams, sorted(removed))
        for stream in streams:
            if stream.missing:
                report("events.addresses_removed", rows=len(stream.missing))
            stream.settle()
        # The store may now let go of what it read.
        for number in STREAMS:
            restored.runs[number].clear()
        self._first = frozenset(address.index for address in first)
        self._behind = {
            address.index: other
            for address in addresses
            if (other := self._states if address.index in self._first else self._urgent).holds(address.index)
        }

    @property
    def head(self) -> int:
        """Sequence number of the newest row of the states that do not go first; 0 if there never was one."""
        return self._states.head

    @property
    def position(self) -> Position:
        """How far the streams of states are, for `Group.passed`."""
        return Position(self._urgent.head, self._states.head)

    @property
    def committed(self) -> int:
        """Rows up to this one, of those `head` counts, survive a power cut."""
        return self._store.committed

    @property
    def fault(self) -> str | None:
        """Why the last commit failed: what came since would not survive a restart. None while all is well."""
        return self._store.fault

    @property
    def last_states(self) -> Mapping[str, tuple[float, int]]:
        """Value and quality of every state by the name of its signal, stored ones first."""
        return self._journal.last_states

    @property
    def counters(self) -> Mapping[str, float]:
        """Totals by the name of the counter's signal."""
        return self._journal.counters

    @property
    def meta(self) -> Mapping[str, Scalar]:
        """What `remember` was given, over restarts."""
        return self._journal.meta

    def changed(self, signal: Signal, value: Value) -> None:
        """To be found after a restart. Counters alone force no commit."""
        if signal.kind == "counter":
            self._journal.counter_changed(signal.name, value[0])
        else:
            self._journal.state_changed(signal.name, value[:2])

    def state(self, address: Address, octets: bytes, cause: Cause) -> None:
        """One more event of a state or counter; `octets` are its elements and time tag."""
        index = address.index
        stream = self._urgent if index in self._first else self._states
        if self._behind and (older := self._behind.get(index)) is not None:
            if older.holds(index):
                stream = older
            else:
                del self._behind[index]
        stream.append(address, octets, cause)
        if not self._bell.rung:
            self._bell.ring()

    def measured(self, address: Address, octets: bytes, cause: Cause, every: bool) -> None:
        """A measured value: with `every` one more row, else the newest of its address."""
        if every:
            self._measured.append(address, octets, cause)
        else:
            row = self._kinds.row(address, octets, cause)
            for latest in self._latest:
                latest.put(row)
        if not self._bell.rung:
            self._bell.ring()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have `callback` called when something was added, once until some group pulls; returns what ends that."""
        return self._bell.listen(callback)

    def remember(self, key: str, value: Scalar) -> None:
        """Store a small value under a key, with the next commit."""
        self._journal.remember(key, value)

    def commit_soon(self) -> None:
        """Commit within the next group commit although only counters changed (after a freeze)."""
        self._journal.commit_soon()

    def resolve(self, fix: Callable[[int, bytes], bytes]) -> None:
        """Make time tags right that were made before the clock was: once, at the first synchronisation.

        `fix(type_id, octets)` returns the octets as they should be. It is asked for what was made since the start
        and sent to no group; what somebody was sent keeps its bytes.
        """

        def change(row: Row) -> Row:
            kind, octets, index = row
            fixed = octets[:IOA_SIZE] + fix(kind.type_id, octets[IOA_SIZE:])
            return row if fixed == octets else (kind, fixed, index)

        revised = [stream.revise(change) for stream in (self._urgent, self._states, self._measured)]
        if any(revised):
            self._journal.rows_revised()
        for latest in self._latest:
            latest.revise(change)

    def close(self) -> None:
        """Store everything and close the store; waits for the disk."""
        self._journal.close()

    def _subscriber_failed(self, error: Exception) -> None:
        self._report("events.subscriber_failed", reason=f"{type(error).__name__}: {error}")

    def _lost_untold(self, group: str, count: int) -> None:
        self._report("events.lost_untold", group=group, rows=count)


def _undelivered(restored: Restored, group: str) -> int:
    return sum(
        owes(seq, state.acked, state.gaps)
        for (name, stream), state in restored.cursors.items()
        if name == group
        for first, _, objects in restored.runs[stream]
        for seq in range(first, first + len(objects))
    )
