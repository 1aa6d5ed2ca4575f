"""TLS for one listener: a fresh context for each connection, and the verdict on each chain, by the files of this moment.

Files are looked at (`stat`) before every connection and every few seconds, read in a thread when they have changed, and
put to use all at once. Open connections keep the context they have. The next context is made ahead, so that nobody
waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from rtu.background import Background
from rtu.clock import SECOND, WallTime
from rtu.config.schema import ListenTls
from rtu.security.certificates import keys
from rtu.security.identity import Refusal
from rtu.security.quote import quote

from .context import TlsError, assemble
from .files import Certificates, TlsFiles, load, stamps
from .revocation import LIST_NOT_VALID, NO_LIST, State, authority_id
from .trust import Chain, utc

HOUR_NS = 3600 * SECOND
WARN_DAYS = (60, 30, 14, 7, 1)
"""A certificate that runs out is on record so many days before."""

_STALE = {"missing": NO_LIST, "expired": LIST_NOT_VALID, "not yet valid": LIST_NOT_VALID}

_log = logging.getLogger(__name__)


class Record(Protocol):
    """`Audit.record`."""

    def __call__(self, event: str, **fields: object) -> bool: ...


@dataclass(frozen=True, slots=True)
class ListStatus:
    """The newest revocation list of `authority` (see `authority_id`); `issuer` is its escaped name, and no other's."""

    authority: str
    issuer: str
    next_update: datetime | None
    state: State


@dataclass(frozen=True, slots=True)
class TlsStatus:
    """`usable`: masters can get in. `reason`: why not, or which file is not in use; "" while all is well.

    `not_after`: when the station's own certificate runs out. `lists`: one of each trusted authority, none where the
    station file has no `revoked`.
    """

    usable: bool
    reason: str
    not_after: datetime | None
    lists: tuple[ListStatus, ...]


