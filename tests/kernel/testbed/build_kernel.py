"""Build the test kernel (User-Mode Linux) once per machine, and print the folder that holds it.

The folder is named after everything that goes into the kernel, so a change builds a new one and a fresh
checkout on the same machine builds none: `$XDG_CACHE_HOME/outstation-testbed/<hash>/{linux,*.ko,config,version}`.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from edit_kernel import edit

HERE = Path(__file__).resolve().parent
SOURCE = "linux-source-6.1"
PACKAGES = ("gcc", "make", "flex", "bison", "bc", "xz-utils", "libc6-dev", SOURCE)
INPUTS = ("build_kernel.py", "edit_kernel.py", "testbed.config")
NOT_HERE = 3  # exit code for NotHere
NOT_INSTALLED = 4  # exit code for NotInstalled


class NotHere(Exception):
    """The test kernel is not built on hosts of this kind; the text says on which."""

    exit_code = NOT_HERE


class NotInstalled(Exception):
    """The host lacks packages, and they could not be installed; the text says what to do."""

    exit_code = NOT_INSTALLED


def kernel() -> Path:
    """The folder of the test kernel, built first if it is not there yet (minutes, once).

    Raises:
        NotHere, NotInstalled: this host cannot build it.
        RuntimeError: the build failed; the text holds the end of its log.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "outstation-testbed"
    key = hashlib.sha256(b"\0".join((HERE / name).read_bytes() for name in INPUTS)).hexdigest()[:16]
    folder = cache / key
    if folder.exists():  # appears complete, by a rename
        return folder
    _check_host()
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            for left_over in cache.glob("build-*"):
                shutil.rmtree(left_over)
            with tempfile.TemporaryDirectory(prefix="build-", dir=cache) as work:
                _build(Path(work)).rename(folder)
    return folder


def _check_host() -> None:
    release = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    if (release.get("ID"), release.get("VERSION_ID"), platform.machine()) != ("debian", "12", "x86_64"):
        raise NotHere("the test kernel is built on Debian 12, x86-64, only")
    missing = [name for name in PACKAGES if not _installed(name)]
    if not missing:
        return
    if os.geteuid() != 0:
        raise NotInstalled(f"to build the test kernel, run as root: apt-get install {' '.join(missing)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
        if subprocess.call(["apt-get", *command], env=environment, stdout=sys.stderr) != 0:
            raise NotInstalled(f"the test kernel needs {' '.join(missing)}, but apt-get {command[0]} failed")


def _installed(package: str) -> bool:
    query = ["dpkg-query", "-W", "-f", "${db:Status-Status}", package]
    return subprocess.run(query, check=False, capture_output=True, text=True).stdout == "installed"


def _build(work: Path) -> Path:
    tree, result, log = work / SOURCE, work / "result", work / "log"
    fragment = HERE / "testbed.config"

    def step(*command: str | Path) -> None:
        with log.open("ab") as out:
            code = subprocess.call(command, cwd=work, stdout=out, stderr=subprocess.STDOUT)
        if code != 0:
            end = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
            raise RuntimeError(f"{end}\nthe kernel build stopped at: {' '.join(map(str, command))}")

    def make(*targets: str) -> None:
        step("make", "-C", tree, "ARCH=um", f"-j{len(os.sched_getaffinity(0))}", *targets)

    step("tar", "-xf", f"/usr/src/{SOURCE}.tar.xz")
    edit(tree)
    make("tinyconfig")
    config = tree / ".config"
    step(tree / "scripts/kconfig/merge_config.sh", "-m", "-O", tree, config, fragment)
    make("olddefconfig")
    wanted = {line for line in fragment.read_text().splitlines() if line.startswith("CONFIG_")}
    if refused := wanted.difference(config.read_text().splitlines()):
        raise RuntimeError(f"the kernel's configuration did not take {' '.join(refused)}")
    make("linux", "modules")

    result.mkdir()
    step("strip", "-o", result / "linux", tree / "linux")
    for module in (tree / "modules.order").read_text().split():
        shutil.copy(tree / module.replace(".o", ".ko"), result)
    shutil.copy(config, result / "config")
    step("sh", "-c", f"dpkg-query -W {SOURCE} >result/version")
    return result


if __name__ == "__main__":
    try:
        print(kernel())
    except (NotHere, NotInstalled) as reason:
        print(reason, file=sys.stderr)
        sys.exit(reason.exit_code)
    except (RuntimeError, ValueError, OSError) as error:
        sys.exit(str(error))
