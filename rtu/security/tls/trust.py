"""What the station trusts at this moment, and whether that holds for a chain of certificates.

TLS has proven that the chain is genuine; here it is judged by what TLS does not know or does not look at again: lists
that were replaced, trust that was withdrawn, time that has passed. The same rules count for who comes and for who is
here, with two differences (IEC 62351-3): an open connection may outlive its certificate by a time of grace, and none
is ended because a list is missing or too old.

A master in `pinned` is trusted by its own certificate. Its authority need not be known, but where it is, its list counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from rtu.clock import SECOND, WallTime
from rtu.security.identity import Refusal

from .revocation import LIST_NOT_VALID, NO_LIST, Lists, RevocationList, State, authority_id

NOT_TRUSTED = "IEC62351-3:2.2"
REVOKED = "IEC62351-3:2.4"
EXPIRED = "IEC62351-3:2.8"
NOT_YET_VALID = "outstation:3.9"
ENDED_AS_REVOKED = "IEC62351-3:1.8"

_NOT_LISTED = {
    "missing": (NO_LIST, "has no revocation list"),
    "expired": (LIST_NOT_VALID, "has a revocation list that has expired"),
    "not yet valid": (LIST_NOT_VALID, "has a revocation list that is not valid yet: is the clock right?"),
}


@dataclass(frozen=True, slots=True)
class Chain:
    """The verified chain of a peer, its own certificate first."""

    certificates: tuple[x509.Certificate, ...]

    @classmethod
    def parse(cls, chain: Sequence[bytes]) -> Chain:
        """From DER. Raises ValueError, also for an empty one."""
        if not chain:
            raise ValueError("there is no verified chain")
        return cls(tuple(x509.load_der_x509_certificate(octets) for octets in chain))

    def issued(self) -> Iterator[tuple[x509.Certificate, x509.Certificate | None]]:
        """Each certificate that an authority has signed, with that of the authority; None where it is not here."""
        yield from pairwise(self.certificates)
        last = self.certificates[-1]
        if last.subject != last.issuer:
            yield last, None


@dataclass(frozen=True, slots=True)
class Trust:
    """`pinned` are SHA-256 fingerprints; `lists_required`: without a valid list of its authority nobody gets in."""

    authorities: tuple[x509.Certificate, ...]
    pinned: frozenset[bytes]
    lists: Lists
    lists_required: bool

    def refuses(self, chain: Chain, now: WallTime) -> Refusal | None:
        """Why somebody who shows this chain does not get in."""
        today = utc(now)
        if (distrusted := self._distrusts(chain)) is not None:
            return distrusted
        for each in chain.certificates:
            if now.valid and today < each.not_valid_before_utc:
                return Refusal(f"{_whose(each, chain)} is not valid yet: is the clock right?", NOT_YET_VALID)
            if today > each.not_valid_after_utc:
                return Refusal(f"{_whose(each, chain)} has expired", EXPIRED)
        return self._revokes(chain) or self._lacks_list(chain, now)

    def ends(self, chain: Chain, now: WallTime, grace_s: float) -> Refusal | None:
        """Why an open connection with this chain is to be ended, at most `grace_s` seconds after a certificate ran out."""
        if (distrusted := self._distrusts(chain)) is not None:
            return distrusted
        limit = utc(now) - timedelta(seconds=grace_s)
        for each in chain.certificates:
            if limit > each.not_valid_after_utc:
                return Refusal(f"{_whose(each, chain)} has expired", EXPIRED)
        revoked = self._revokes(chain)
        return None if revoked is None else Refusal(revoked.reason, ENDED_AS_REVOKED)

    def list_state(self, authority: str, now: WallTime) -> State:
        """Of the newest list of an authority (see `authority_id`)."""
        known = self.lists.get(authority)
        return "missing" if known is None else known.state(utc(now), now.valid)

    def _distrusts(self, chain: Chain) -> Refusal | None:
        own = chain.certificates[0]
        if own.fingerprint(hashes.SHA256()) in self.pinned:
            return None
        last = authority_id(chain.certificates[-1])
        if any(last == authority_id(each) for each in self.authorities):
            return None
        return Refusal("the peer's certificate leads to no authority that is trusted now", NOT_TRUSTED)

    def _revokes(self, chain: Chain) -> Refusal | None:
        for each, authority in chain.issued():
            if any(known.revokes(each.serial_number) for known in self._lists_of(each, authority)):
                return Refusal(f"{_whose(each, chain)} is revoked", REVOKED)
        return None

    def _lists_of(self, issued: x509.Certificate, authority: x509.Certificate | None) -> list[RevocationList]:
        """Of whoever bears the name of its issuer: name and serial number say which certificate a list means.

        An authority with a new key signs with that, also what it revokes of the old one (RFC 5280, 5). Of a pinned
        certificate nothing but the name is known.
        """
        issuers = {authority_id(each) for each in self.authorities if each.subject == issued.issuer}
        if authority is not None:  # which need not be in `authorities` any more
            issuers.add(authority_id(authority))
        return [known for id, known in self.lists.items() if id in issuers]

    def _lacks_list(self, chain: Chain, now: WallTime) -> Refusal | None:
        if not self.lists_required:
            return None
        for _, authority in chain.issued():
            if authority is None:
                continue  # pinned: who is not to come any more is taken out
            state = self.list_state(authority_id(authority), now)
            if state != "valid":
                event, words = _NOT_LISTED[state]
                return Refusal(f"the peer's certificate cannot be checked: its authority {words}", event)
        return None


def utc(now: WallTime) -> datetime:
    return datetime.fromtimestamp(now.unix_ns / SECOND, UTC)


def _whose(certificate: x509.Certificate, chain: Chain) -> str:
    return (
        "the peer's certificate"
        if certificate is chain.certificates[0]
        else "the certificate of an authority in the peer's chain"
    )
