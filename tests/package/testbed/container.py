"""A Debian with its own systemd as PID 1, booted in namespaces of this machine: what a package is installed on.

It shares the kernel, so it has no modules, devices or clock of its own; its processes, network, files and control groups
are its own. systemd runs services in it as on a board: sandbox, watchdog, restarts.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self
from uuid import uuid4

BOOT = Path(__file__).with_name("boot.sh")
BOOTED_S = 60.0
COMMAND_S = 120.0


def until(condition: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Wait for the condition. Raises TimeoutError, which names `what`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.05)


class Container:
    """A Debian of these layers, the uppermost first, which stay as they are; changes go to `changes`. Use it with `with`.

    `shared` is seen inside as /mnt, read-only.
    """

    def __init__(self, layers: Sequence[Path], work: Path) -> None:
        self.changes = work / "changes"
        self.shared = work / "shared"
        self.shared.mkdir(parents=True)
        self._layers, self._work = ":".join(map(str, layers)), work
        self._log = work / "console"
        self._groups = _hierarchy() / f"outstation-{uuid4().hex[:8]}"
        self.init = 0
        """Process number, here, of its PID 1."""

    def __enter__(self) -> Self:
        self._groups.mkdir()
        try:
            with self._log.open("wb") as log:
                self._boot = subprocess.Popen(
                    ["sh", BOOT, self._layers, self._work, self._groups],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            until(self._booting, "the container's systemd", BOOTED_S)
            self.run("systemctl", "is-system-running", "--wait", check=False)
        except BaseException as error:
            self.__exit__()
            error.add_note(self._log.read_text(errors="replace"))
            raise
        return self

    def __exit__(self, *_: object) -> None:
        (self._groups / "cgroup.kill").write_text("1")
        until(lambda: "populated 0" in (self._groups / "cgroup.events").read_text(), "the container's end")
        for group in sorted((path for path in self._groups.rglob("*") if path.is_dir()), reverse=True):
            group.rmdir()
        self._groups.rmdir()
        self._boot.wait()

    def run(self, *command: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command inside as root. Raises AssertionError with all it said if it fails and `check` is set."""
        return enter(self.init, ("--all",), command, check=check)

    def told(self, *command: str | Path) -> str:
        """What a command inside writes, which must not fail."""
        return self.run(*command).stdout.strip()

    def put(self, path: str, text: str | bytes, owner: str = "root:outstation", mode: int = 0o640) -> None:
        """Write a file inside."""
        from_ = self.shared / uuid4().hex
        from_.write_bytes(text if isinstance(text, bytes) else text.encode())
        user, group = owner.split(":")
        self.run("install", "-D", "-o", user, "-g", group, "-m", f"{mode:o}", f"/mnt/{from_.name}", path)
        from_.unlink()

    def property(self, unit: str, name: str) -> str:
        """A property of a unit, as `systemctl show` tells it."""
        return self.told("systemctl", "show", "--value", "--property", name, unit)

    def journal(self, unit: str) -> str:
        """Everything that a unit has logged."""
        return self.told("journalctl", "--no-pager", "--quiet", "--output", "cat", "--unit", unit)

    def _booting(self) -> bool:
        if self._boot.poll() is not None:
            raise RuntimeError("the container did not boot")
        try:
            (pid, *_) = (self._groups / "payload/init.scope/cgroup.procs").read_text().split()
        except (OSError, ValueError):
            return False
        self.init = int(pid)
        return self.run("systemctl", "is-system-running", check=False).stdout.strip() not in ("", "offline")


def enter(
    process: int, namespaces: Sequence[str], command: Sequence[str | Path], *, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command in namespaces ("--net") of another process. Raises AssertionError if it fails and `check` is set."""
    done = subprocess.run(
        ["nsenter", "--target", str(process), *namespaces, *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
        cwd="/",
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
    )
    if check:
        said = f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert done.returncode == 0, said
    return done


def _hierarchy() -> Path:
    """Where the version 2 hierarchy of control groups is mounted."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    raise RuntimeError("no hierarchy of control groups, version 2, is mounted on this machine")
