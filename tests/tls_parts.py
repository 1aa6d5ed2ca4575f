"""TLS of a station for tests: its contexts with all that is around them in the hands of the test."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rtu.clock import SECOND, WallTime
from rtu.config.schema import ListenTls
from rtu.security.tls.context import verified_chain
from rtu.security.tls.contexts import Contexts
from rtu.security.tls.trust import Chain


@dataclass
class Now:
    """The time certificates are judged by: `ahead_s` of the real one, known or not."""

    ahead_s: float = 0.0
    valid: bool = True

    def __call__(self) -> WallTime:
        return WallTime(time.time_ns() + round(self.ahead_s * SECOND), self.valid)


@dataclass
class AtOnce:
    """Background work that is done at once; while `held` is a list, when the test does it."""

    held: list[Callable[[], None]] | None = None

    def submit(
        self, work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Exception], None]
    ) -> None:
        def run() -> None:
            try:
                result = work()
            except Exception as error:
                failed(error)
            else:
                done(result)

        if self.held is None:
            run()
        else:
            self.held.append(run)

    def let_go(self) -> None:
        jobs, self.held = self.held or [], None
        for job in jobs:
            job()


@dataclass
class Trail:
    """An audit trail to look at."""

    records: list[dict[str, Any]] = field(default_factory=list)

    def record(self, event: str, **fields: object) -> bool:
        self.records.append({"event": event, **fields})
        return True

    def of(self, *events: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["event"] in events]


class Tls:
    """The contexts of a listener and what they were given. `quiet` is when nobody waits."""

    def __init__(
        self,
        listen: ListenTls,
        base: Path,
        *,
        now: Now | None = None,
        record: Callable[..., bool] | None = None,
    ) -> None:
        self.now = now or Now()
        self.trail = Trail()
        self.background = AtOnce()
        self.work: list[Callable[[], None]] = []
        self.contexts = Contexts(
            listen,
            base,
            base / "state",
            now=self.now,
            background=self.background,
            soon=self.work.append,
            record=record or self.trail.record,
        )
        self.contexts.load()

    def quiet(self) -> None:
        while self.work:
            self.work.pop()()

    def take(self) -> ssl.SSLContext:
        """As `Contexts.take`."""
        return asyncio.run(self.contexts.take())

    def verdict(self, end: ssl.SSLObject) -> str | None:
        """Why the peer whose handshake this is the station's end of does not get in."""
        refusal = self.contexts.refuses(Chain.parse(verified_chain(end)))
        return None if refusal is None else f"{refusal.event} {refusal.reason}"


class Only:
    """Speaks TLS with whatever contexts `make` makes, and trusts everybody TLS lets through."""

    def __init__(self, make: Callable[[], ssl.SSLContext]) -> None:
        self._make = make

    async def take(self) -> ssl.SSLContext:
        return self._make()

    def refuses(self, chain: Chain) -> None:
        return None
