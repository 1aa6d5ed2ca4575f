"""The wheels inside a package: locked by hash, fetched with pip, unpacked without pip.

`wheels.txt` holds the hash of every file for every release and architecture, so that a package is made of the octets
that were tested, wherever they come from.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from releases import ARCHITECTURES, RELEASES, Release, platforms

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
LOCK = HERE / "wheels.txt"
CONSTRAINTS = CHECKOUT / "constraints.txt"

NOT_SHIPPED = {"setuptools"}
"""colorzero names it and never imports it."""

HEAD = """\
# The wheels inside the Debian packages, for every release and architecture. Versions are those of constraints.txt.
# Made by: image/package/build.py --lock
"""

_FOR_PIP = (".dist-info/RECORD", ".dist-info/WHEEL")
"""Says what pip would have installed; here that is for dpkg to know."""


class NotFetched(Exception):
    """pip did not deliver; the text is the end of what it said."""


def fetch(release: Release, architecture: str, into: Path) -> list[Path]:
    """The locked wheels for this release and architecture. Raises NotFetched."""
    _pip(
        *("download", "--dest", into, "--require-hashes", "--no-deps", "--requirement", LOCK),
        *_target(release, architecture),
    )
    return sorted(into.glob("*.whl"))


def own(into: Path, epoch: int) -> Path:
    """The wheel of this checkout. Raises NotFetched."""
    _pip("wheel", "--no-deps", "--wheel-dir", into, CHECKOUT, environment={"SOURCE_DATE_EPOCH": str(epoch)})
    (wheel,) = into.glob("outstation-*.whl")
    return wheel


def unpack(wheel: Path, into: Path) -> None:
    """What is imported, and the metadata with the licences; no scripts."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if not name.endswith(_FOR_PIP) and ".data/" not in name:
                archive.extract(name, into)


def lock() -> str:
    """Text of a new `wheels.txt`, from what pip resolves now. Raises NotFetched."""
    with (CHECKOUT / "pyproject.toml").open("rb") as file:
        wanted: list[str] = tomllib.load(file)["project"]["dependencies"]
    found: dict[tuple[str, str], set[str]] = {}
    for release in RELEASES:
        for architecture in ARCHITECTURES:
            with tempfile.TemporaryDirectory() as work:
                _pip(
                    *("download", "--dest", work, "--constraint", CONSTRAINTS, *wanted),
                    *_target(release, architecture),
                )
                for wheel in Path(work).glob("*.whl"):
                    name, version = wheel.name.split("-")[:2]
                    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
                    found.setdefault((name.replace("_", "-"), version), set()).add(digest)
    return HEAD + "".join(_requirements(found))


def _requirements(found: Mapping[tuple[str, str], set[str]]) -> Iterator[str]:
    for (name, version), digests in sorted(found.items()):
        if name not in NOT_SHIPPED:
            hashes = "".join(f" \\\n    --hash=sha256:{digest}" for digest in sorted(digests))
            yield f"{name}=={version}{hashes}\n"


def _target(release: Release, architecture: str) -> list[str]:
    version = ".".join(map(str, release.python))
    tags = [option for tag in platforms(release, architecture) for option in ("--platform", tag)]
    return ["--only-binary=:all:", "--implementation", "cp", "--python-version", version, *tags]


def _pip(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments],
        # What builds our own wheel is of the tested versions too.
        env={**os.environ, "PIP_CONSTRAINT": str(CONSTRAINTS), **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise NotFetched("\n".join((done.stdout + done.stderr).strip().splitlines()[-10:]))
