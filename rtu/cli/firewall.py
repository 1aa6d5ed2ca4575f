"""`rtu firewall render|check|apply [STATION.toml]`: the packet filter and the unit's network rights, from the station file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from difflib import unified_diff
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtu.security.firewall.openings import Openings

STATION = Path("/etc/outstation/station.toml")
UNITS = Path("/run/systemd/system")
"""Where drop-ins made at run time live; there only while systemd runs the machine."""

RULES = PurePosixPath("outstation.nft")


def add_parser(sub: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = sub.add_parser(
        "firewall",
        help="make the packet filter's rules and the unit's network rights from a station file",
        description="Only what the station file names is let through: its masters to its ports, and [firewall].",
        epilog="Exit code: 0 done, 1 failed or (check) different, 2 used wrongly or a mistake in the station file.",
    )
    verbs = parser.add_subparsers(metavar="render|check|apply", required=True)
    render = verbs.add_parser("render", help="print the rules and the units' drop-ins")
    render.add_argument("--directory", type=Path, metavar="DIR", help="write them as files below DIR instead")
    render.set_defaults(run=run, verb=_render)
    check = verbs.add_parser("check", help="compare with what is loaded and installed (root)")
    check.set_defaults(run=run, verb=_check)
    apply = verbs.add_parser("apply", help="load the rules and install the drop-ins (root)")
    apply.set_defaults(run=run, verb=_apply)
    for verb in (render, check, apply):
        verb.add_argument(
            "station",
            type=Path,
            nargs="?",
            default=STATION,
            metavar="STATION.toml",
            help=f"default: {STATION}",
        )


def run(args: argparse.Namespace) -> int:
    from rtu.cli.netfilter import NetfilterError
    from rtu.config.load import ConfigError, load
    from rtu.config.mistakes import printable
    from rtu.security.firewall.openings import openings, warnings

    try:
        file = load(args.station, check_files=False)
        wanted = openings(file)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    for text in warnings(file):
        print(f"{printable(str(args.station))}: warning: {printable(text)}", file=sys.stderr)
    try:
        code: int = args.verb(args, wanted)
    except NetfilterError as error:
        raise SystemExit(f"rtu: {error}") from None
    return code


def _files(wanted: Openings) -> Mapping[PurePosixPath, str]:
    from rtu.security.firewall.ruleset import ruleset
    from rtu.security.firewall.unit_network import drop_ins

    return {RULES: ruleset(wanted), **drop_ins(wanted)}


def _render(args: argparse.Namespace, wanted: Openings) -> int:
    for name, text in _files(wanted).items():
        if args.directory is None:
            print(f"# {name}\n{text}")
        else:
            _write(args.directory / name, text)
    return 0


def _check(args: argparse.Namespace, wanted: Openings) -> int:
    from rtu.cli import netfilter

    rules = _files(wanted)[RULES]
    netfilter.valid(rules)
    different = [
        *_rules_changed(wanted, rules),
        *(line for lines in _units_changed(wanted).values() for line in lines),
    ]
    print("\n".join(different) or "the firewall is as the station file says")
    if different:
        print("to make it so: rtu firewall apply, then systemctl restart outstation", file=sys.stderr)
    return 1 if different else 0


def _apply(args: argparse.Namespace, wanted: Openings) -> int:
    """Does nothing where nothing is different: the firewall's counters go on, and systemd is left alone.

    The locks stand each by itself: one that cannot be set keeps no other from being set.
    """
    from rtu.cli import netfilter

    files = _files(wanted)
    try:
        _install(wanted, files)
    finally:
        if _rules_changed(wanted, files[RULES]):
            netfilter.load(files[RULES])
            print("rules loaded")
    return 0


def _install(wanted: Openings, files: Mapping[PurePosixPath, str]) -> None:
    from rtu.cli import netfilter

    stale = _units_changed(wanted)
    if not stale:
        return
    for name in stale:
        _write(UNITS / name, files[name])
    try:
        netfilter.run(("systemctl", "daemon-reload"))
    except netfilter.NetfilterError:
        for name in stale:  # what systemd has not read is not installed: the next attempt begins anew
            (UNITS / name).unlink()
        raise
    print("drop-ins installed; a station that runs takes them over with: systemctl restart outstation")


def _rules_changed(wanted: Openings, rules: str) -> list[str]:
    from rtu.cli import netfilter
    from rtu.security.firewall.ruleset import changing_sets

    changing = changing_sets(wanted)
    return _changes("rules", netfilter.loaded(changing), netfilter.as_loaded(rules, changing))


def _units_changed(wanted: Openings) -> Mapping[PurePosixPath, list[str]]:
    """Drop-ins that are not installed as they should be, with the difference."""
    from rtu.security.firewall.unit_network import drop_ins

    if not UNITS.is_dir():
        return {}
    found = {name: _changes(str(name), _read(UNITS / name), text) for name, text in drop_ins(wanted).items()}
    return {name: lines for name, lines in found.items() if lines}


def _changes(what: str, now: str, wanted: str) -> list[str]:
    return list(
        unified_diff(
            now.splitlines(),
            wanted.splitlines(),
            f"{what} now",
            f"{what} of the station file",
            lineterm="",
            n=1,
        )
    )


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except FileNotFoundError:
        return ""


def _write(file: Path, text: str) -> None:
    from rtu.disk import replace_file

    file.parent.mkdir(parents=True, exist_ok=True)
    replace_file(file, text.encode())
