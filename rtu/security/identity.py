"""The second gate: TLS says the certificate is genuine, this says whether it belongs to a master we know.

An authority signs many certificates, so a chain that verifies is not enough. A master is known by issuer and
alternative name, or by the hash of its public key; never by its common name, and only from the addresses its entry
names. Everyone else is refused with a reason for the audit trail; the peer is told nothing.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from rtu.config import schema

from . import alternative_name
from .certificate_role import certificate_role
from .pki import spki_sha256
from .quote import quote
from .roles import least

MAX_CERTIFICATE = 8192
"""Octets of the largest certificate that is taken (IEC 62351-3, 6.4.2)."""

CERTIFICATE_SIZE = "IEC62351-3:2.1"
NOT_A_MASTER = "IEC62351-3:2.3"
ADDRESS_REFUSED = "outstation:1.1"
CERTIFICATE_UNFIT = "outstation:1.2"
AMBIGUOUS = "outstation:1.3"

_DIGEST_DIGITS = 64

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class GateError(ValueError):
    """The list of masters cannot be used; the message names the master and says what to do."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What is worth remembering of an admitted certificate: to show it, and to judge it again later.

    `subject` is already escaped; `fingerprint` is the SHA-256 of the certificate in hexadecimal digits.
    """

    subject: str
    issuer: str
    serial: int
    fingerprint: str
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Admission:
    """A known master: its entry, its redundancy group, and the least of its and its certificate's role."""

    master: schema.Master
    group: str
    role: schema.Role
    credential: Credential | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nobody we know. `reason` is one safe line for the audit trail, `event` its id there."""

    reason: str
    event: str


@dataclass(frozen=True, slots=True)
class _Known:
    """An entry of the configuration, ready to be compared."""

    master: schema.Master
    networks: tuple[Network, ...]
    issuer: x509.Certificate | None = None
    name: x509.GeneralName | None = None
    key_hash: str | None = None

    def admits(self, address: IPAddress) -> bool:
        return not self.networks or any(address in network for network in self.networks)

    def overlaps(self, other: "_Known") -> bool:
        """Some address may be either of them."""
        if not self.networks or not other.networks:
            return True
        return any(
            mine.version == theirs.version and mine.overlaps(theirs)
            for mine in self.networks
            for theirs in other.networks
        )

    @property
    def proof(self) -> tuple[object, ...]:
        """Entries with the same proof take the same certificates."""
        return (self.issuer, self.name, self.key_hash)

    def owns(self, certificate: "_Certificate") -> bool:
        if self.key_hash is not None and self.key_hash != certificate.key_hash:
            return False
        if self.name is not None and self.name not in certificate.names:
            return False
        return self.issuer is None or _signed_by(certificate.x509, self.issuer)


class _Certificate:
    """A peer's certificate, read once. Raises ValueError when it is not fit to be anyone's."""

    def __init__(self, octets: bytes) -> None:
        # The octets were made by strangers: whatever the parser raises means that they are of no use.
        try:
            self.x509 = x509.load_der_x509_certificate(octets)
            self.subject = quote(self.x509.subject.rfc4514_string())
            self.key_hash = spki_sha256(self.x509)
            self.names = frozenset(_names(self.x509))
            purposes = _purposes(self.x509)
            self.role = certificate_role(self.x509)
        except Exception as error:  # see above
            raise ValueError(f"cannot be used: {quote(str(error))}") from None
        if ExtendedKeyUsageOID.CLIENT_AUTH not in purposes:
            raise ValueError(
                f"of {self.subject} is not made for a master: extended key usage clientAuth is missing"
            )

    def credential(self) -> Credential:
        return Credential(
            subject=self.subject,
            issuer=quote(self.x509.issuer.rfc4514_string()),
            serial=self.x509.serial_number,
            fingerprint=self.x509.fingerprint(hashes.SHA256()).hex(),
            not_after=self.x509.not_valid_after_utc,
        )


class Gate:
    """Admits the masters of a configuration and nobody else.

    `base_dir` is where relative file names in the configuration start. Raises GateError when an entry names a file,
    name, hash or network that cannot be used, or when two entries would claim the same connection.
    """

    def __init__(self, masters: Sequence[schema.Master], base_dir: Path) -> None:
        issuers: dict[str, x509.Certificate] = {}
        known = [_prepare(master, base_dir, issuers) for master in masters]
        self._tls = tuple(entry for entry in known if entry.master.identity is not None)
        self._plain = tuple(entry for entry in known if entry.master.identity is None)
        for one, other in combinations(known, 2):
            if one.proof == other.proof and one.overlaps(other):
                raise GateError(
                    f'masters "{one.master.name}" and "{other.master.name}" cannot be told apart: '
                    "give them different identities, or addresses in `from` that do not overlap"
                )

    def known_address(self, peer_ip: str, tls: bool) -> bool:
        """Whether any master may come from this address; asked right after accept, before any octet is read."""
        address = _address(peer_ip)
        return address is not None and any(
            entry.admits(address) for entry in (self._tls if tls else self._plain)
        )

    def admit_plain(self, peer_ip: str) -> Admission | Refusal:
        """Who connects without TLS is known by its address alone, and only if its entry has no identity."""
        address = _address(peer_ip)
        matching = [entry for entry in self._plain if address is not None and entry.admits(address)]
        if not matching:
            return Refusal(f"no master may connect in plain from {quote(peer_ip)}", ADDRESS_REFUSED)
        (entry,) = matching  # overlapping entries were refused at load
        return _admission(entry, None)

    def admit_tls(self, peer_ip: str, certificate_der: bytes | None) -> Admission | Refusal:
        """Who has just proved to own this certificate (`getpeercert(True)`), which TLS has already verified."""
        if not certificate_der:
            return Refusal("the peer has no certificate", NOT_A_MASTER)
        if len(certificate_der) > MAX_CERTIFICATE:
            return Refusal(
                f"a certificate of {len(certificate_der)} octets is too large, {MAX_CERTIFICATE} are the limit",
                CERTIFICATE_SIZE,
            )
        try:
            certificate = _Certificate(certificate_der)
        except ValueError as error:
            return Refusal(f"the certificate {error}", CERTIFICATE_UNFIT)
        owners = [entry for entry in self._tls if entry.owns(certificate)]
        if not owners:
            return Refusal(f"the certificate of {certificate.subject} belongs to no master", NOT_A_MASTER)
        address = _address(peer_ip)
        matching = [entry for entry in owners if address is not None and entry.admits(address)]
        if not matching:
            names = _listed(owners)
            return Refusal(f"master {names} may not connect from {quote(peer_ip)}", ADDRESS_REFUSED)
        if len(matching) > 1:
            return Refusal(
                f"the certificate of {certificate.subject} belongs to several masters: {_listed(matching)}",
                AMBIGUOUS,
            )
        return _admission(matching[0], certificate)


def _admission(entry: _Known, certificate: _Certificate | None) -> Admission:
    master = entry.master
    role = master.role
    if certificate is not None and certificate.role is not None:
        role = least(role, certificate.role)
    credential = certificate.credential() if certificate is not None else None
    return Admission(master, master.group or master.name, role, credential)


def _listed(entries: Iterable[_Known]) -> str:
    return ", ".join(f'"{entry.master.name}"' for entry in entries)


def _address(text: str) -> IPAddress | None:
    """The peer's address; IPv4 that arrives through an IPv6 socket (::ffff:10.0.0.1) is IPv4."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _names(certificate: x509.Certificate) -> Iterable[x509.GeneralName]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return [alternative_name.comparable(name) for name in extension.value]


