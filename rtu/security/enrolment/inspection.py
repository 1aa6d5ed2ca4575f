"""What certificates, requests and lists say, and whether a station's own are fine, want attention or are unusable.

One finding for each thing that is looked at: facts for people and scripts alike, a verdict, and a remark that says what
to do about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from rtu.config.schema import Identity, ListenTls, Master, StationFile
from rtu.security.certificates import alternative_name, documents, keys
from rtu.security.certificates.documents import day
from rtu.security.certificates.keys import CertificateError
from rtu.security.certificates.role import certificate_role
from rtu.security.files import is_credential, resolve
from rtu.security.quote import quote
from rtu.security.tls.revocation import ListError, RevocationList, authority_id

from . import fitness
from .pair import waiting
from .register import serial_text

SOON = timedelta(days=30)
"""A certificate that ends so soon wants attention."""

LIST_SOON = timedelta(days=3)
"""A list that is due so soon wants attention."""


class Verdict(IntEnum):
    """In rising order; the number is the exit code of `rtu certs show`."""

    FINE = 0
    ATTENTION = 1
    UNUSABLE = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. Values of `facts` may hold text of strangers."""

    about: str
    where: str
    verdict: Verdict = Verdict.FINE
    remark: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)


def inspect_document(path: Path, now: datetime) -> list[Finding]:
    """Everything in a file. Raises CertificateError, OSError."""
    found = documents.read(path)
    if isinstance(found, x509.CertificateSigningRequest):
        return [Finding("request", str(path), facts=_request_facts(found))]
    return [_document(path, one, now) for one in found]


def inspect_station(file: StationFile, base_dir: Path, now: datetime) -> list[Finding]:
    """What TLS of this station depends on. Raises CertificateError when there is no such listener."""
    listen = file.listen.tls
    if listen is None:
        raise CertificateError("the station file has no [listen.tls]: there is nothing to look at")
    return [
        *_station(listen, base_dir, now),
        *_authorities("trusted", listen.trusted, base_dir, now),
        *_authorities("pinned", listen.pinned, base_dir, now),
        *_lists(listen, base_dir, now),
        *(
            _master(master, master.identity, base_dir)
            for master in file.master
            if master.identity is not None
        ),
    ]


def _document(path: Path, one: x509.Certificate | x509.CertificateRevocationList, now: datetime) -> Finding:
    if isinstance(one, x509.Certificate):
        about = "authority" if _is_authority(one) else "certificate"
        return Finding(about, str(path), *_life(one, now), certificate_facts(one, now))
    return Finding("list", str(path), *_age(one, now), _list_facts(one))


def _station(listen: ListenTls, base_dir: Path, now: datetime) -> Iterator[Finding]:
    path, key = base_dir / listen.certificate, resolve(listen.private_key, base_dir)
    try:
        chain = documents.certificates(path)
    except (CertificateError, OSError) as error:
        yield Finding("station", str(path), Verdict.UNUSABLE, _words(error))
        return
    verdict, remark = _life(chain[0], now)
    try:
        if is_credential(listen.private_key):  # which is there for the service only
            fitness.check(chain, None, now)
        else:
            fitness.judge(chain, [key], listen, base_dir, now=now)
    except fitness.UnknownAuthority:
        pass  # its masters may know it: an authority of stations need not be one of masters
    except CertificateError as error:
        verdict, remark = Verdict.UNUSABLE, str(error)
    except OSError as error:
        verdict = max(verdict, Verdict.ATTENTION)
        remark = f"not tried, for {error.filename} cannot be read ({error.strerror})"
    yield Finding("station", str(path), verdict, remark, certificate_facts(chain[0], now))
    for one in chain[1:]:
        yield Finding("intermediate", str(path), *_life(one, now), certificate_facts(one, now))
    if not is_credential(listen.private_key):
        new = waiting(key)
        if new.exists():
            yield Finding("request", str(new), remark="a new key waits for its certificate")


def _authorities(about: str, names: list[str], base_dir: Path, now: datetime) -> Iterator[Finding]:
    for name in names:
        path = base_dir / name
        try:
            for one in documents.certificates(path):
                yield Finding(about, str(path), *_life(one, now), certificate_facts(one, now))
        except (CertificateError, OSError) as error:
            yield Finding(about, str(path), Verdict.UNUSABLE, _words(error))


