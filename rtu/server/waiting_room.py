"""Who may shake hands, and when: until then nobody knows who it is, so nobody gets more than a share.

At most HANDSHAKES run at once and at most WAITING peers are here, those included. One address has a quarter of both:
however many connections it opens, it takes one turn at a time and keeps nobody else waiting. Who says nothing takes
none. Masters behind one address (a gateway) come in one after another, and too many at once have to come again.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

HANDSHAKES = 4
WAITING = 16
PER_ADDRESS = WAITING // 4
HANDSHAKES_PER_ADDRESS = HANDSHAKES // 4


@dataclass(slots=True)
class _Queue:
    """The peers of one address."""

    present: int = 0
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(HANDSHAKES_PER_ADDRESS))


class WaitingRoom:
    """Of one listener."""

    def __init__(self) -> None:
        self._queues: dict[str, _Queue] = {}
        self._turns = asyncio.Semaphore(HANDSHAKES)
        self.present = 0
        """Peers that shake hands or wait to."""

    def refuses(self, address: str) -> str | None:
        """Why one more peer of this address has no place here."""
        if self.present >= WAITING:
            return "too many peers wait to be served"
        queue = self._queues.get(_home(address))
        if queue is not None and queue.present >= PER_ADDRESS:
            return "too many peers of this address wait to be served"
        return None

    @asynccontextmanager
    async def turn(self, address: str, begun: Awaitable[None]) -> AsyncIterator[None]:
        """Wait until the peer has `begun`, then for its turn, and hold that; first come, first served among addresses."""
        home = _home(address)
        queue = self._queues.setdefault(home, _Queue())
        queue.present += 1
        self.present += 1
        try:
            await begun
            async with queue.turns, self._turns:
                yield
        finally:
            self.present -= 1
            queue.present -= 1
            if not queue.present:
                del self._queues[home]


def _home(address: str) -> str:
    """Whose address it is: of IPv6 a host has as many as it likes, out of one /64 (RFC 4291, 2.5.4)."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))
