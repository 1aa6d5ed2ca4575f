"""The packages as built from this checkout, and Debian 12 and 13 booted to install them on."""

import os
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.package.testbed.container import Container
from tests.package.testbed.roots import root
from tests.package.testbed.site import site

BUILD = Path(__file__).parents[2] / "image/package/build.py"
RELEASES = ("bookworm", "trixie")
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "")

TO_BUILD = {"dpkg-deb": "dpkg-dev"}
TO_BOOT = {"mmdebstrap": "mmdebstrap", "systemd-nspawn": "systemd-container", "ip": "iproute2"}
"""Programs, and the Debian packages they come in."""


def require(programs, *, root=False):
    """Skip where something is missing; in CI fail."""
    missing = [package for program, package in programs.items() if shutil.which(program) is None]
    lacks = [f"apt-get install {' '.join(missing)}"] * bool(missing) + ["root"] * (root and os.geteuid() != 0)
    if lacks:
        (pytest.fail if "CI" in os.environ else pytest.skip)(f"needs {' and '.join(lacks)}")


def build(directory, *options, program=BUILD, environment=None):
    """Paths of the packages made, as the build prints them."""
    done = subprocess.run(
        [sys.executable, program, "--directory", directory, *options],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 0, done.stderr
    return [Path(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """Two revisions of the package for each release and this machine's architecture: path by release and revision."""
    require(TO_BUILD)
    directory = tmp_path_factory.mktemp("packages")

    def revision(number):
        made = build(directory, "--architecture", ARCHITECTURE, "--revision", str(number))
        return {(release, number): package for release, package in zip(RELEASES, made, strict=True)}

    with ThreadPoolExecutor() as builders:
        first, second = builders.map(revision, (1, 2))
    return first | second


@pytest.fixture(scope="session", params=RELEASES)
def release(request):
    return request.param


@pytest.fixture(scope="session")
def debian(release, packages):
    """The root of a release with what the package depends on, and not yet the package."""
    require(TO_BOOT, root=True)
    depends = subprocess.run(
        ["dpkg-deb", "--field", packages[release, 1], "Depends"], capture_output=True, text=True, check=True
    ).stdout
    return root(release, tuple(sorted({each.split()[0] for each in depends.split(",")})))


def install(board, package):
    """What apt says while it installs a package that is on this machine."""
    shutil.copy(package, board.shared)
    return board.run("apt-get", "install", "--yes", f"/mnt/{package.name}").stdout


@pytest.fixture(scope="session")
def installed(release, debian, packages, tmp_path_factory):
    """Layers of a board on which the package was installed and nothing configured."""
    work = tmp_path_factory.mktemp(f"installed-{release}")
    with Container([debian], work) as board:
        install(board, packages[release, 1])
    return [board.changes, debian]


@pytest.fixture
def bare(debian, tmp_path):
    """A board without the package."""
    with Container([debian], tmp_path / "board") as board:
        yield board


@pytest.fixture
def board(installed, tmp_path):
    """A board with the package, and no configuration yet."""
    with Container(installed, tmp_path / "board") as board:
        yield board


@pytest.fixture
def station(board, tmp_path):
    """A site whose station serves."""
    with site(board, tmp_path) as place:
        place.start()
        yield place
