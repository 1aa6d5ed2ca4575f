"""The packages themselves, as they lie there: the same octets again, complete, and for whom they say they are."""

import re
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from tests.package.conftest import ARCHITECTURE, RELEASES, TO_BUILD, build, require

CHECKOUT = Path(__file__).parents[2]
LOCK = CHECKOUT / "image/package/wheels.txt"
COPYRIGHT = CHECKOUT / "image/package/debian/copyright"
PYTHON = {"bookworm": "311", "trixie": "313"}
OTHER = {"amd64": ("arm64", 0xB7), "arm64": ("amd64", 0x3E)}
"""The other architecture, and how ELF files name it."""

LIBRARY = "usr/lib/outstation"

SOURCES = (
    *("rtu", "hw", "config", "certs", "docs", "systemd", "image"),
    *("pyproject.toml", "constraints.txt", "README.md", "CHANGELOG.md", "LICENSE", ".gitignore"),
)
"""What a package is made of."""


def unpacked(package, into):
    subprocess.run(["dpkg-deb", "--extract", package, into], check=True)
    return into


def field(package, name):
    told = subprocess.run(["dpkg-deb", "--field", package, name], capture_output=True, text=True, check=True)
    return told.stdout.strip()


def test_the_locked_wheels_are_of_the_versions_that_were_tested():
    locked = dict(re.findall(r"^([\w-]+)==([\w.]+)", LOCK.read_text(), re.MULTILINE))
    tested = dict(
        re.findall(r"^([\w-]+)==([\w.]+)", (CHECKOUT / "constraints.txt").read_text(), re.MULTILINE)
    )
    assert locked
    assert locked == {name: tested.get(name) for name in locked}


def test_the_same_sources_make_the_same_octets_wherever_they_lie(tmp_path):
    require(TO_BUILD)
    first, second = tmp_path / "first", tmp_path / "elsewhere/second"
    for name in SOURCES:
        copy = shutil.copytree if (CHECKOUT / name).is_dir() else shutil.copy2
        first.mkdir(exist_ok=True)
        copy(CHECKOUT / name, first / name)
    shutil.copytree(first, second)
    digests = {
        sha256(
            build(
                place / "dist",
                *("--architecture", ARCHITECTURE, "--release", "bookworm"),
                program=place / "image/package/build.py",
                environment={"SOURCE_DATE_EPOCH": "1700000000"},
            )[0].read_bytes()
        ).hexdigest()
        for place in (first, second)
    }
    assert len(digests) == 1


def test_packages_for_the_other_architecture_are_made_here_too(tmp_path):
    require(TO_BUILD)
    architecture, machine = OTHER[ARCHITECTURE]
    made = build(tmp_path / "made", "--architecture", architecture)
    for release, package in zip(RELEASES, made, strict=True):
        assert field(package, "Architecture") == architecture
        libraries = [*(unpacked(package, tmp_path / release) / LIBRARY).rglob("*.so")]
        assert len(libraries) >= 4
        assert {int.from_bytes(library.read_bytes()[18:20], "little") for library in libraries} == {machine}
        pythons = {tag for library in libraries for tag in re.findall(r"cpython-(\d+)", library.name)}
        assert pythons == {PYTHON[release]}


@pytest.mark.parametrize("release", RELEASES)
def test_a_package_wants_the_python_it_was_made_for_and_no_other(release, packages):
    minor = int(PYTHON[release][1:])
    depends = field(packages[release, 1], "Depends").split(", ")
    assert {f"python3 (>= 3.{minor})", f"python3 (<< 3.{minor + 1})"} <= set(depends)


def test_a_newer_release_has_the_newer_package(packages):
    versions = [field(packages[release, 1], "Version") for release in RELEASES]
    subprocess.run(["dpkg", "--compare-versions", versions[0], "lt", versions[1]], check=True)


def test_every_library_inside_is_named_with_its_licence(packages, tmp_path):
    library = unpacked(packages["bookworm", 1], tmp_path) / LIBRARY
    named = re.findall(rf"{LIBRARY}/([\w.]+)", COPYRIGHT.read_text())
    inside = {path.name.split(".")[0] for path in library.iterdir() if path.suffix != ".dist-info"}
    assert inside - {"rtu", "hw"} == set(named)


def test_everything_of_systemd_is_inside(packages, tmp_path):
    inside = {path.name for path in unpacked(packages["bookworm", 1], tmp_path).rglob("*") if path.is_file()}
    ours = {path.name for path in (CHECKOUT / "systemd").rglob("*") if path.is_file()}
    assert ours
    assert ours <= inside


def test_nobody_but_root_can_change_what_is_inside(packages):
    told = subprocess.run(
        ["dpkg-deb", "--contents", packages["bookworm", 1]], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split() for line in told.splitlines()]
    assert {row[1] for row in rows} == {"root/root"}
    assert [row for row in rows if "w" in row[0][4:]] == []