class Contexts:
    """`now` is the time certificates are judged by; `kept` the directory where revocation lists are remembered.

    `soon` runs a callable when nobody waits. Belongs to the loop; `load` is to be called once before anything else.
    """

    def __init__(
        self,
        listen: ListenTls,
        base_dir: Path,
        kept: Path,
        *,
        now: Callable[[], WallTime],
        background: Background,
        soon: Callable[[Callable[[], None]], object],
        record: Record,
    ) -> None:
        self.listen = listen
        self._base_dir = base_dir
        self._kept = kept
        self._now = now
        self._background = background
        self._soon = soon
        self._record = record
        self._use(TlsFiles())
        self._next: tuple[TlsFiles, bool, ssl.SSLContext] | None = None
        self._waiting: list[Callable[[], None]] = []
        self._failure = ""
        self._warned_ns: dict[str, int] = {}
        self._told_days: int | None = None

    # The files

    def load(self) -> None:
        """Read them the first time, and have a context ready. Blocks; never raises."""
        try:
            files = load(self.listen, self._base_dir, self._files, self._kept)
        except Exception as error:  # the station runs, and they are read again when somebody comes
            self._not_loaded(error)
        else:
            self._adopt(files)
            self._ahead()

    def refresh(self, then: Callable[[], None] = lambda: None) -> None:
        """Call `then` when what the files say now is in use: at once if none has changed.

        Without a pair they are read anew each time: a key may lie in a token that was not there yet.
        """
        known = self._files.stamps if self._files.pair is not None else None
        if not self._waiting and stamps(self.listen, self._base_dir) == known:
            then()
            return
        self._waiting.append(then)
        if len(self._waiting) == 1:
            work = partial(load, self.listen, self._base_dir, self._files, self._kept)
            self._background.submit(work, self._loaded, self._not_loaded)

    @property
    def generation(self) -> object:
        """Another one whenever files were read anew."""
        return self._files

    def fail(self, reason: str) -> None:
        """From now on nobody gets in, for `reason`."""
        self._failure = reason
        self._record("tls.fault", reason=reason)

    def _loaded(self, files: TlsFiles) -> None:
        self._adopt(files)
        self._serve_waiting()

    def _not_loaded(self, error: Exception) -> None:
        _log.error("the files of [listen.tls] could not be read: %s", error, exc_info=error)
        self._serve_waiting()

    def _serve_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for then in waiting:
            then()

    def _use(self, files: TlsFiles) -> None:
        self._files = files
        self._trust = files.trust(self.listen.crl_policy == "require")

    def _adopt(self, files: TlsFiles) -> None:
        before = self._files
        self._use(files)
        self._tell_certificates({self.listen.certificate: before.own}, {self.listen.certificate: files.own})
        self._tell_certificates(before.trusted, files.trusted)
        self._tell_certificates(before.pinned, files.pinned)
        for id, each in files.lists.items():
            if each.differs_from(before.lists.get(id)):
                self._record(
                    "revocation.change",
                    issuer=each.issuer,
                    number=each.number,
                    fingerprint=each.fingerprint,
                    next_update=each.next_update,
                )
        if files.own[:1] != before.own[:1]:
            self._told_days = None
        for reason in files.faults:
            if reason not in before.faults:
                self._record("tls.fault", reason=reason)
        if before.faults and not files.faults:
            self._record("tls.recovered")

    def _tell_certificates(
        self, before: Mapping[str, Certificates], after: Mapping[str, Certificates]
    ) -> None:
        for name, found in after.items():
            for each in found:
                if each not in before.get(name, ()):
                    self._record(
                        "certificate.change",
                        file=name,
                        subject=quote(each.subject.rfc4514_string()),
                        fingerprint=each.fingerprint(hashes.SHA256()).hex(),
                        not_after=each.not_valid_after_utc,
                    )

    # For connections

    async def take(self) -> ssl.SSLContext:
        """For one connection. Raises TlsError while nobody can get in."""
        fresh: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.refresh(lambda: None if fresh.done() else fresh.set_result(None))
        await fresh
        ahead, self._next = self._next, None
        synchronised = self._now().valid
        if ahead is not None and ahead[0] is self._files and ahead[1] == synchronised:
            context = ahead[2]
        else:
            context = self._make(synchronised)
        self._soon(self._ahead)
        return context

    def refuses(self, chain: Chain) -> Refusal | None:
        """Why somebody who shows this verified chain does not get in."""
        return self._trust.refuses(chain, self._now())

    def ends(self, chain: Chain) -> Refusal | None:
        """Why an open connection with this chain is to be ended."""
        return self._trust.ends(chain, self._now(), self.listen.expiry_grace_s)

    def _ahead(self) -> None:
        if self._next is None:
            synchronised = self._now().valid
            try:
                self._next = self._files, synchronised, self._make(synchronised)
            except TlsError:  # whoever comes next is told
                pass

    def _make(self, synchronised: bool) -> ssl.SSLContext:
        """A context by the files in use. Until the clock is known "not yet valid" says nothing."""
        files = self._files
        reason = self._unusable()
        if reason or files.pair is None:
            raise TlsError(reason)
        trusted, masters = files.authorities, files.masters
        if masters:
            # They are taken without their authority, and so would one in the middle of a chain be, without its root.
            trusted = tuple(each for each in trusted if each.subject == each.issuer)
        if not synchronised:
            # Of an authority that was renewed TLS would take any certificate, also the one that has run out.
            by_end = sorted(trusted, key=lambda each: each.not_valid_after_utc)
            trusted = tuple({authority_id(each): each for each in by_end}.values())
        octets = [each.public_bytes(Encoding.DER) for each in (*trusted, *masters)]
        return assemble(self.listen, files.pair, octets, partial=bool(masters), time=synchronised)

    def _unusable(self) -> str:
        """Why nobody can get in; "" if somebody can."""
        files = self._files
        if self._failure:
            return self._failure
        if files.pair is not None and (files.authorities or files.masters):
            return ""
        return "; ".join(files.faults) or "no file of [listen.tls] was read yet"

    # For people

    def status(self) -> TlsStatus:
        files, now = self._files, self._now()
        unusable = self._unusable()
        lists = []
        if self.listen.revoked:
            for id, issuer in _issuers(files.authorities).items():
                known = files.lists.get(id)
                lists.append(
                    ListStatus(
                        authority=id,
                        issuer=issuer,
                        next_update=None if known is None else known.next_update,
                        state=self._trust.list_state(id, now),
                    )
                )
        return TlsStatus(
            usable=not unusable,
            reason=unusable or "; ".join(files.faults),
            not_after=files.own[0].not_valid_after_utc if files.own else None,
            lists=tuple(lists),
        )

    def warn(self, now_ns: int) -> None:
        """Put on record, each once an hour, which lists are missing or too old, and when our certificate runs out."""
        for each in self.status().lists:
            if each.state == "valid":
                self._warned_ns.pop(each.authority, None)
            elif now_ns - self._warned_ns.get(each.authority, -HOUR_NS) >= HOUR_NS:
                self._warned_ns[each.authority] = now_ns
                self._record(
                    "revocation.stale",
                    id=_STALE[each.state],
                    issuer=each.issuer,
                    state=each.state,
                    next_update=each.next_update,
                )
        self._warn_of_end()

    def _warn_of_end(self) -> None:
        own: x509.Certificate | None = next(iter(self._files.own), None)
        if own is None:
            return
        left = (own.not_valid_after_utc - utc(self._now())) / timedelta(days=1)
        reached = min((days for days in (*WARN_DAYS, 0) if left <= days), default=None)
        # A clock that was ahead and is right now has told too early: then it counts from where it is.
        before, self._told_days = self._told_days, reached
        if reached is not None and (before is None or reached < before):
            self._record(
                "certificate.expiring", days_left=max(0, int(left)), not_after=own.not_valid_after_utc
            )


def _issuers(authorities: Certificates) -> dict[str, str]:
    """The name of each (by `authority_id`); where several bear it, with the first digits of the key."""
    each_once = {authority_id(each): each for each in authorities}
    names = {id: quote(each.subject.rfc4514_string()) for id, each in each_once.items()}
    shared = [name for name, times in Counter(names.values()).items() if times > 1]
    return {
        id: f"{name} (key {keys.digest(each_once[id].public_key())[:8]})" if name in shared else name
        for id, name in names.items()
    }
