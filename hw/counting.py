"""Counting pulses from stamped edges: a pulse counts once, when it and the rest before it lasted long enough.

Reed contacts bounce, and a bounce is no pulse. Since edges carry the time they happened, it does not
matter when they are looked at, and no timer is needed.
"""

from __future__ import annotations


class PulseCount:
    """Pulses of one line. `active` is the level of a pulse, `min_ns` what a level must last to be believed.

    A level that is there at the beginning is not a pulse.
    """

    __slots__ = ("_active", "_believed", "_level", "_min_ns", "_since_ns", "total")

    def __init__(self, active: int, min_ns: int, level: int, now_ns: int) -> None:
        self.total = 0
        self._active = active
        self._min_ns = min_ns
        self._believed = self._level = level
        self._since_ns = now_ns

    def edge(self, mono_ns: int, level: int) -> None:
        """The line changed. Two edges to one level were a change too short to be seen: its rest starts anew."""
        self.settle(mono_ns)
        self._level = level
        self._since_ns = mono_ns

    def agree(self, now_ns: int, level: int) -> None:
        """The line was read: if that is news, an edge was missed."""
        if level != self._level:
            self.edge(now_ns, level)
        self.settle(now_ns)

    def settle(self, now_ns: int) -> None:
        """Believe the present level if it has lasted long enough by now."""
        if self._level != self._believed and now_ns - self._since_ns >= self._min_ns:
            self._believed = self._level
            if self._level == self._active:
                self.total += 1
