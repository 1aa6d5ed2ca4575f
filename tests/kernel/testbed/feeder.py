"""Station files for end-to-end tests: what all of them have in common, and the certificates of both sides."""

from functools import cache
from pathlib import Path

from rtu.security.certificates.pki import Issued, issue, make_ca

COMMON_ADDRESS = 7
GROUP = "main"
PORT = 19998

COMMON = f"""
format = 1
[station]
name = "Feeder under test"
common_address = {COMMON_ADDRESS}
[events]
directory = "events"
[listen.tls]
address = "127.0.0.1"
certificate = "station.crt"
private_key = "station.key"
trusted = ["ca.crt"]
[[master]]
name = "control-centre"
identity = {{ issuer = "ca.crt", san = "dns:scada.example" }}
role = "operator"
group = "{GROUP}"
"""


@cache
def _certificates() -> tuple[Issued, Issued, Issued]:
    """The authority, the station, the master: one set for all tests of a boot."""
    ca = make_ca("Test authority", days=30)
    station = issue(ca, "feeder", "station", ["ip:127.0.0.1"], days=30)
    return ca, station, issue(ca, "scada", "master", ["dns:scada.example"], days=30)


def write_station(folder: Path, devices_points_commands: str) -> Path:
    """A complete station file in `folder`, with its certificates beside it; returns its path."""
    for name, issued in zip(("ca", "station", "master"), _certificates(), strict=True):
        issued.write(folder / f"{name}.crt", folder / f"{name}.key")
    station = folder / "station.toml"
    station.write_text(COMMON + devices_points_commands)
    return station
