"""Measured values of which only the newest counts: at most one per address waits for a group.

An update of a value that still waits replaces its octets and keeps its place, so a lively address cannot starve the
others. Values in flight come back, first and in order, when the lease is lost, unless something newer waits by then.
Nothing here outlives a restart: an interrogation tells the present values.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable

from .rows import Batch, Row, pack


class Latest:
    """The newest values one group has not been told. Bounded by the number of addresses."""

    def __init__(self, group: str) -> None:
        self.group = group
        self.pending: OrderedDict[int, Row] = OrderedDict()  # by address index
        self._flight: deque[tuple[int, list[Row]]] = deque()
        self._number = 0
        self._once_sent: set[int] = set()  # those of `pending` that came back

    def put(self, row: Row) -> None:
        """`row` is what its address reports now."""
        self.pending[row.address_index] = row
        if self._once_sent:
            self._once_sent.discard(row.address_index)

    def next(self) -> Batch | None:
        """The values that wait longest, as one ASDU."""
        return self._send(self.pending.values()) if self.pending else None

    def next_of(self, addresses: Iterable[int]) -> Batch | None:
        """The waiting values of these addresses, as one ASDU; ask again until None."""
        pending = self.pending
        rows = [pending[address] for address in addresses if address in pending]
        return self._send(rows) if rows else None

    def acknowledge(self, number: int) -> None:
        """Everything up to `number` has arrived."""
        while self._flight and self._flight[0][0] <= number:
            self._flight.popleft()

    def release(self) -> None:
        """The lease is lost: what was not acknowledged waits again."""
        back = {row.address_index: row for _, rows in self._flight for row in rows}
        self._flight.clear()
        for address, row in reversed(back.items()):
            if address not in self.pending:
                self.pending[address] = row
                self.pending.move_to_end(address, last=False)
                self._once_sent.add(address)

    def revise(self, change: Callable[[Row], Row]) -> None:
        """Replace the values that were never sent."""
        for address, row in self.pending.items():
            if address not in self._once_sent:
                self.pending[address] = change(row)

    def _send(self, rows: Iterable[Row]) -> Batch:
        asdu, packed = pack(rows, self.group)
        for row in packed:
            del self.pending[row.address_index]
            self._once_sent.discard(row.address_index)
        self._number += 1
        self._flight.append((self._number, packed))
        return Batch(asdu, (self, self._number))
