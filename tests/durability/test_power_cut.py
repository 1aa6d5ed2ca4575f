"""The power is cut after any write of the event store: what is left opens, and holds everything that was promised.

What the store's process does to its files is written down by a preloaded library (`write_trace.c`), and played back up to each
point into files of which the last sync is safe and everything after it may be there, not be there, or be there in part: a disk
keeps sectors of 512 octets whole and promises nothing else. Cut in a run of CI at 300 points, by `make soak` at every one.
"""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.durability.restart import restarted, undelivered
from tests.durability.store_workload import WORDS, numbers
from tests.scale import scale

HERE = Path(__file__).parent
SECTOR = 512
ROUNDS = 150
CUTS = scale(300, 1_000_000)


class Call(NamedTuple):
    """Something done to a file: W write, T truncate, S sync, U unlink, R rename."""

    kind: str
    path: str
    offset: int
    data: bytes


def calls(octets: bytes) -> Iterator[Call]:
    at = 0
    while at < len(octets):
        kind = chr(octets[at])
        (length,) = struct.unpack_from("<H", octets, at + 1)
        path = octets[at + 3 : at + 3 + length].decode()
        offset, size = struct.unpack_from("<QQ", octets, at + 3 + length)
        at += 19 + length
        yield Call(kind, path, offset, octets[at : at + size])
        at += size


@dataclass
class File:
    """A file on a disk that may be cut from its power: `safe` is what was synced, `unsafe` what came after."""

    safe: bytearray = field(default_factory=bytearray)
    unsafe: list[Call] = field(default_factory=list)

    def sync(self) -> None:
        self.safe = self.left(lambda: True)
        self.unsafe.clear()

    def left(self, keeps: object) -> bytearray:
        """What a power cut leaves, if `keeps()` says for each sector and truncation whether it got there."""
        found = bytearray(self.safe)
        for call in self.unsafe:
            if call.kind == "T":
                if keeps():  # type: ignore[operator]
                    del found[call.offset :]
                    found.extend(bytes(call.offset - len(found)))
                continue
            for at in range(0, len(call.data), SECTOR):
                if keeps():  # type: ignore[operator]
                    start = call.offset + at
                    part = call.data[at : at + SECTOR]
                    found.extend(bytes(max(0, start + len(part) - len(found))))
                    found[start : start + len(part)] = part
        return found


@dataclass
class Disk:
    """All files of the directory."""

    files: dict[str, File] = field(default_factory=dict)

    def do(self, call: Call) -> None:
        match call.kind:
            case "S":
                if call.path in self.files:
                    self.files[call.path].sync()
            case "U":
                self.files.pop(call.path, None)
            case "R":
                self.files[call.data.decode()] = self.files.pop(call.path)
            case _:
                self.files.setdefault(call.path, File()).unsafe.append(call)

    def cut(self, directory: Path, keeps: object) -> None:
        """Put what is left into a directory."""
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        for path, file in self.files.items():
            (directory / Path(path).name).write_bytes(file.left(keeps))


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> list[Call]:
    """What the store's process did."""
    base = tmp_path_factory.mktemp("trace")
    library = base / "write_trace.so"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-O1", "-o", library, HERE / "write_trace.c", "-ldl", "-lpthread"],
        check=True,
    )
    directory = base / "store"
    directory.mkdir()
    environment = os.environ | {
        "LD_PRELOAD": str(library),
        "TRACE_DIRECTORY": str(directory),
        "TRACE_FILE": str(base / "trace"),
    }
    command = [sys.executable, "-m", "tests.durability.store_workload", str(directory), str(ROUNDS)]
    subprocess.run(command, env=environment, cwd=HERE.parents[1], check=True)
    found = list(calls((base / "trace").read_bytes()))
    assert sum(call.kind == "S" for call in found) > ROUNDS
    return found


def promised(disk: Disk) -> tuple[int, int]:
    """Rows committed and numbers acknowledged, as of the last line the workload wrote."""
    for path, file in disk.files.items():
        if path.endswith("promises"):
            lines = file.left(lambda: True).decode().splitlines()
            committed, acknowledged = lines[-1].split()
            return int(committed), int(acknowledged)
    return 0, 0


def test_b_every_power_cut_leaves_a_store_that_keeps_its_promise(trace, tmp_path):
    chance = random.Random(1)
    points = range(len(trace))
    chosen = set(points) if len(points) <= CUTS else set(chance.sample(points, CUTS))
    disk = Disk()
    found_rows = 0
    for at, call in enumerate(trace):
        disk.do(call)
        if at in chosen:
            for keeps in (lambda: True, lambda: False, lambda: chance.random() < 0.5):
                found_rows += check(disk, tmp_path / "cut", keeps)
    print(f"{len(chosen)} of {len(trace)} points, 3 ways each; {found_rows:,} rows read back")
    assert found_rows > 0


def check(disk: Disk, directory: Path, keeps: object) -> int:
    committed, acknowledged = promised(disk)
    disk.cut(directory, keeps)
    (directory / "promises").unlink(missing_ok=True)
    with restarted(directory, WORDS) as log:
        found = [number for asdu in undelivered(log) for number in numbers(asdu)]
        assert found == sorted(set(found)), "rows came back out of order"
        assert set(range(acknowledged + 1, committed + 1)) <= set(found)
        assert log.position.states >= committed
        assert log.meta.get("number", 0) >= committed, "a transaction came back in part"
    return len(found)
