"""Disturbance records on the disk: as many slots as are kept, the oldest gives way to a new one.

Each is one file, `SLOT.cff`: the .cfg, a few facts about the record and the .dat, one after the other and each under a
line of its own, as the single file format of COMTRADE has it. It is written next to its place, synchronised, and then
put there, so a power cut leaves the record before or this one. Files that cannot be read are set aside as
`SLOT.cff.damaged`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rtu.background import Background
from rtu.clock import WallTime
from rtu.disk import replace_file

from .comtrade import Comtrade, Recording, comtrade

_CFG = b"--- file type: CFG ---\r\n"
_HDR = b"--- file type: HDR ---\r\n"
_DAT = b"--- file type: DAT ASCII ---\r\n"


class Kept(NamedTuple):
    """A record on the disk: octets of its two files, and the time of its trigger."""

    lengths: tuple[int, int]
    created: WallTime


@dataclass(slots=True, eq=False)
class Slot:
    """A place for a record. `used` is how many read it just now: a record in use is neither replaced nor deleted."""

    path: Path
    kept: Kept | None = None
    used: int = 0
    busy: bool = False  # being written or deleted


class Records:
    """The records of one `[[record]]`. Belongs to the loop; disk work goes to `background`."""

    def __init__(
        self,
        directory: Path,
        keep: int,
        background: Background,
        *,
        stored: Callable[[int], None],
        log: Callable[[str], None],
    ) -> None:
        """Reads what is there. `stored` is called with the slot of each new record, `log` with what went wrong."""
        self._background = background
        self._stored = stored
        self._log = log
        self.slots = tuple(Slot(directory / f"{number}.cff") for number in range(keep))
        for slot in self.slots:
            slot.kept = _restored(slot.path, log)

    def add(self, recording: Recording) -> None:
        """Write a new record, over the oldest if all slots are taken."""
        free = [slot for slot in self.slots if not slot.used and not slot.busy]
        if not free:
            self._log(f'record "{recording.name}" is lost: those before are still being read or written')
            return
        slot = min(free, key=lambda one: one.kept.created.unix_ns if one.kept else -1)
        slot.busy = True
        self._background.submit(
            partial(_write, slot.path, recording), partial(self._written, slot), partial(self._failed, slot)
        )

    def delete(self, slot: Slot, done: Callable[[bool], None]) -> None:
        """Remove a record that is not in use, and say whether that worked."""
        if slot.used or slot.busy or slot.kept is None:
            done(False)
            return
        slot.busy = True

        def deleted(_: None) -> None:
            slot.busy, slot.kept = False, None
            done(True)

        def failed(error: Exception) -> None:
            self._failed(slot, error)
            done(False)

        self._background.submit(slot.path.unlink, deleted, failed)

    def _written(self, slot: Slot, kept: Kept) -> None:
        slot.busy, slot.kept = False, kept
        self._stored(self.slots.index(slot))

    def _failed(self, slot: Slot, error: Exception) -> None:
        slot.busy = False
        self._log(f"{slot.path}: {error}")


def read(path: Path) -> Comtrade:
    """A record from the disk. Raises ValueError when it is damaged, or OSError. Blocks."""
    return _parse(path.read_bytes())[0]


def _write(path: Path, recording: Recording) -> Kept:
    files = comtrade(recording)
    facts = {
        "trigger_unix_ns": recording.unix_ns,
        "time_valid": recording.valid,
        "sha256": hashlib.sha256(files.cfg + files.dat).hexdigest(),
    }
    header = json.dumps(facts).encode() + b"\r\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, _CFG + files.cfg + _HDR + header + _DAT + files.dat)
    return Kept((len(files.cfg), len(files.dat)), WallTime(recording.unix_ns, recording.valid))


def _parse(octets: bytes) -> tuple[Comtrade, WallTime]:
    before, header, dat = octets.partition(_HDR)
    cfg = before.removeprefix(_CFG)
    facts_line, mark, dat = dat.partition(_DAT)
    try:
        facts = json.loads(facts_line)
        created = WallTime(int(facts["trigger_unix_ns"]), bool(facts["time_valid"]))
        intact = facts["sha256"] == hashlib.sha256(cfg + dat).hexdigest()
    except (ValueError, TypeError, KeyError):
        intact = False
    if not intact or not header or not mark:
        raise ValueError("it is damaged")
    return Comtrade(cfg, dat), created


def _restored(path: Path, log: Callable[[str], None]) -> Kept | None:
    try:
        files, created = _parse(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        aside = path.with_name(path.name + ".damaged")
        try:
            os.replace(path, aside)
            log(f"{path} cannot be read ({error}); it is set aside as {aside.name}")
        except OSError as worse:
            log(f"{path} cannot be read ({error}) and not be set aside ({worse})")
        return None
    return Kept((len(files.cfg), len(files.dat)), created)
