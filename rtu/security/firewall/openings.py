"""What the network may do with this machine, worked out from the station file and from nothing else.

`openings` says it in numbers; `rtu.security.firewall.ruleset` puts it into nftables' words and `rtu.security.firewall.unit_network` into
systemd's. All of it comes from one file, so the lists of the program, of the unit and of the firewall cannot differ. No
text of the file is passed on but what was understood: networks and ports as numbers. (Names of interfaces are harmless by
the schema.)
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rtu.config.schema import ListenPlain, ListenTls, LogServer, Master, StationFile

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ANYWHERE: tuple[Network, ...] = (ipaddress.IPv4Network("0.0.0.0/0"), ipaddress.IPv6Network("::/0"))

SPARE = 2
"""How many times the connections that the station admits: of one whose other end is gone the kernel knows for minutes."""


@dataclass(frozen=True, slots=True)
class Way:
    """One listener: who may reach it, and how many connections one address may have at a time.

    `families` are 4, 6 or both; `interface` is empty for all; no `networks`: nobody.
    """

    name: Literal["tls", "plain"]
    port: int
    interface: str
    families: tuple[int, ...]
    networks: tuple[Network, ...]
    connections: int


@dataclass(frozen=True, slots=True)
class Remote:
    """A TCP port of others that this machine may connect to."""

    networks: tuple[Network, ...]
    port: int


@dataclass(frozen=True, slots=True)
class Openings:
    """Everything that is let through. `tunnels` are protocols and ports of VPNs, in both directions."""

    ways: tuple[Way, ...]
    ssh: tuple[Network, ...]
    ntp: tuple[Network, ...]
    log_servers: tuple[Remote, ...]
    tunnels: tuple[tuple[str, int], ...]
    dns: bool
    dhcp: bool


def openings(file: StationFile) -> Openings:
    """What a sound station file opens."""
    tls, plain, more = file.listen.tls, file.listen.plain, file.firewall
    ways = []
    if tls is not None:
        ways.append(_way("tls", tls, [master for master in file.master if master.identity is not None]))
    if plain is not None:
        ways.append(_way("plain", plain, [master for master in file.master if master.identity is None]))
    return Openings(
        ways=tuple(ways),
        ssh=_networks(more.ssh),
        ntp=_networks(more.ntp) or ANYWHERE,
        log_servers=tuple(Remote(_networks_of(server), server.port) for server in file.audit.server),
        tunnels=tuple(_tunnel(text) for text in more.vpn),
        dns=more.dns,
        dhcp=more.dhcp,
    )


def warnings(file: StationFile) -> list[str]:
    """What is open wider than its author may think."""
    told = [
        f'master "{master.name}" may come from anywhere: name its networks in `from`'
        for master in file.master
        if master.identity is not None and not master.from_
    ]
    for server in file.audit.server:
        if _address(server.host) is None:
            told.append(
                f'log server "{server.host}" is a name: port {server.port} is open to everywhere; write its address,'
                " and its name as `name`"
            )
            if not file.firewall.dns:
                told.append(
                    f'log server "{server.host}" is a name: it is found only with firewall.dns = true'
                )
    if not file.firewall.ssh:
        told.append("SSH is closed to everybody: name the engineers' networks in firewall.ssh")
    return told


def _way(name: Literal["tls", "plain"], listener: ListenTls | ListenPlain, masters: list[Master]) -> Way:
    families = (ipaddress.ip_address(listener.address).version,) if listener.address else (4, 6)
    networks = [network for master in masters for network in _sources(master) if network.version in families]
    return Way(
        name,
        listener.port,
        listener.interface,
        families,
        _collapsed(networks),
        SPARE * min(_most_at_one_address(masters), listener.max_connections),
    )


def _most_at_one_address(masters: list[Master]) -> int:
    """Connections that all masters which may share an address have together."""
    return max(
        (
            sum(
                other.max_connections
                for other in masters
                if any(
                    one.version == another.version and one.overlaps(another) for another in _sources(other)
                )
            )
            for master in masters
            for one in _sources(master)
        ),
        default=1,
    )


def _sources(master: Master) -> tuple[Network, ...]:
    return _networks(master.from_) if master.from_ else ANYWHERE


def _networks(texts: Iterable[str]) -> tuple[Network, ...]:
    return _collapsed(_bare(ipaddress.ip_network(text)) for text in texts)


def _bare(network: Network) -> Network:
    """Without the zone of a link-local address, which is free text."""
    if isinstance(network, ipaddress.IPv6Network):
        return ipaddress.IPv6Network((int(network.network_address), network.prefixlen))
    return network


def _collapsed(networks: Iterable[Network]) -> tuple[Network, ...]:
    """In order, without those that others contain: sets of the firewall take no overlaps."""
    several = list(networks)
    four = [one for one in several if isinstance(one, ipaddress.IPv4Network)]
    six = [one for one in several if isinstance(one, ipaddress.IPv6Network)]
    return (*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six))


def _networks_of(server: LogServer) -> tuple[Network, ...]:
    address = _address(server.host)
    return ANYWHERE if address is None else (_bare(ipaddress.ip_network(address)),)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _tunnel(text: str) -> tuple[str, int]:
    protocol, _, port = text.partition(":")
    return protocol, int(port)
