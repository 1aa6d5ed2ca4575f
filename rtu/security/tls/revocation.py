"""Revocation lists: of each authority the newest it ever signed, whatever has become of its file since.

A list counts when its signature is that of an authority we trust. Its number never goes back: who puts an old list in
the place of a new one, or takes it away, gives nobody his certificate back. So that this holds over restarts too, each
list is kept beside the event log, the only place the station may write to; there it is proven anew before it counts.

OpenSSL does not get to see them. Of a list with 20 000 entries it would keep 4 MiB for every connection, and it can
only refuse where one is missing. What a list says is asked of `trust`, at admission and again while a connection lasts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtensionOID

from rtu.disk import replace_file
from rtu.security.certificates import documents, keys
from rtu.security.quote import quote

State = Literal["valid", "missing", "expired", "not yet valid"]

NO_LIST = "IEC62351-3:2.5"
LIST_NOT_VALID = "IEC62351-3:2.6"

_UNDERSTOOD = frozenset({ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.CRL_NUMBER})
_SUFFIX = ".crl"


class ListError(Exception):
    """A list that does not count; one line that says why and what to do."""


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A list with the signature of the authority `authority` (see `authority_id`). Times are UTC."""

    authority: str
    issuer: str
    number: int | None
    this_update: datetime
    next_update: datetime | None
    fingerprint: str
    _parsed: x509.CertificateRevocationList

    @classmethod
    def proven(
        cls, parsed: x509.CertificateRevocationList, authorities: Iterable[x509.Certificate]
    ) -> RevocationList:
        """Raises ListError unless one of `authorities` has signed it, and all it says can be understood."""
        signer = _signer(parsed, authorities)
        # A list of changes, or one for some certificates only, would have to be read in another way (RFC 5280, 5.2).
        unknown = [each.oid for each in parsed.extensions if each.critical and each.oid not in _UNDERSTOOD]
        if unknown:
            raise ListError(f"has a critical extension ({unknown[0].dotted_string}): make a complete list")
        return cls(
            authority=authority_id(signer),
            issuer=quote(parsed.issuer.rfc4514_string()),
            number=documents.list_number(parsed),
            this_update=parsed.last_update_utc,
            next_update=parsed.next_update_utc,
            fingerprint=parsed.fingerprint(hashes.SHA256()).hex(),
            _parsed=parsed,
        )

    def revokes(self, serial: int) -> bool:
        """Takes a millisecond for 20 000 entries."""
        return self._parsed.get_revoked_certificate_by_serial_number(serial) is not None

    def older_than(self, other: RevocationList) -> bool:
        if self.number is not None and other.number is not None and self.number != other.number:
            return self.number < other.number
        return self.this_update < other.this_update

    def differs_from(self, other: RevocationList | None) -> bool:
        return other is None or other.fingerprint != self.fingerprint

    def state(self, now: datetime, synchronised: bool) -> State:
        """One that does not say until when it is valid is not. With an unknown clock none is of the future."""
        if self.next_update is None or self.next_update <= now:
            return "expired"
        return "not yet valid" if synchronised and self.this_update > now else "valid"

    @property
    def octets(self) -> bytes:
        """DER."""
        return self._parsed.public_bytes(serialization.Encoding.DER)


Lists = Mapping[str, RevocationList]
"""By authority, see `authority_id`."""


def authority_id(authority: x509.Certificate) -> str:
    """The same for all certificates of an authority: its name and key (RFC 5280, 6.1.1 d), 64 hexadecimal digits."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(authority.subject.public_bytes())
    digest.update(bytes.fromhex(keys.digest(authority.public_key())))
    return digest.finalize().hex()


def read(path: Path, authorities: Iterable[x509.Certificate]) -> list[RevocationList]:
    """The lists in a file. Raises ListError."""
    try:
        return [RevocationList.proven(each, authorities) for each in documents.lists(path)]
    except OSError as error:
        raise ListError(f"{path}: cannot be read ({error.strerror}): install a revocation list") from None
    except keys.CertificateError as error:
        raise ListError(str(error)) from None
    except ListError as error:
        raise ListError(f"{path}: {error}") from None
    except Exception as error:  # extensions are parsed when they are asked for
        raise ListError(f"{path}: cannot be read ({quote(str(error))}): fetch the list again") from None


def newest(
    known: Lists, found: Iterable[RevocationList], origin: Path, kept: Path
) -> tuple[Lists, list[str]]:
    """`known` with what is newer in `found`; and of what is older, what to say.

    `origin` is the file they were found in, `kept` the directory where known ones are.
    """
    merged, older = dict(known), []
    for each in found:
        before = merged.get(each.authority)
        if before is not None and each.older_than(before):
            older.append(
                f"{origin}: older (number {each.number}) than a list of {each.issuer} that was in use before (number "
                f"{before.number}): install a newer one, or remove {kept / (each.authority + _SUFFIX)} and restart"
            )
        else:
            merged[each.authority] = each
    return merged, older


def recall(directory: Path, authorities: Sequence[x509.Certificate]) -> Lists:
    """What `keep` kept, as far as it is proven. Blocks."""
    found: dict[str, RevocationList] = {}
    for authority in authorities:
        path = directory / (authority_id(authority) + _SUFFIX)
        try:
            (each,) = read(path, [authority])
        except (ListError, ValueError):  # none was kept, or the disk spoilt it
            continue
        found[each.authority] = each
    return found


def keep(directory: Path, lists: Iterable[RevocationList]) -> None:
    """Remember these over a restart. Blocks; raises OSError."""
    for each in lists:
        directory.mkdir(parents=True, exist_ok=True)
        replace_file(directory / (each.authority + _SUFFIX), each.octets)


def _signer(
    parsed: x509.CertificateRevocationList, authorities: Iterable[x509.Certificate]
) -> x509.Certificate:
    namesakes = [each for each in authorities if each.subject == parsed.issuer]
    for each in namesakes:
        try:
            if _may_sign(each) and parsed.is_signature_valid(each.public_key()):  # type: ignore[arg-type]
                return each
        except (TypeError, ValueError, InvalidSignature):  # a key that signs in another way
            continue
    issuer = quote(parsed.issuer.rfc4514_string())
    if namesakes:
        raise ListError(f"the signature is not that of {issuer}: fetch the list again")
    raise ListError(f"was signed by {issuer}, which is not in `trusted`: add its certificate there")


def _may_sign(authority: x509.Certificate) -> bool:
    try:
        return authority.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return False
