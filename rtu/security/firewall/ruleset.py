"""The openings of a station in the words of nftables: one table of its own, replaced whole in one transaction.

input     policy drop; a known master of a port -> its guard; an unknown one -> counted, remembered, dropped
guards    too many connections in a minute, or at a time, from one address -> refused; else accepted
forward   policy drop
output    policy drop; answers, and what the station file names
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import indent

from .openings import Network, Openings, Remote, Way

TABLE = "outstation"
"""Name of the table, of family inet."""

LOGGED = "limit rate 6/minute burst 5 packets log prefix"

# As numbers: a small Debian has no list of their names.
ICMP, TCP_UDP = "{ 1, 58 }", "{ 6, 17 }"

_FAMILIES = ((4, "", "ip", "ipv4_addr", "ip saddr"), (6, "6", "ip6", "ipv6_addr", "ip6 saddr"))
# Of IPv6 everybody has a whole /64.
_WHO = {4: "ip saddr", 6: "ip6 saddr & ffff:ffff:ffff:ffff::"}


def ruleset(openings: Openings) -> str:
    """A file for `nft -f`: the same octets for the same openings."""
    body = [
        *(part for way in openings.ways for part in _sets(way)),
        *_named("admin_hosts", openings.ssh),
        *_named("time_servers", openings.ntp),
        *(
            f"set offenders{suffix} {{ type {kind}; flags dynamic,timeout; timeout 1h; size 4096; counter; }}"
            for _, suffix, _, kind, _ in _FAMILIES
        ),
        *(f"counter {way.name}_{what} {{ }}" for way in openings.ways for what in _COUNTERS),
        "counter other_dropped { }",
        "counter output_dropped { }",
        _chain("refused", [f'{LOGGED} "outstation refused: " level warn', "drop"]),
        *(_guard(way) for way in openings.ways),
        _chain("input", _input(openings)),
        _chain("forward", ["type filter hook forward priority filter; policy drop;"]),
        _chain("output", _output(openings)),
    ]
    return "\n".join(
        [
            "#!/usr/sbin/nft -f",
            "# Made by `rtu firewall` from the station file: change that, not this.",
            f"table inet {TABLE}",
            f"delete table inet {TABLE}",
            f"table inet {TABLE} {{",
            *(indent(part, "    ") for part in body),
            "}",
            "",
        ]
    )


def changing_sets(openings: Openings) -> tuple[str, ...]:
    """Names of the sets that the kernel itself fills."""
    per_way = (
        f"{way.name}_{what}{suffix}"
        for way in openings.ways
        for what in ("new", "live")
        for suffix in ("", "6")
    )
    return (*per_way, "offenders", "offenders6")


_COUNTERS = ("known", "unknown", "too_fast", "too_many")


def _sets(way: Way) -> Iterator[str]:
    yield from _named(f"{way.name}_masters", way.networks)
    for _, suffix, _, kind, _ in _FAMILIES:
        yield f"set {way.name}_new{suffix} {{ type {kind}; flags dynamic,timeout; timeout 2m; size 1024; }}"
        yield f"set {way.name}_live{suffix} {{ type {kind}; flags dynamic; size 256; }}"


def _named(name: str, networks: Iterable[Network]) -> Iterator[str]:
    """A set for each family; an empty one lets nobody through."""
    several = list(networks)
    for version, suffix, _, kind, _ in _FAMILIES:
        inside = ", ".join(_written(one) for one in several if one.version == version)
        elements = f" elements = {{ {inside} }}" if inside else ""
        yield f"set {name}{suffix} {{ type {kind}; flags interval;{elements} }}"


def _written(network: Network) -> str:
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)


def _guard(way: Way) -> str:
    most, name = way.connections, way.name
    rules = []
    for version, suffix, *_ in _FAMILIES:
        who = _WHO[version]
        rules += [
            f"meta nfproto ipv{version} add @{name}_new{suffix} {{ {who} limit rate over {2 * most}/minute burst {2 * most} packets }}"
            f" counter name {name}_too_fast goto refused",
            f"meta nfproto ipv{version} add @{name}_live{suffix} {{ {who} ct count over {most} }}"
            f" counter name {name}_too_many goto refused",
        ]
    return _chain(f"{name}_guard", [*rules, "accept"])


def _input(openings: Openings) -> Iterator[str]:
    yield "type filter hook input priority filter; policy drop;"
    yield "ct state established,related accept"
    yield "ct state invalid drop"
    yield "iif lo accept"
    yield "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } ip6 hoplimit 255 accept"
    yield f"meta l4proto {ICMP} limit rate 10/second accept"
    for way in openings.ways:
        port = f"tcp dport {way.port}"
        on = f'iifname "{way.interface}" ' if way.interface else ""
        for _, suffix, _, _, source in _FAMILIES:
            yield (
                f"{on}{port} ct state new {source} @{way.name}_masters{suffix}"
                f" counter name {way.name}_known goto {way.name}_guard"
            )
        for _, suffix, _, _, source in _FAMILIES:
            yield (
                f'{port} update @offenders{suffix} {{ {source} }} {LOGGED} "outstation {way.name} unknown: " level warn'
            )
        yield f"{port} counter name {way.name}_unknown drop"
    for _, suffix, _, _, source in _FAMILIES:
        yield f"tcp dport 22 ct state new {source} @admin_hosts{suffix} limit rate 6/minute burst 5 packets accept"
    for protocol, number in openings.tunnels:
        yield f"{protocol} dport {number} accept"
    if openings.dhcp:
        yield "udp sport 67 udp dport 68 accept"
        yield "ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept"
    yield f'{LOGGED} "outstation dropped: " level info'
    yield "counter name other_dropped drop"


def _output(openings: Openings) -> Iterator[str]:
    yield "type filter hook output priority filter; policy drop;"
    yield "oif lo accept"
    yield "ct state established,related accept"
    yield f"meta l4proto {ICMP} accept"
    for _, suffix, family, _, _ in _FAMILIES:
        yield f"{family} daddr @time_servers{suffix} udp dport 123 accept"
    for server in openings.log_servers:
        yield from _to(server)
    for protocol, number in openings.tunnels:
        yield f"{protocol} dport {number} accept"
    if openings.dns:
        yield f"meta l4proto {TCP_UDP} th dport 53 accept"
    if openings.dhcp:
        yield "udp sport 68 udp dport 67 accept"
        yield "udp sport 546 udp dport 547 accept"
    yield f'{LOGGED} "outstation output: " level info'
    yield "counter name output_dropped drop"


def _to(remote: Remote) -> Iterator[str]:
    for network in remote.networks:
        family = "ip" if network.version == 4 else "ip6"
        yield f"{family} daddr {_written(network)} tcp dport {remote.port} accept"


def _chain(name: str, rules: Iterable[str]) -> str:
    return "\n".join([f"chain {name} {{", *(f"    {rule}" for rule in rules), "}"])