def _purposes(certificate: x509.Certificate) -> Iterable[x509.ObjectIdentifier]:
    try:
        return certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return ()


def _signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Name and key of the issuer: another authority may bear the same name."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _prepare(master: schema.Master, base_dir: Path, issuers: dict[str, x509.Certificate]) -> _Known:
    """Raises GateError."""
    who = f'master "{master.name}": '
    networks = tuple(_network(text, who) for text in master.from_)
    identity = master.identity
    if identity is None:
        if not networks:
            raise GateError(f"{who}without `identity` it needs `from`, the addresses it may connect from")
        return _Known(master, networks)
    if identity.spki_sha256 is None and (identity.issuer is None or identity.san is None):
        raise GateError(f"{who}`identity` needs `issuer` and `san`, or `spki_sha256`")
    issuer = name = key_hash = None
    if identity.issuer is not None:
        if identity.issuer not in issuers:
            issuers[identity.issuer] = _load_issuer(base_dir / identity.issuer, who)
        issuer = issuers[identity.issuer]
    if identity.san is not None:
        try:
            name = alternative_name.parse(identity.san)
        except ValueError as error:
            raise GateError(f"{who}`san`: {error}") from None
    if identity.spki_sha256 is not None:
        key_hash = identity.spki_sha256.replace(":", "").lower()
        if len(key_hash) != _DIGEST_DIGITS or not set(key_hash) <= set("0123456789abcdef"):
            raise GateError(f"{who}`spki_sha256` must be {_DIGEST_DIGITS} hexadecimal digits")
    return _Known(master, networks, issuer, name, key_hash)


def _network(text: str, who: str) -> Network:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise GateError(
            f"{who}`from`: {error}; write an address (10.1.0.5) or a network (10.1.0.0/24)"
        ) from None
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise GateError(f'{who}`from`: write "{text}" as an IPv4 address')
    return network


def _load_issuer(path: Path, who: str) -> x509.Certificate:
    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise GateError(f"{who}`issuer`: cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise GateError(f"{who}`issuer`: {path} is no certificate in PEM form") from None
    if len(certificates) != 1:
        raise GateError(
            f"{who}`issuer`: {path} holds {len(certificates)} certificates; name a file with the one that signs"
        )
    return certificates[0]


__all__ = ["MAX_CERTIFICATE", "Admission", "Credential", "Gate", "GateError", "Refusal"]
