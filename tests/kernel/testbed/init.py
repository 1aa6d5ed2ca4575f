"""First process of the test kernel: makes the guest a place to run in, runs the job, writes its exit code, halts.

The job is a folder on the host, the only argument: it holds `order` and gets `exit-code`. A watchdog that
bites restarts the kernel and so this program; `TESTBED_BOOT` counts the boots of one job.
"""

import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)
HALT = 0xCDEF0123  # LINUX_REBOOT_CMD_HALT
PR_SET_TIMERSLACK = 29
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1

MOUNTS = (
    ("proc", "/proc", ""),
    ("sysfs", "/sys", ""),
    ("configfs", "/sys/kernel/config", ""),
    ("debugfs", "/sys/kernel/debug", ""),
    ("tracefs", "/sys/kernel/tracing", ""),
    ("devtmpfs", "/dev", ""),
    ("devpts", "/dev/pts", "gid=5,mode=620,ptmxmode=666"),
    ("tmpfs", "/dev/shm", "mode=1777"),
    ("tmpfs", "/run", "mode=755"),
)
LINKS = {"fd": "fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
    "HOME": "/run/home",
    "TMPDIR": "/run/tmp",
}


def mount(kind: str, where: str, options: str) -> None:
    if _libc.mount(kind.encode(), where.encode(), kind.encode(), 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), where)


def bring_up_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack("16sh14x", b"lo", 0))
        (flags,) = struct.unpack_from("h", request, 16)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def leave_line_ends_alone() -> None:
    console = termios.tcgetattr(sys.stdout)
    console[1] &= ~termios.OPOST
    termios.tcsetattr(sys.stdout, termios.TCSANOW, console)


def count_boots(counter: Path) -> int:
    boots = int(counter.read_text()) + 1 if counter.exists() else 1
    counter.write_text(str(boots))
    return boots


def run_to_the_end(order: dict[str, Any], boots: int) -> int:
    """The exit code of the ordered command; orphans are reaped on the way, as is the first process's duty."""
    child = subprocess.Popen(
        order["argv"],
        cwd=order["cwd"],
        env={**ENVIRONMENT, **order["env"], "TESTBED_BOOT": str(boots)},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    while True:
        pid, status = os.wait()
        if pid == child.pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code  # a signal, as a shell counts it


def main(job: Path) -> None:
    for kind, where, options in MOUNTS:
        Path(where).mkdir(exist_ok=True)
        mount(kind, where, options)
    mount("hostfs", str(job), str(job))
    order = json.loads((job / "order").read_text())
    for folder in order["writable"]:
        mount("hostfs", folder, folder)
    for name, target in LINKS.items():
        Path("/dev", name).symlink_to(f"/proc/self/{target}")
    for name in ("HOME", "TMPDIR"):
        Path(ENVIRONMENT[name]).mkdir()
    bring_up_loopback()
    _libc.prctl(PR_SET_TIMERSLACK, 1)  # ns, inherited: else every sleep is 50 us longer, virtual ones too
    leave_line_ends_alone()
    code = run_to_the_end(order, count_boots(job / "boots"))
    (job / "exit-code").write_text(str(code))


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    finally:  # the first process must not simply end: that is a panic
        sys.stdout.flush()
        os.sync()
        _libc.reboot(HALT)
