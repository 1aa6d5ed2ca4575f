"""Somebody who tries addresses: many different ones refused within a minute are one alarm.

A control centre knows its objects; who is refused at one after the other is looking for them, or means harm. The
connection is kept: closing it would lose events and would not keep its owner from coming back.
"""

from __future__ import annotations

from rtu.clock import SECOND

ADDRESSES = 20
"""So many different ones may be refused within PERIOD_S."""
PERIOD_S = 60

_PERIOD_NS = PERIOD_S * SECOND


class Sweep:
    """Watches the refused addresses of one redundancy group: a new connection does not begin at nought."""

    def __init__(self) -> None:
        self._refused: dict[tuple[int, int], int] = {}  # when last, the longest ago first
        self._quiet_until_ns = 0

    def refused(self, now_ns: int, ca: int, ioa: int) -> bool:
        """Note a refusal at `now_ns` (CLOCK_MONOTONIC). True when it is time to tell, once in PERIOD_S at most."""
        if now_ns < self._quiet_until_ns:
            return False
        self._refused.pop((ca, ioa), None)
        self._refused[ca, ioa] = now_ns
        for address, last_ns in tuple(self._refused.items()):
            if now_ns - last_ns < _PERIOD_NS:
                break
            del self._refused[address]
        if len(self._refused) <= ADDRESSES:
            return False
        self._refused.clear()
        self._quiet_until_ns = now_ns + _PERIOD_NS
        return True
