"""The second gate: TLS says the certificate is genuine, this says whether it belongs to a master we know.

An authority signs many certificates, so a chain that verifies is not enough. A master is known by issuer and
alternative name, or by the hash of its public key; never by its common name, and only from the addresses its entry
names. Everyone else is refused with a reason for the audit trail; the peer is told nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from rtu.config import schema
from rtu.security.quote import quote
from rtu.security.roles import least

if TYPE_CHECKING:  # imported where needed: reading certificates takes a library of 10 MiB
    from cryptography import x509

    from rtu.security.certificates.peer import Credential, PeerCertificate, Proof

MAX_CERTIFICATE = 8192
"""Octets of the largest certificate that is taken (IEC 62351-3, 6.4.2)."""

CERTIFICATE_SIZE = "IEC62351-3:2.1"
NOT_A_MASTER = "IEC62351-3:2.3"
ADDRESS_REFUSED = "outstation:3.6"
CERTIFICATE_UNFIT = "outstation:3.7"
AMBIGUOUS = "outstation:3.8"

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class GateError(ValueError):
    """The list of masters cannot be used; the message names the master and says what to do."""


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
    proof: Proof | None
    """None for a master that is known by its address alone."""

    def admits(self, address: IPAddress) -> bool:
        return not self.networks or any(address in network for network in self.networks)

    def overlaps(self, other: _Known) -> bool:
        """Some address may be either of them."""
        if not self.networks or not other.networks:
            return True
        return any(
            mine.version == theirs.version and mine.overlaps(theirs)
            for mine in self.networks
            for theirs in other.networks
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
        from rtu.security.certificates.peer import PeerCertificate

        try:
            certificate = PeerCertificate(certificate_der)
        except ValueError as error:
            return Refusal(f"the certificate {error}", CERTIFICATE_UNFIT)
        owners = [
            entry for entry in self._tls if entry.proof is not None and entry.proof.holds_for(certificate)
        ]
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


def _admission(entry: _Known, certificate: PeerCertificate | None) -> Admission:
    master = entry.master
    role = master.role
    if certificate is not None and certificate.role is not None:
        role = least(role, certificate.role)
    credential = certificate.credential if certificate is not None else None
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


def _prepare(master: schema.Master, base_dir: Path, issuers: dict[str, x509.Certificate]) -> _Known:
    """Raises GateError."""
    who = f'master "{master.name}": '
    networks = tuple(_network(text, who) for text in master.from_)
    identity = master.identity
    if identity is None:
        if not networks:
            raise GateError(f"{who}without `identity` it needs `from`, the addresses it may connect from")
        return _Known(master, networks, None)
    from rtu.security.certificates.peer import Proof

    try:
        return _Known(master, networks, Proof.read(identity, base_dir, issuers))
    except ValueError as error:
        raise GateError(f"{who}{error}") from None


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


__all__ = ["MAX_CERTIFICATE", "Admission", "Gate", "GateError", "Refusal"]
