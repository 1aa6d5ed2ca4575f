"""The station file read and checked in a process of its own: beside the imports of this one, and its garbage ends with it.

What reading leaves behind in pieces is more than the station of 10,000 points that is made of it.
"""

from __future__ import annotations

import gc
import os
import sys
import traceback
from pathlib import Path

MISTAKES = 2
"""Exit code of the child, and of `rtu run`, when the file cannot be used."""


class Reading:
    """Begins at once. This process must have one thread only."""

    def __init__(self, path: Path) -> None:
        into, out = os.pipe()
        self._child = os.fork()
        if not self._child:
            os.close(into)
            _read_and_end(path, out)
        os.close(out)
        self._octets = into

    def result(self) -> bytes | None:
        """Wait for the file, frozen (`rtu.config.frozen`); None if it has mistakes, which are on stderr then."""
        with open(self._octets, "rb") as pipe:
            octets = pipe.read()
        _, status = os.waitpid(self._child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code not in (0, MISTAKES):
            raise SystemExit(f"rtu: the process that read the station file ended with {code}: start again")
        return octets if code == 0 else None


def _read_and_end(path: Path, out: int) -> None:
    code = 1
    gc.disable()  # all of it ends with this process
    try:
        from rtu.config.frozen import freeze
        from rtu.config.load import examine

        found = examine(path)
        for mistake in found.mistakes:
            print(mistake, file=sys.stderr)
        if found.file is not None:
            with open(out, "wb") as pipe:
                pipe.write(freeze(found.file))
        code = MISTAKES if found.file is None else 0
    except KeyboardInterrupt:  # the parent hears of it too
        pass
    except BaseException:  # nothing may go on into what the parent does
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)
