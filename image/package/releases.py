"""What a package is made for: the releases of Debian with their Python, and the architectures.

Nothing is compiled, so every package is made on any machine: the wheels of each dependency exist for all of these.
Raspberry Pi OS (64 bit) is Debian for this purpose: same releases, same Python, same C library.
"""

from __future__ import annotations

from dataclasses import dataclass

PROJECT_FLOOR = 17
"""The oldest GNU C library, 2.17, that wheels are made for today."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release of Debian. `python` and `libc` are its versions of them; `suffix` sorts newer releases after older ones."""

    name: str
    suffix: str
    python: tuple[int, int]
    libc: tuple[int, int]
    depends: tuple[str, ...] = ()


RELEASES = (
    Release("bookworm", "deb12", (3, 11), (2, 36)),
    # systemd of this release can forbid ports to a service, and does so with libbpf, which it loads only if it is there.
    Release("trixie", "deb13", (3, 13), (2, 41), ("libbpf1",)),
)

ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
"""Debian's name of an architecture, and the one in names of wheels."""


def platforms(release: Release, architecture: str) -> list[str]:
    """Tags of the wheels that run there, best first."""
    machine = ARCHITECTURES[architecture]
    major, minor = release.libc
    newest_first = [f"manylinux_{major}_{each}_{machine}" for each in range(minor, PROJECT_FLOOR - 1, -1)]
    return [*newest_first, f"manylinux2014_{machine}"]
