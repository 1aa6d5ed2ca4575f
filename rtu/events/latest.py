"""Measured values of which only the newest counts: at most one per address and type waits for a group.

An update of a value that still waits replaces its octets and keeps its place, so a lively address cannot starve the
others. Values in flight come back, first and in order, when the lease is lost, unless something newer waits by then.
With double transmission an address waits as two types. Nothing here outlives a restart: an interrogation tells the
present values.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice

from .rows import MAX_OBJECTS, Batch, Row, pack


class Latest:
    """The newest values one group has not been told. Bounded by the number of addresses."""

    def __init__(self, group: str) -> None:
        self.group = group
        self.pending: OrderedDict[int, tuple[Row, ...]] = OrderedDict()  # by address index
        self._flight: deque[tuple[int, Sequence[Row]]] = deque()
        self._number = 0
        self._once_sent: set[tuple[int, int]] = set()  # those of `pending` that came back

    def put(self, row: Row) -> None:
        """`row` is what its address reports now."""
        self.pending[row[2]] = (*self._others(row), row)
        if self._once_sent:
            self._once_sent.discard(_key(row))

    def next(self) -> Batch | None:
        """The values that wait longest, as one ASDU."""
        return self._send(chain.from_iterable(self.pending.values())) if self.pending else None

    def next_of(self, addresses: Iterable[int]) -> Batch | None:
        """The waiting values of these addresses, as one ASDU; ask again until None."""
        rows = [row for address in addresses for row in self.pending.get(address, ())]
        return self._send(rows) if rows else None

    def acknowledge(self, number: int) -> None:
        """Everything up to `number` has arrived."""
        while self._flight and self._flight[0][0] <= number:
            self._flight.popleft()

    def release(self) -> None:
        """The lease is lost: what was not acknowledged waits again."""
        back = {_key(row): row for _, rows in self._flight for row in rows}
        self._flight.clear()
        for key, row in reversed(back.items()):
            others = self._others(row)
            if len(others) == len(self.pending.get(row[2], ())):
                self.pending[row[2]] = (row, *others)
                self.pending.move_to_end(row[2], last=False)
                self._once_sent.add(key)

    def discard(self) -> int:
        """What waits is not wanted any more; returns how many values that were."""
        count = sum(map(len, self.pending.values()))
        self.pending.clear()
        self._once_sent.clear()
        return count

    def revise(self, change: Callable[[Row], Row]) -> None:
        """Replace the values that were never sent."""
        for address, rows in self.pending.items():
            self.pending[address] = tuple(
                row if _key(row) in self._once_sent else change(row) for row in rows
            )

    def _others(self, row: Row) -> tuple[Row, ...]:
        """What waits of its address in another type."""
        waiting = self.pending.get(row[2], ())
        if len(waiting) == 1 and waiting[0][0] is row[0]:
            return ()
        return tuple(other for other in waiting if other[0].type_id != row[0].type_id)

    def _send(self, rows: Iterable[Row]) -> Batch:
        rows = list(islice(rows, MAX_OBJECTS))
        asdu, count, _ = pack(rows, self.group)
        packed = rows[:count]
        for row in packed:
            others = self._others(row)
            if others:
                self.pending[row[2]] = others
            else:
                del self.pending[row[2]]
            self._once_sent.discard(_key(row))
        self._number += 1
        self._flight.append((self._number, packed))
        return Batch(asdu, (self, self._number))


def _key(row: Row) -> tuple[int, int]:
    return row[2], row[0].type_id
