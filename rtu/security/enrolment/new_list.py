"""Whether a revocation list may take the place of the one a station has, and which place that is.

Anybody may hand over a list; only its signature counts. A list that is older than the one in use would let those in
again whom the newer one revokes, so it is refused.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path

from cryptography import x509

from rtu.config.schema import ListenTls
from rtu.security.certificates import documents
from rtu.security.certificates.documents import Lists
from rtu.security.certificates.keys import CertificateError
from rtu.security.quote import quote
from rtu.security.tls.revocation import ListError, RevocationList


def judge(
    parsed: x509.CertificateRevocationList, listen: ListenTls, base_dir: Path, now: datetime
) -> RevocationList:
    """The list, if an authority that is trusted has signed it and it is of now. Raises CertificateError, OSError."""
    new = _proven(parsed, _trusted(listen, base_dir))
    state = new.state(now, synchronised=True)
    if state == "not yet valid":
        raise CertificateError(
            f"the list begins on {documents.day(new.this_update)}, and the clock says "
            f"{documents.day(now)}: set the clock (timedatectl)"
        )
    if state == "expired":
        until = f" on {documents.day(new.next_update)}" if new.next_update else ""
        raise CertificateError(f"the list of {new.issuer} has expired{until}: get a new one")
    return new


def place(parsed: x509.CertificateRevocationList, listen: ListenTls, base_dir: Path) -> tuple[Path, bytes]:
    """The file of `revoked` this list belongs into, and what the file holds then.

    Raises CertificateError when there is none, or the list in it is as new or newer; OSError.
    """
    anchors = _trusted(listen, base_dir)
    new = _proven(parsed, anchors)
    vacant: list[Path] = []
    beside: list[tuple[Path, Lists]] = []
    for name in listen.revoked:
        path = base_dir / name
        present: Lists = ()
        with suppress(CertificateError, FileNotFoundError):  # a damaged one is replaced
            present = documents.lists(path)
        namesakes = [one for one in present if one.issuer == parsed.issuer]
        replaced = [one for one in namesakes if _gives_way(one, new, anchors, path)]
        if replaced:
            return path, documents.pem([*(one for one in present if one not in replaced), parsed])
        if namesakes:
            beside.append((path, present))
        if not present:
            vacant.append(path)
    if len(vacant) == 1:
        return vacant[0], documents.pem([parsed])
    if beside and not vacant:
        path, present = beside[0]
        return path, documents.pem([*present, parsed])
    who = quote(parsed.issuer.rfc4514_string())
    if vacant:
        raise CertificateError(
            f"several files of `revoked` could be the list of {who}: copy it to the right one"
        )
    raise CertificateError(f'no file is for the list of {who}: add one to listen.tls, revoked = ["ca.crl"]')


def _gives_way(
    present: x509.CertificateRevocationList,
    new: RevocationList,
    anchors: list[x509.Certificate],
    path: Path,
) -> bool:
    """Whether a list that bears the same name gives way. Raises CertificateError when it is as new or newer."""
    try:
        old = _proven(present, anchors)
    except CertificateError:  # whatever lies there, the station does not go by it
        return True
    if old.authority != new.authority:  # one with a new key under its old name: both lists count
        return False
    if new.fingerprint == old.fingerprint:
        raise CertificateError(f"{path}: holds this list already, number {old.number}")
    if new.older_than(old):
        raise CertificateError(
            f"{path}: holds list number {old.number}, this one has {new.number}: get the newest"
        )
    return True


def _proven(parsed: x509.CertificateRevocationList, anchors: list[x509.Certificate]) -> RevocationList:
    try:
        return RevocationList.proven(parsed, anchors)
    except ListError as error:
        raise CertificateError(f"the list: {error}") from None
    except ValueError as error:  # extensions are parsed when they are asked for
        raise CertificateError(f"the list cannot be read ({quote(str(error))}): get it again") from None


def _trusted(listen: ListenTls, base_dir: Path) -> list[x509.Certificate]:
    return [one for name in listen.trusted for one in documents.certificates(base_dir / name)]
