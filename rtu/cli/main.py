"""The command `rtu`: finds the sub-command and hands over.

A sub-command is a module of this package with `add_parser(sub)`, which sets `run`, and `run(args) -> int`, the exit
code: 0 done, 1 failed, 2 used wrongly or a mistake in a file. Only the module that is asked for gets imported, so
that `rtu --help` answers at once also on a small board. An error is one line, `rtu: ...`, raised as SystemExit.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from rtu import __version__

COMMANDS = {
    "run": "run the station",
    "demo": "serve a simulated feeder bay on this machine",
    "check": "validate a station file and summarise it",
    "points": "list the points of a station file as table, CSV or JSON",
    "probe": "connect to a station as a small master",
    "status": "show how the running station is",
    "unlock": "take the lock of a lock group away in the running station",
    "certs": "make, sign, install, revoke and show certificates",
    "audit": "check, show or send the audit trail",
    "trace": "show the traffic of the running station live, or record it",
    "firewall": "make the packet filter's rules and the unit's network rights from a station file",
    "lift-clock": "at boot: set a clock that is behind to the newest time the station knows",
}
"""Name of the sub-command, which is the name of its module too ("_" for "-"), and what `rtu --help` says of it."""

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `rtu` with these arguments (the process's own by default) and return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    args = _parser(given).parse_args(given)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has gone (`rtu points ... | head`); Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        raise SystemExit(f"rtu: {where}{error.strerror or error}") from None


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rtu", description="An IEC 60870-5-104 controlled station for Linux single-board RTUs."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    sub = parser.add_subparsers(
        prog="rtu", metavar="COMMAND", required=True
    )  # which is found at some cost else
    wanted = next((word for word in given if not word.startswith("-")), None)
    for name, words in COMMANDS.items():
        if name == wanted:
            try:
                import_module(f"rtu.cli.{name.replace('-', '_')}").add_parser(sub)
            except ImportError as error:
                raise SystemExit(f"rtu: {name} cannot start: {error}: install outstation again") from None
        else:
            sub.add_parser(name, help=words)
    return parser


class _Version(argparse.Action):
    def __call__(self, *_: object) -> None:
        print(f"rtu {__version__}")
        raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
