"""Checks a whole chain: every link of every file, that no file is missing, and a hash that was kept elsewhere.

A chain alone proves that nothing was changed, removed, added or exchanged in its middle. That its end was not cut off, or all
of it made anew, only a hash from elsewhere proves: the journal, a log server, a note of yesterday (`expected`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .chain import NOTHING, Head, Link, digest, files, number_of, path_of, read_link, unlinked

ENOUGH = 20
"""Broken links that are told."""


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain is broken. `line` counts from 1; 0 is the file."""

    file: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}" if self.line else f"{self.file}: {self.text}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found. `first` and `head` are the oldest and the newest record; number 0 if there is none."""

    files: int
    records: int
    first: int
    head: Head
    missing: int
    """Records that are missing as `audit.gap` records say: the disk did not take them."""
    breaks: tuple[Break, ...]


class _Check:
    def __init__(self, expected: Head | None) -> None:
        self.expected = expected
        self.breaks: list[Break] = []
        self.records = self.missing = self.first = 0
        self.head = NOTHING
        self.kept_from = 1

    def line(self, path: Path, number: int, line: bytes) -> None:
        link = read_link(line)
        if link is None:
            self._broken(path, number, "this line is no record")
            return
        if not self.records:
            self._oldest(path, link)
        elif why := unlinked(self.head, link):
            self._broken(path, number, why)
        if link.event == "audit.gap" and isinstance(link.missing, int):
            self.missing += link.missing
        if link.event == "audit.prune" and isinstance(link.from_, int):
            self.kept_from = link.from_
        self.head = Head(link.seq, digest(line))
        self.records += 1
        self._compare(path, number, self.head)

    def _oldest(self, path: Path, link: Link) -> None:
        self.first = link.seq
        if number_of(path) == 1 and (why := unlinked(NOTHING, link)):
            self._broken(path, 1, why)
        if link.event != "audit.gap":
            self._compare(path, 1, Head(link.seq - 1, link.prev))

    def _compare(self, path: Path, number: int, head: Head) -> None:
        expected = self.expected
        if expected is not None and head.seq == expected.seq:
            self.expected = None
            if head.hash != expected.hash:
                self._broken(path, number, f"record {head.seq} is not the one whose hash was kept elsewhere")

    def _broken(self, path: Path, line: int, text: str) -> None:
        if len(self.breaks) < ENOUGH:
            self.breaks.append(Break(path, line, text))

    def end(self, directory: Path, oldest: int) -> None:
        if oldest > self.kept_from:
            self.breaks.insert(0, Break(path_of(directory, self.kept_from), 0, "this file is missing"))
        if self.expected is not None and self.expected != NOTHING:
            seq = self.expected.seq
            text = f"record {seq}, whose hash was kept elsewhere, is not here: records after {self.head.seq} are missing"
            if seq < self.first:
                text = f"record {seq} has given way already: compare a later one"
            self._broken(path_of(directory, max(oldest, 1)), 0, text)


def check(directory: Path, expected: Head | None = None) -> Verdict:
    """Check the chain in `directory`, and that `expected` is one of its records. Raises OSError."""
    work = _Check(expected)
    found = files(directory)
    for before, path in zip([None, *found], found, strict=False):
        if before is not None and number_of(path) != number_of(before) + 1:
            missing = path_of(directory, number_of(before) + 1)
            work.breaks.append(Break(missing, 0, "this file is missing"))
        _check_file(work, path, newest=path is found[-1])
    work.end(directory, number_of(found[0]) if found else 1)
    return Verdict(len(found), work.records, work.first, work.head, work.missing, tuple(work.breaks))


def _check_file(work: _Check, path: Path, newest: bool) -> None:
    number = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.endswith(b"\n"):
                work.line(path, number, line[:-1])
            else:
                text = "this line was not written whole"
                if newest:
                    text += "; the station cuts it off when it starts"
                work.breaks.append(Break(path, number, text))
