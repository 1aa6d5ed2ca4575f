"""Small Debian roots to install on, made once per machine with mmdebstrap from the mirror this machine uses itself.

A root is named after all that goes into it, so a change makes a new one and a fresh checkout on the same machine makes
none: `$XDG_CACHE_HOME/outstation-testbed/<release>-<hash>/`. Its packages are as old as it is; remove it for newer ones.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

SYSTEM = ("systemd-sysv", "udev", "nftables")
"""Of a system that boots; nothing more, so that what the package forgets to depend on is missed."""


class NoRoot(Exception):
    """The root could not be made; the text is the end of what mmdebstrap said."""


def root(release: str, depends: tuple[str, ...]) -> Path:
    """The root of a release ("bookworm") with these packages in it. Raises NoRoot."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "outstation-testbed"
    key = hashlib.sha256("\0".join([Path(__file__).read_text(), *depends]).encode()).hexdigest()[:16]
    folder = cache / f"{release}-{key}"
    if folder.exists():  # appears complete, by a rename
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"lock-{release}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            for left_over in cache.glob(f"make-{release}-*"):
                shutil.rmtree(left_over)
            with tempfile.TemporaryDirectory(prefix=f"make-{release}-", dir=cache) as work:
                _make(release, depends, Path(work) / "root")
                (Path(work) / "root").rename(folder)
    return folder


def _make(release: str, depends: tuple[str, ...], into: Path) -> None:
    settings = into.with_name("apt")
    settings.write_text(_settings())
    done = subprocess.run(
        [
            *("mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory"),
            f"--aptopt={settings}",
            f"--include={','.join((*SYSTEM, *depends))}",
            *(release, into, _mirror()),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise NoRoot("\n".join(done.stdout.splitlines()[-15:]))


def _mirror() -> str:
    """Where this machine gets its own Debian from."""
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    told = subprocess.run(
        [
            *("apt-get", "indextargets", "--format", "$(REPO_URI)"),
            *("Created-By: Packages", "Component: main", f"Release: {codename}"),
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.split()
    if not told:
        raise NoRoot("this machine's apt names no mirror of Debian")
    return told[0]


def _settings() -> str:
    """How this machine reaches it: proxies, certificates, time-outs."""
    ways = ("http", "https", "Check-", "Retries")
    told = subprocess.run(
        ["apt-config", "dump", "Acquire"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    return "".join(
        f"{line}\n" for line in told.splitlines() if line.startswith(tuple(f"Acquire::{way}" for way in ways))
    )
