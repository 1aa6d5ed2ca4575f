"""From the station file to the rules of nftables and the drop-ins of systemd: what is open, and nothing beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
from ipaddress import IPv4Network, IPv6Network

import msgspec
import pytest

from rtu.config.schema import StationFile
from rtu.security.firewall.openings import ANYWHERE, openings, warnings
from rtu.security.firewall.ruleset import changing_sets, ruleset
from rtu.security.firewall.unit_network import LOG, STATION, drop_ins

BASE = {
    "format": 1,
    "station": {"name": "s", "common_address": 1},
    "listen": {"tls": {"certificate": "c", "private_key": "k", "trusted": ["ca"]}},
    "master": [
        {"name": "a", "identity": {"spki_sha256": "0" * 64}, "from": ["10.1.0.0/24", "2001:db8:1::/64"]}
    ],
}
PLAIN = {
    "listen": {"plain": {"address": "10.8.0.2", "interface": "wg0"}},
    "master": [{"name": "b", "from": ["10.8.0.1"]}],
}

needs_nft = pytest.mark.skipif(
    (shutil.which("nft") is None or os.geteuid() != 0) and "CI" not in os.environ,
    reason="needs nft, and root",
)


def station(**tables: object) -> StationFile:
    return msgspec.convert(BASE | tables, StationFile)


def both() -> StationFile:
    return station(listen=BASE["listen"] | PLAIN["listen"], master=[*BASE["master"], *PLAIN["master"]])


def rules(file: StationFile) -> list[str]:
    return [line.strip() for line in ruleset(openings(file)).splitlines()]


def unit(file: StationFile) -> list[str]:
    return drop_ins(openings(file))[STATION].splitlines()[2:]


def test_masters_of_each_port_are_those_that_may_come_over_it():
    said = rules(both())
    assert "set tls_masters { type ipv4_addr; flags interval; elements = { 10.1.0.0/24 } }" in said
    assert "set tls_masters6 { type ipv6_addr; flags interval; elements = { 2001:db8:1::/64 } }" in said
    assert "set plain_masters { type ipv4_addr; flags interval; elements = { 10.8.0.1 } }" in said
    assert "set plain_masters6 { type ipv6_addr; flags interval; }" in said


def test_without_the_table_of_plain_nothing_knows_its_port():
    assert "2404" not in ruleset(openings(station()))
    assert "2404" not in "".join(drop_ins(openings(station())).values())


def test_the_unit_may_bind_and_reach_what_the_file_names_and_nothing_else():
    assert unit(both()) == [
        "SocketBindAllow=ipv4:tcp:19998",
        "SocketBindAllow=ipv6:tcp:19998",
        "SocketBindAllow=ipv4:tcp:2404",
        "IPAddressAllow=10.1.0.0/24",
        "IPAddressAllow=2001:db8:1::/64",
        "IPAddressAllow=10.8.0.1/32",
    ]


def test_without_listeners_nothing_is_open():
    nothing = station(listen={}, master=[])
    assert unit(nothing) == []
    assert [line for line in rules(nothing) if "goto" in line] == []


def test_an_interface_binds_the_rule_to_it():
    known = [line for line in rules(both()) if "@plain_masters " in line]
    assert known == [
        'iifname "wg0" tcp dport 2404 ct state new ip saddr @plain_masters counter name plain_known goto plain_guard'
    ]


def test_a_port_of_ones_own_is_the_one_that_opens():
    tls = BASE["listen"]["tls"] | {"port": 20000, "address": "192.0.2.1"}
    file = station(listen={"tls": tls})
    assert "19998" not in ruleset(openings(file))
    assert unit(file)[0] == "SocketBindAllow=ipv4:tcp:20000"
    assert not any("IPv6" in type(network).__name__ for network in openings(file).ways[0].networks)


def test_a_master_without_networks_may_come_from_anywhere_and_that_is_said():
    file = station(master=[{"name": "a", "identity": {"spki_sha256": "0" * 64}}])
    assert openings(file).ways[0].networks == ANYWHERE
    assert "IPAddressAllow=any" in unit(file)
    assert warnings(file)[0] == 'master "a" may come from anywhere: name its networks in `from`'


def test_networks_within_others_are_left_out():
    file = station(
        master=[*BASE["master"], BASE["master"][0] | {"name": "c", "from": ["10.1.0.7", "10.1.1.0/24"]}]
    )
    assert openings(file).ways[0].networks == (IPv4Network("10.1.0.0/23"), IPv6Network("2001:db8:1::/64"))


@pytest.mark.parametrize(
    ("masters", "most"),
    [
        ([["10.1.0.1"]], 8),
        ([["10.1.0.1"], ["10.1.0.2"]], 8),
        ([["10.1.0.0/24"], ["10.1.0.2"]], 16),
        ([[], ["10.1.0.2"], ["10.1.0.3"]], 24),
        ([["10.1.0.1"]] * 9, 32),
    ],
    ids=[
        "one",
        "two at two addresses",
        "two that may share one",
        "one from anywhere",
        "as many as the listener has",
    ],
)
def test_one_address_may_have_twice_what_the_station_admits_from_it(masters, most):
    named = [
        {"name": str(number), "identity": {"spki_sha256": f"{number:064}"}, "from": networks}
        for number, networks in enumerate(masters)
    ]
    assert openings(station(master=named)).ways[0].connections == most


def test_log_servers_are_reached_by_the_sender_only():
    audit = {
        "server": [
            {"host": "192.0.2.9", "trusted": ["ca"]},
            {"host": "2001:db8::9", "port": 7000, "trusted": ["ca"]},
        ]
    }
    file = station(audit=audit)
    assert drop_ins(openings(file))[LOG].splitlines()[2:] == [
        "IPAddressAllow=192.0.2.9/32",
        "IPAddressAllow=2001:db8::9/128",
    ]
    assert not any("192.0.2.9" in line for line in unit(file))
    assert "ip daddr 192.0.2.9 tcp dport 6514 accept" in rules(file)
    assert "ip6 daddr 2001:db8::9 tcp dport 7000 accept" in rules(file)


def test_a_log_server_by_name_opens_its_port_to_everywhere_and_that_is_said():
    file = station(audit={"server": [{"host": "log.example", "trusted": ["ca"]}]})
    assert "ip daddr 0.0.0.0/0 tcp dport 6514 accept" in rules(file)
    assert any("open to everywhere" in text for text in warnings(file))
    assert any("firewall.dns" in text for text in warnings(file))
    assert "log.example" not in ruleset(openings(file)) + drop_ins(openings(file))[LOG]


HOSTILE = '"; accept; }\n[Service]\nUser=root # \x1b[31m'


def test_no_text_of_the_file_reaches_the_rules():
    file = station(
        station={"name": HOSTILE, "common_address": 1},
        master=[
            BASE["master"][0] | {"name": HOSTILE, "group": HOSTILE, "from": ["fe80::1%;accept", "10.1.0.1"]}
        ],
        audit={"server": [{"host": HOSTILE, "name": HOSTILE, "trusted": [HOSTILE]}]},
    )
    plain = station(
        master=[BASE["master"][0] | {"from": ["fe80::1", "10.1.0.1"]}],
        audit={"server": [{"host": "x", "trusted": ["y"]}]},
    )
    assert ruleset(openings(file)) == ruleset(openings(plain))
    assert drop_ins(openings(file)) == drop_ins(openings(plain))


def test_the_same_file_gives_the_same_octets():
    assert ruleset(openings(both())) == ruleset(openings(both()))


def test_every_set_the_kernel_fills_is_named():
    said = ruleset(openings(both()))
    assert all(f"set {name} {{" in said for name in changing_sets(openings(both())))
    assert said.count("flags dynamic") == len(changing_sets(openings(both())))


FILES = {
    "nothing": lambda: station(listen={}, master=[]),
    "tls": station,
    "both": both,
    "anywhere": lambda: station(master=[{"name": "a", "identity": {"spki_sha256": "0" * 64}}]),
    "everything": lambda: station(
        firewall={
            "ssh": ["192.0.2.20", "2001:db8:5::/48"],
            "ntp": ["192.0.2.30"],
            "vpn": ["udp:51820", "tcp:1194"],
            "dns": True,
            "dhcp": True,
        },
        audit={"server": [{"host": "192.0.2.9", "trusted": ["ca"]}]},
    ),
}


@needs_nft
@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_nft_takes_the_rules_also_on_a_small_debian(file):
    # Which has no names of protocols and services: the package netbase is not there.
    nameless = (
        "for names in /etc/protocols /etc/services; do test ! -e $names || mount --bind /dev/null $names; done;"
        "exec nft --check --file -"
    )
    checked = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", nameless],
        input=ruleset(openings(file())),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, "")
