"""Reads a chain as it grows: line by line from a place that can be remembered, from one file into the next.

Nothing is locked: what the station has not written whole is left for later, and a file that gave way is passed over.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from .chain import files, lines_of, number_of, path_of, read_link


class Place(NamedTuple):
    """After a record: the file it is in, the offset of what follows it, and its number (0: nothing was read yet)."""

    file: int
    offset: int
    seq: int


BEGINNING = Place(0, 0, 0)


class Step(NamedTuple):
    """A line that was read. `missing`: numbers between the one before and this one, though no gap is told."""

    line: bytes
    place: Place
    missing: int


class Follower:
    """Belongs to one thread."""

    def __init__(self, directory: Path, place: Place = BEGINNING) -> None:
        self._directory = directory
        self.place = place

    def read(self, most: int) -> list[Step]:
        """Up to `most` further lines; none if there are none now. Raises OSError."""
        steps: list[Step] = []
        numbers = [number_of(path) for path in files(self._directory)]
        while numbers and len(steps) < most:
            self._settle(numbers)
            number, offset, _ = self.place
            try:
                for end, line in lines_of(path_of(self._directory, number), offset):
                    self._take(steps, line, number, end)
                    if len(steps) == most:
                        return steps
            except FileNotFoundError:  # it gave way this moment
                numbers.remove(number)
                continue
            later = [each for each in numbers if each > number]
            if not later:
                return steps
            self.place = self.place._replace(file=later[0], offset=0)
        return steps

    def _take(self, steps: list[Step], line: bytes, number: int, end: int) -> None:
        link, before = read_link(line), self.place.seq
        seq = before if link is None else link.seq
        self.place = Place(number, end, max(seq, before))
        if link is not None and seq <= before:
            return  # read before: the file was begun again
        told = link is None or link.event == "audit.gap" or not before
        steps.append(Step(line, self.place, 0 if told else seq - before - 1))

    def _settle(self, numbers: list[int]) -> None:
        """Find the place again: its file may have given way, been cut, or been replaced by another chain."""
        number, offset, seq = self.place
        if number not in numbers:
            later = [each for each in numbers if each > number]
            self.place = Place(later[0], 0, seq) if later else Place(numbers[0], 0, 0)
        elif offset and not _ends_a_line(path_of(self._directory, number), offset):
            self.place = Place(number, 0, seq)


def _ends_a_line(path: Path, offset: int) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(offset - 1)
            return file.read(1) == b"\n"
    except FileNotFoundError:
        return True