def _lists(listen: ListenTls, base_dir: Path, now: datetime) -> Iterator[Finding]:
    bad = Verdict.UNUSABLE if listen.crl_policy == "require" else Verdict.ATTENTION
    authorities: dict[str, tuple[Path, x509.Certificate]] = {}
    for name in listen.trusted:
        path = base_dir / name
        with suppress(CertificateError, OSError):  # told above
            authorities |= {authority_id(one): (path, one) for one in documents.certificates(path)}
    covered: set[str] = set()
    for name in listen.revoked:
        path = base_dir / name
        try:
            for each in documents.lists(path):
                verdict, remark = _age(each, now)
                try:
                    covered.add(
                        RevocationList.proven(each, [one for _, one in authorities.values()]).authority
                    )
                except ListError as error:
                    verdict, remark = Verdict.UNUSABLE, f"does not count: {error}"
                if verdict is Verdict.UNUSABLE:
                    verdict = bad
                yield Finding("list", str(path), verdict, remark, _list_facts(each))
        except (CertificateError, OSError) as error:
            yield Finding("list", str(path), bad, _words(error))
    if listen.revoked or listen.crl_policy == "require":
        for id, (path, one) in authorities.items():
            if id not in covered:
                who = quote(one.subject.rfc4514_string())
                yield Finding("list", str(path), bad, f"there is no list of {who}")


def _master(master: Master, identity: Identity, base_dir: Path) -> Finding:
    facts: dict[str, object] = {"role": master.role}
    if identity.san is not None:
        facts["name"] = identity.san
    if identity.spki_sha256 is not None:
        facts["key"] = keys.spoken(identity.spki_sha256.replace(":", "").lower())
    if identity.issuer is not None:
        try:
            issuer = documents.certificates(base_dir / identity.issuer)[0]
        except (CertificateError, OSError) as error:
            return Finding("master", master.name, Verdict.UNUSABLE, _words(error), facts)
        facts["issued by"] = issuer.subject.rfc4514_string()
    return Finding("master", master.name, facts=facts)


def certificate_facts(certificate: x509.Certificate, now: datetime) -> dict[str, object]:
    """What people ask of a certificate. Raises nothing: what cannot be read is told as such."""
    facts: dict[str, object] = {
        "subject": certificate.subject.rfc4514_string(),
        "issued by": certificate.issuer.rfc4514_string(),
        "serial": serial_text(certificate.serial_number),
        "from": day(certificate.not_valid_before_utc),
        "until": day(certificate.not_valid_after_utc),
        "days left": (certificate.not_valid_after_utc - now).days,
    }
    try:
        facts["names"] = list(alternative_name.texts(certificate.extensions))
        facts["for"] = _purposes(certificate)
        role = certificate_role(certificate)
        if role is not None:
            facts["role"] = role
    except ValueError as error:
        facts["extensions"] = f"cannot be read: {error}"
    facts["key"] = (
        f"{keys.kind(certificate.public_key())}, {keys.spoken(keys.digest(certificate.public_key()))}"
    )
    facts["fingerprint"] = keys.spoken(certificate.fingerprint(hashes.SHA256()).hex())
    return facts


def _purposes(certificate: x509.Certificate) -> list[str]:
    if _is_authority(certificate):
        return ["authority"]
    try:
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return []
    return [purpose._name for purpose in purposes]


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _request_facts(csr: x509.CertificateSigningRequest) -> dict[str, object]:
    from .request import judge

    asked = judge(csr)
    return {
        "name": asked.name,
        "names": list(asked.names),
        "key": f"{keys.kind(asked.key)}, {keys.spoken(keys.digest(asked.key))}",
        "asks in vain for": list(asked.left_out),
    }


def _list_facts(revoked: x509.CertificateRevocationList) -> dict[str, object]:
    due = revoked.next_update_utc
    return {
        "issued by": revoked.issuer.rfc4514_string(),
        "number": documents.list_number(revoked),
        "from": day(revoked.last_update_utc),
        "new one due": day(due) if due else None,
        "revoked": [serial_text(entry.serial_number) for entry in revoked],
    }


def _life(certificate: x509.Certificate, now: datetime) -> tuple[Verdict, str]:
    end = certificate.not_valid_after_utc
    if end <= now:
        return Verdict.UNUSABLE, f"has expired on {day(end)}: have a new one signed"
    if certificate.not_valid_before_utc > now:
        return Verdict.UNUSABLE, f"begins on {day(certificate.not_valid_before_utc)}: is the clock right?"
    if end - now < SOON:
        return Verdict.ATTENTION, f"expires in {_days(end - now)}: renew it"
    return Verdict.FINE, ""


def _age(revoked: x509.CertificateRevocationList, now: datetime) -> tuple[Verdict, str]:
    due = revoked.next_update_utc
    if due is None or due <= now:
        return Verdict.UNUSABLE, "has expired: make a new one with `rtu certs crl`, and install it"
    if revoked.last_update_utc > now:
        return Verdict.UNUSABLE, f"begins on {day(revoked.last_update_utc)}: is the clock right?"
    if due - now < LIST_SOON:
        return Verdict.ATTENTION, f"expires in {_days(due - now)}: make a new one"
    return Verdict.FINE, ""


def _days(left: timedelta) -> str:
    return "1 day" if left.days == 1 else f"{left.days} days"


def _words(error: CertificateError | OSError) -> str:
    return f"cannot be read ({error.strerror})" if isinstance(error, OSError) else str(error)
