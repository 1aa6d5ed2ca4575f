"""Policing: an open connection is judged again and again, for TLS never looks at a certificate twice (IEC 62351-3).

Every few seconds the files of trust are looked at; when they have changed, and every `recheck_s`, everybody who is here is
judged as if he came now: revoked, no longer trusted, expired longer ago than the grace allows. Besides, no connection
gets older than `max_session_age_s`: a master that comes back proves anew who it is, with new keys. That stands in for the
renegotiation and the key update of the standard, which Python cannot begin.

Nobody is sent away because a revocation list is missing or too old; that is only put on record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from rtu.clock import SECOND, Clock, Timer
from rtu.config.schema import ListenTls
from rtu.security.identity import Refusal

from .listener import Guest, Listener

if TYPE_CHECKING:
    from rtu.security.tls.trust import Chain

WATCH_S = 5
"""How often the files are looked at; nothing is read unless they have changed."""

_OLD = {"TLSv1.2": "IEC62351-3:1.11", "TLSv1.3": "IEC62351-3:1.19"}
"""Ended to make new keys: the events of a renegotiation or key update that did not happen in time."""


class Trusted(Protocol):
    """Whom to trust (`rtu.security.tls.contexts.Contexts`)."""

    listen: ListenTls

    def refresh(self, then: Callable[[], None]) -> None: ...

    def ends(self, chain: Chain) -> Refusal | None: ...

    def warn(self, now_ns: int) -> None: ...

    @property
    def generation(self) -> object:
        """Another one whenever files were read anew."""
        ...


class Policing:
    """Of one listener, from `start` to `stop`."""

    def __init__(self, clock: Clock, contexts: Trusted, listener: Listener) -> None:
        self._clock = clock
        self._contexts = contexts
        self._listener = listener
        self._recheck_ns = round(contexts.listen.recheck_s * SECOND)
        self._oldest_ns = round(contexts.listen.max_session_age_s * SECOND)
        self._due_ns = 0
        self._judged_by: object = None
        self._timer: Timer | None = None

    def start(self) -> None:
        self._contexts.warn(self._clock.now_ns())
        self._due_ns = self._clock.now_ns() + self._recheck_ns
        self._judged_by = self._contexts.generation
        self._next()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _next(self) -> None:
        self._timer = self._clock.call_at(self._clock.now_ns() + WATCH_S * SECOND, self._watch)

    def _watch(self) -> None:
        self._next()
        self._contexts.refresh(self._look)

    def _look(self) -> None:
        now = self._clock.now_ns()
        anew = now >= self._due_ns or self._contexts.generation is not self._judged_by
        if now >= self._due_ns:
            self._due_ns = now + self._recheck_ns
        self._judged_by = self._contexts.generation
        for connection, guest in tuple(self._listener.guests.items()):
            refusal = self._too_old(guest, now)
            if refusal is None and anew and guest.chain is not None:
                refusal = self._contexts.ends(guest.chain)
            if refusal is not None:
                self._listener.dismiss(connection, refusal)
        self._contexts.warn(now)

    def _too_old(self, guest: Guest, now: int) -> Refusal | None:
        if now - guest.since_ns < self._oldest_ns:
            return None
        limit = self._contexts.listen.max_session_age_s
        return Refusal(
            f"the connection is {limit:g} s old: it has to be made anew", _OLD.get(guest.version, "")
        )
