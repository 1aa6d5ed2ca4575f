"""How often something may be done: so much at once, and after that at a steady rate.

For commands: each is on record, and neither a card nor a relay is endless.
"""

from __future__ import annotations

from rtu.clock import SECOND

BURST = 100
"""Commands, selects and deactivations among them, that one redundancy group may give at once."""
PER_SECOND = 10
"""So many more after that."""


class Allowance:
    """Full at first: `burst` at once, and one more each 1 / `per_second` seconds."""

    def __init__(self, burst: int, per_second: int) -> None:
        self._full_ns = burst * SECOND // per_second
        self._cost_ns = SECOND // per_second
        self._credit_ns = self._full_ns
        self._at_ns = 0

    def take(self, now_ns: int) -> bool:
        """Whether one more may pass at `now_ns` (CLOCK_MONOTONIC); what may not costs nothing."""
        self._credit_ns = min(self._full_ns, self._credit_ns + max(0, now_ns - self._at_ns))
        self._at_ns = now_ns
        if self._credit_ns < self._cost_ns:
            return False
        self._credit_ns -= self._cost_ns
        return True
