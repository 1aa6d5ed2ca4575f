#!/usr/bin/env python3
"""Make the Debian packages: one for each release of Debian and each architecture, on any machine with pip and dpkg-deb.

The same checkout gives the same octets again. Times in it are SOURCE_DATE_EPOCH, or else those of the last commit.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import wheels
from archive import NotPacked, Package, pack
from releases import ARCHITECTURES, RELEASES, Release
from tree import lay_out
from wheels import CHECKOUT, LOCK, NotFetched


def main() -> int:
    names = [release.name for release in RELEASES]
    parser = argparse.ArgumentParser(description="Make the Debian packages of outstation.")
    parser.add_argument("--release", choices=names, action="append", help="default: all")
    parser.add_argument("--architecture", choices=ARCHITECTURES, action="append", help="default: all")
    parser.add_argument("--revision", type=int, default=1, metavar="N", help="of the package, default 1")
    parser.add_argument(
        "--directory", type=Path, default=CHECKOUT / "dist", metavar="DIR", help="default: dist"
    )
    parser.add_argument(
        "--lock", action="store_true", help="only write wheels.txt anew, from constraints.txt"
    )
    args = parser.parse_args()
    try:
        if args.lock:
            LOCK.write_text(wheels.lock())
        else:
            chosen = [release for release in RELEASES if release.name in (args.release or names)]
            build(chosen, args.architecture or list(ARCHITECTURES), args.revision, args.directory)
    except (NotFetched, NotPacked, FileNotFoundError) as error:
        print(f"build: {error}", file=sys.stderr)
        return 1
    return 0


def build(releases: Sequence[Release], architectures: Sequence[str], revision: int, into: Path) -> None:
    """Make the packages and print the path of each. Raises NotFetched, NotPacked or FileNotFoundError."""
    epoch = _epoch()
    with tempfile.TemporaryDirectory(prefix="outstation-package-") as work:
        own = wheels.own(Path(work) / "own", epoch)
        version = own.name.split("-")[1]
        for release, architecture in product(releases, architectures):
            place = Path(work) / f"{release.name}-{architecture}"
            lay_out(place / "root", [*wheels.fetch(release, architecture, place / "wheels"), own])
            print(
                pack(place / "root", Package(version, revision, release, architecture), into, epoch),
                flush=True,
            )


def _epoch() -> int:
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is None:
        command = ["git", "-C", CHECKOUT, "log", "-1", "--format=%ct"]
        given = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return int(given)


if __name__ == "__main__":
    sys.exit(main())
