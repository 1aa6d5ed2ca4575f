"""The openings of a station in the words of systemd: what the units forbid altogether, allowed again as far as needed.

The units say `SocketBindDeny=any` and `IPAddressDeny=any`. Without these drop-ins the station cannot open a single port,
whatever it is configured to; that is the lock between the configuration and the firewall.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from .openings import ANYWHERE, Network, Openings

STATION = PurePosixPath("outstation.service.d/50-network.conf")
LOG = PurePosixPath("outstation-log.service.d/50-network.conf")

_HEAD = ("# Made by `rtu firewall` from the station file: change that, not this.", "[Service]")


def drop_ins(openings: Openings) -> Mapping[PurePosixPath, str]:
    """Text of each drop-in, by its path below a directory of units."""
    binds = [
        f"SocketBindAllow=ipv{family}:tcp:{way.port}" for way in openings.ways for family in way.families
    ]
    masters = [network for way in openings.ways for network in way.networks]
    servers = [network for server in openings.log_servers for network in server.networks]
    return {
        STATION: "\n".join([*_HEAD, *binds, *_allowed(masters), ""]),
        LOG: "\n".join([*_HEAD, *_allowed(servers), ""]),
    }


def _allowed(networks: list[Network]) -> list[str]:
    names = ("any",) if set(ANYWHERE) <= set(networks) else tuple(dict.fromkeys(map(str, networks)))
    return [f"IPAddressAllow={name}" for name in names]
