"""The Debian package itself: what it says of itself, and the archive, the same octets whenever it is made again."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

from releases import Release
from tree import DOCUMENTS, settle
from wheels import HERE

SCRIPTS = ("postinst", "prerm", "postrm")

CHANGES = """\
outstation ({version}) {release}; urgency=medium

  * See CHANGELOG.md.

 -- {maintainer}  {date}
"""


class NotPacked(Exception):
    """dpkg-deb did not make the package; the text says why."""


@dataclass(frozen=True, slots=True)
class Package:
    """`version` is that of the program; `revision` counts packages made of it, with newer wheels for example."""

    version: str
    revision: int
    release: Release
    architecture: str

    @property
    def full_version(self) -> str:
        return f"{self.version}-{self.revision}+{self.release.suffix}"

    @property
    def file_name(self) -> str:
        return f"outstation_{self.full_version}_{self.architecture}.deb"


def pack(root: Path, package: Package, into: Path, epoch: int) -> Path:
    """Make the package of what `tree.lay_out` put below `root`; `epoch` is the time of everything in it.

    Raises:
        NotPacked: dpkg-deb is missing or failed.
    """
    control = _control(root, package)
    _write_changes(root, package, control, epoch)
    settle(root, epoch)
    sums = "".join(
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(root)}\n"
        for path in sorted(root.rglob("*"))
        if path.is_file()
    )
    about = root / "DEBIAN"
    about.mkdir()
    (about / "control").write_text(control)
    (about / "md5sums").write_text(sums)
    for name in SCRIPTS:
        shutil.copyfile(HERE / "debian" / name, about / name)
    for path in [about, *about.iterdir()]:
        path.chmod(0o644 if path.name in ("control", "md5sums") else 0o755)
        os.utime(path, (epoch, epoch))
    into.mkdir(parents=True, exist_ok=True)
    made = into / package.file_name
    # One thread: how many there are shows in what xz writes.
    command = ["dpkg-deb", "--root-owner-group", "--threads-max=1", "-Zxz", "--build", root, made]
    try:
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
        )
    except FileNotFoundError:
        raise NotPacked("dpkg-deb is missing: apt-get install dpkg-dev") from None
    except subprocess.CalledProcessError as error:
        raise NotPacked(error.stderr.strip()) from None
    return made


def _control(root: Path, package: Package) -> str:
    major, minor = package.release.python
    depends = [
        f"python3 (>= {major}.{minor})",
        f"python3 (<< {major}.{minor + 1})",
        "libc6 (>= 2.34)",
        "libgcc-s1",
        "netbase",
        "nftables",
        "init-system-helpers (>= 1.52)",
        "systemd",
        "tzdata",
        *package.release.depends,
    ]
    octets = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    return (
        (HERE / "debian/control")
        .read_text()
        .format(
            version=package.full_version,
            architecture=package.architecture,
            kibibytes=-(-octets // 1024),
            depends=", ".join(depends),
        )
    )


def _write_changes(root: Path, package: Package, control: str, epoch: int) -> None:
    (maintainer,) = (
        line.split(": ", 1)[1] for line in control.splitlines() if line.startswith("Maintainer: ")
    )
    text = CHANGES.format(
        version=package.full_version,
        release=package.release.name,
        maintainer=maintainer,
        date=formatdate(epoch),
    )
    (root / DOCUMENTS / "changelog.Debian.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
