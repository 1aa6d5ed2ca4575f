"""What lies where in the package."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from wheels import CHECKOUT, HERE, unpack

LIBRARY = "usr/lib/outstation"
DOCUMENTS = "usr/share/doc/outstation"

# Pattern in the checkout, directory in the package.
PLACES = (
    ("systemd/*.service", "usr/lib/systemd/system"),
    ("systemd/sysusers.d/*.conf", "usr/lib/sysusers.d"),
    ("systemd/tmpfiles.d/*.conf", "usr/lib/tmpfiles.d"),
    ("systemd/udev/*.rules", "usr/lib/udev/rules.d"),
    # Beside each other as in the checkout, so that links of one to another lead somewhere.
    ("README.md", DOCUMENTS),
    ("CHANGELOG.md", DOCUMENTS),
    ("docs/*", f"{DOCUMENTS}/docs"),
    ("config/*", f"{DOCUMENTS}/config"),
    ("certs/*", f"{DOCUMENTS}/certs"),
    ("image/package/debian/copyright", DOCUMENTS),
    ("image/package/debian/outstation", "usr/share/lintian/overrides"),
)

MODES = {"usr/bin/rtu": 0o755, "etc/outstation": 0o750}
"""All others: 0755 directories, 0644 files."""


def lay_out(root: Path, wheels: Iterable[Path]) -> None:
    """Fill `root` with everything but DEBIAN. Raises FileNotFoundError when a pattern finds nothing."""
    for wheel in wheels:
        unpack(wheel, root / LIBRARY)
    for pattern, directory in PLACES:
        found = [path for path in sorted(CHECKOUT.glob(pattern)) if path.is_file()]
        if not found:
            raise FileNotFoundError(f"{CHECKOUT} has no {pattern}")
        (root / directory).mkdir(parents=True, exist_ok=True)
        for path in found:
            shutil.copyfile(path, root / directory / path.name)
    (root / "usr/bin").mkdir()
    shutil.copyfile(HERE / "rtu", root / "usr/bin/rtu")
    (root / "etc/outstation").mkdir(parents=True)


def settle(root: Path, epoch: int) -> None:
    """Give everything in the package its mode, and one time (seconds since 1970)."""
    for path in [root, *root.rglob("*")]:
        path.chmod(MODES.get(str(path.relative_to(root)), 0o755 if path.is_dir() else 0o644))
    for path in sorted(root.rglob("*"), reverse=True):
        os.utime(path, (epoch, epoch))
    os.utime(root, (epoch, epoch))
