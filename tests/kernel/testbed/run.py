"""Boot the test kernel on this machine's own files, run one command in it as root, end with its exit code.

    run.py [--output DIR] [--virtual-time] [--disk IMAGE] [--timeout S] -- command...

Inside, the whole file tree is the host's, read-only; only DIR can be written through to the host, and
`TMPDIR` is in the guest's memory. 124: out of time, 125: the kernel ended without a result.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from build_kernel import NotHere, NotInstalled, kernel

HERE = Path(__file__).resolve().parent
OUT_OF_TIME = 124
NO_RESULT = 125


def run(
    command: list[str],
    *,
    output: Path | None = None,
    virtual_time: bool = False,
    disk: Path | None = None,
    timeout_s: float = 600,
    memory: str = "768M",
) -> int:
    """Run `command` in a fresh test kernel and return its exit code.

    Args:
        command: argument vector; it runs in this process's working directory.
        output: a folder the guest may write to, at the same path.
        virtual_time: while every process inside sleeps, the clock jumps to the next timer.
        disk: an image file, `/dev/ubda` inside; for power-cut tests.
        timeout_s: seconds of real time until the kernel is killed, as by a power cut.
        memory: what the guest believes to have; taken from the host only as used.

    Raises:
        NotHere, NotInstalled: there is no kernel, and this host cannot build one.
        RuntimeError: building the kernel failed.
    """
    folder = kernel()
    with tempfile.TemporaryDirectory(prefix="testbed-") as tmp:
        job = Path(tmp)
        environment = {
            "TESTBED": "1",
            "TESTBED_MODULES": str(folder.resolve()),
            "PYTHONPATH": os.pathsep.join((str(HERE), *map(str, HERE.parents[2:3]))),
        }
        writable = [str(path.resolve()) for path in (output,) if path is not None]
        order = {"argv": command, "cwd": str(Path.cwd()), "env": environment, "writable": writable}
        (job / "order").write_text(json.dumps(order))
        # The kernel's command line is split at spaces: give it paths that have none.
        (job / "python").symlink_to(Path(sys.executable).resolve())
        shutil.copy(HERE / "init.py", job / "init.py")
        arguments = [
            folder / "linux",
            f"mem={memory}",
            *("rootfstype=hostfs", "rootflags=/", "ro"),
            *("quiet", "loglevel=2", "con=null", "con0=null,fd:1"),
            "random.trust_cpu=on",  # or the first random number costs ten seconds
            f"uml_dir={job}",
            f"ubd0={disk.resolve() if disk else '/dev/null'}",
            *(("time-travel=inf-cpu",) if virtual_time else ()),
            f"init={job}/python",
            *("--", "-I", "-S", f"{job}/init.py", str(job)),
        ]
        machine = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            machine.wait(timeout_s)
        except subprocess.TimeoutExpired:
            print(f"run.py: out of time after {timeout_s:g} s", file=sys.stderr)
            return OUT_OF_TIME
        finally:
            try:
                os.killpg(machine.pid, signal.SIGKILL)  # its helper processes too
            except ProcessLookupError:
                pass
            machine.wait()
        try:
            return int((job / "exit-code").read_text())
        except (OSError, ValueError):
            print("run.py: the kernel ended without a result", file=sys.stderr)
            return NO_RESULT


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, help="a folder the guest may write to")
    parser.add_argument("--virtual-time", action="store_true", help="sleeping takes no time")
    parser.add_argument("--disk", type=Path, help="an image file, /dev/ubda inside")
    parser.add_argument("--timeout", type=float, default=600, help="seconds of real time (600)")
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    try:
        return run(
            given.command,
            output=given.output,
            virtual_time=given.virtual_time,
            disk=given.disk,
            timeout_s=given.timeout,
        )
    except (NotHere, NotInstalled) as reason:
        print(reason, file=sys.stderr)
        return reason.exit_code


if __name__ == "__main__":
    sys.exit(main())
