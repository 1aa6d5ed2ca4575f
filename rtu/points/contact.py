"""A contact: raw stamped edges become confirmed levels; the first edge stamps, stability decides.

An edge away from the confirmed level opens a candidate and gives it its stamp. Every further edge moves
the deadline to `debounce_ns` after itself. At the deadline the last known level decides: it is either a
change, stamped with the first edge of the train, or a glitch that is counted and forgotten. A train that does not end
says so: the confirmed level becomes not topical, until the last edge is `debounce_ns` old.

An edge says "the level was L shortly after t", never that something moved: the kernel may merge two fast
ones. Stamps decide, not the moment the edge is read, so a late reader finds the same changes.
"""

from __future__ import annotations

from collections.abc import Callable

from rtu.clock import SECOND, Clock

from .model import GOOD, IV, NT, Value

RESTLESS_NS = SECOND
"""A train longer than this, and than four times the debounce time, tells nothing about the contact any more."""


class Contact:
    """One input. `sink` gets a Value (0 or 1) for every confirmed change, and for every change of quality.

    `debounce_ns` 0 confirms at once. `invert` turns the physical level round, here and nowhere else.
    A level met while nothing is known (at start, after a failure) is taken at once.
    """

    __slots__ = (
        "_clock",
        "_confirmed",
        "_deadline_ns",
        "_debounce_ns",
        "_first_ns",
        "_flip",
        "_known",
        "_latest_ns",
        "_level",
        "_pending",
        "_quality",
        "_restless",
        "_restless_ns",
        "_sink",
        "_timer_ns",
        "suppressed",
    )

    def __init__(
        self,
        clock: Clock,
        sink: Callable[[Value], None],
        *,
        debounce_ns: int = 0,
        invert: bool = False,
    ) -> None:
        self._clock = clock
        self._sink = sink
        self._debounce_ns = debounce_ns
        self._flip = int(invert)
        self._known = False
        self._quality = IV | NT
        self._level = 0
        self._confirmed = 0
        self._latest_ns = 0
        self._pending = False
        self._restless = False  # the train is too long, and that was told
        self._restless_ns = max(RESTLESS_NS, 4 * debounce_ns)
        self._first_ns = 0
        self._deadline_ns = 0
        self._timer_ns = 0
        self.suppressed = 0
        """Trains of edges that came back to where they started."""

    def edge(self, level: int, mono_ns: int) -> None:
        """The physical level was `level` (0 or 1) shortly after `mono_ns`."""
        if mono_ns < self._latest_ns:
            mono_ns = self._latest_ns
        else:
            self._latest_ns = mono_ns
        if self._pending and mono_ns >= self._deadline_ns:
            self._decide()
        level ^= self._flip
        self._level = level
        if self._quality:
            self._confirm(level, mono_ns)
        elif self._pending:
            self._deadline_ns = mono_ns + self._debounce_ns
            if mono_ns - self._first_ns > self._restless_ns and not self._restless:
                self._restless = True
                self._sink(Value(self._confirmed, NT, mono_ns))
        elif level == self._confirmed:
            self.suppressed += 1
        elif self._debounce_ns:
            self._pending = True
            self._first_ns = mono_ns
            self._deadline_ns = mono_ns + self._debounce_ns
            if not self._timer_ns:
                self._arm()
        else:
            self._confirm(level, mono_ns)

    def agrees(self, level: int | None) -> bool:
        """True when a polled physical level is no news: it is the known one, or edges are still settling."""
        return (
            not self._quality and level is not None and (self._pending or level ^ self._flip == self._level)
        )

    def reconcile(self, level: int | None, mono_ns: int) -> bool:
        """Compare with a polled physical level (None: it could not be read).

        Returns True when the level had changed without an edge, which was then made up.
        """
        if level is None:
            self.lose(IV, mono_ns)
            return False
        if self.agrees(level):
            return False
        missed = not self._quality
        self.edge(level, mono_ns)
        return missed

    def lose(self, quality: int, mono_ns: int) -> None:
        """It cannot be read any more: the last level is told once with `quality` (IV, NT or both)."""
        if self._pending and mono_ns >= self._deadline_ns:
            self._decide()
        quality |= self._quality
        if quality == self._quality or not self._known:
            return
        self._quality = quality
        self._pending = self._restless = False
        self._latest_ns = max(self._latest_ns, mono_ns)
        self._sink(Value(self._confirmed, quality, self._latest_ns))

    def _confirm(self, level: int, mono_ns: int) -> None:
        self._known = True
        self._quality = GOOD
        self._confirmed = level
        self._sink(Value(level, GOOD, mono_ns))

    def _decide(self) -> None:
        self._pending = False
        if self._restless:
            self._restless = False
            self._confirm(self._level, self._deadline_ns - self._debounce_ns)
        elif self._level == self._confirmed:
            self.suppressed += 1
        else:
            self._confirm(self._level, self._first_ns)

    def _arm(self) -> None:
        self._timer_ns = self._deadline_ns
        self._clock.call_at(self._deadline_ns, self._due)

    def _due(self) -> None:
        # One timer per train: an edge only moves the deadline, and the timer looks when it fires.
        fired_ns, self._timer_ns = self._timer_ns, 0
        if not self._pending:
            return
        if self._deadline_ns > fired_ns:
            self._arm()
        else:
            self._decide()
