"""Asking the kernel's packet filter, by the program `nft`: is this loaded, load this."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence

from rtu.security.firewall.ruleset import TABLE

_LIST = ("nft", "--stateless", "list", "table", "inet", TABLE)


class NetfilterError(Exception):
    """The program cannot do it; one line that says why."""


def valid(rules: str) -> None:
    """Have `nft` read the rules without loading them. Raises NetfilterError."""
    run(("nft", "--check", "--file", "-"), rules)


def load(rules: str) -> None:
    """Replace the station's table, whole or not at all. Raises NetfilterError."""
    run(("nft", "--file", "-"), rules)


def loaded(changing: Iterable[str]) -> str:
    """The station's table as the kernel has it, "" for none, without what it put into its `changing` sets itself."""
    if not re.search(rf"^table inet {TABLE}$", run(("nft", "list", "tables")), re.MULTILINE):
        return ""
    return _settled(run(_LIST), changing)


def as_loaded(rules: str, changing: Iterable[str]) -> str:
    """What `loaded` would tell of these rules: they are loaded in a network of their own, which nobody uses."""
    listed = run(("unshare", "--net", "sh", "-c", f"nft --file - && {' '.join(_LIST)}"), rules)
    return _settled(listed, changing)


def _settled(listed: str, changing: Iterable[str]) -> str:
    for name in changing:
        listed = re.sub(
            rf"(^\tset {name} {{\n(?:\t\t(?!elements)[^\n]*\n)*)\t\telements = {{[^}}]*}}\n",
            r"\1",
            listed,
            flags=re.M,
        )
    return listed


def run(command: Sequence[str], given: str = "") -> str:
    """What a program prints. Raises NetfilterError with the first line of what it complains of."""
    try:
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise NetfilterError(f"{command[0]} is not installed: apt install nftables util-linux") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
        raise NetfilterError(f"{command[0]}: {lines[0]}")
    return done.stdout
