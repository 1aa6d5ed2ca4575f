"""The contacts of one device: edges to their chains, and the levels that tell of lost edges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from hw.interface import Edge
from rtu.points.contact import Contact

from .statistics import Statistics


class ContactInputs:
    """Routes by the place a contact has in its device. Everything here runs on the loop."""

    def __init__(
        self, contacts: Sequence[tuple[Contact, ...]], statistics: Statistics, log: Callable[[str], None]
    ) -> None:
        self._contacts = list(contacts)
        self._statistics = statistics
        self._log = log

    def edges(self, edges: Sequence[Edge]) -> None:
        """The sink of a device: takes edges in the order of their stamps, and never raises."""
        contacts = self._contacts
        statistics = self._statistics
        statistics.edges += len(edges)
        for channel, mono_ns, level, gap in edges:
            if gap:
                statistics.lost += gap
            for contact in contacts[channel]:
                try:
                    contact.edge(level, mono_ns)
                except Exception as error:  # what one change runs into must not cost the edges behind it
                    self.failed(error)

    def agree(self, levels: Sequence[int | None]) -> bool:
        """True when polled levels are no news."""
        return all(contact.agrees(level) for contact, level in self._pairs(levels))

    def levels(self, levels: Sequence[int | None], mono_ns: int, *, count: bool) -> None:
        """Reconcile with levels read at `mono_ns` (None: not readable); `count` what should have come as an edge."""
        for contact, level in self._pairs(levels):
            try:
                missed = contact.reconcile(level, mono_ns)
            except Exception as error:  # nor the contacts behind it
                self.failed(error)
            else:
                if missed and count:
                    self._statistics.resyncs += 1

    def lose(self, quality: int, mono_ns: int) -> None:
        """The device cannot be reached: every contact keeps its level with `quality`."""
        for users in self._contacts:
            for contact in users:
                try:
                    contact.lose(quality, mono_ns)
                except Exception as error:  # the others are lost all the same
                    self.failed(error)

    def _pairs(self, levels: Sequence[int | None]) -> Iterator[tuple[Contact, int | None]]:
        for users, level in zip(self._contacts, levels, strict=False):
            for contact in users:
                yield contact, level

    def failed(self, error: Exception) -> None:
        """Note that something above the field raised."""
        self._statistics.chain_errors += 1
        self._log(f"a value was not processed to its end: {type(error).__name__}: {error}")
