"""The chain of the audit trail: numbered lines, each of which names the hash of the one before it.

    {"seq": 18, "prev": "5b1c...", "time": ..., "event": ..., ...}

A line is one JSON object in ASCII; its hash is SHA-256 of its octets without the line feed. `seq` counts from 1 and goes
on over restarts; `prev` of the first is ORIGIN. The lines lie in numbered files, audit-000001.jsonl and so on, of which
the oldest give way. Two records speak of the chain itself:

    audit.gap    before it `missing` lines did not get into the files; `after` is the hash of the last that did
    audit.prune  files before number `from` have given way

Whoever changes, removes, adds or exchanges lines breaks a link, unless he makes all later lines anew. So keep a hash
elsewhere: the journal and log servers have one in each record. What is cut off at the end leaves no trace here either.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from rtu.config.schema import StationFile

ORIGIN = "0" * 64
WINDOW = 262_144
"""Octets at the end of the newest file that are looked at when the station starts."""

_NAME = re.compile(r"audit-(\d{6,12})\.jsonl")


class Head(NamedTuple):
    """A record: its number, and the hash of its line in hexadecimal digits."""

    seq: int
    hash: str


NOTHING = Head(0, ORIGIN)


class Link(msgspec.Struct, frozen=True):
    """What the chain needs to know of a line."""

    seq: int
    prev: str
    event: str = ""
    missing: object = None
    after: object = None
    from_: object = msgspec.field(name="from", default=None)


_read = msgspec.json.Decoder(Link).decode


def directory_of(file: StationFile, base: Path) -> Path:
    """Where a station keeps its chain; `base` is what the names in its file are relative to."""
    return base / (file.audit.directory or Path(file.events.directory) / "audit")


def digest(line: bytes) -> str:
    """The hash of a line, given without its line feed."""
    return hashlib.sha256(line).hexdigest()


def read_link(line: bytes) -> Link | None:
    """None for what is no line of a trail."""
    try:
        return _read(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def path_of(directory: Path, number: int) -> Path:
    return directory / f"audit-{number:06}.jsonl"


def number_of(path: Path) -> int:
    """The number in the name of a file of the chain; 0 for any other file."""
    found = _NAME.fullmatch(path.name)
    return int(found[1]) if found else 0


def files(directory: Path) -> list[Path]:
    """The files of a chain, the oldest first. Raises OSError."""
    return sorted(filter(number_of, directory.iterdir()), key=number_of)


def unlinked(before: Head, link: Link) -> str:
    """Why this line cannot be the one after `before`, in words; "" if it can."""
    if link.event == "audit.gap":
        fits = isinstance(link.missing, int) and link.seq == before.seq + link.missing + 1
        if not fits or link.after != before.hash:
            return f"record {link.seq} tells of a gap, but not of one after record {before.seq}"
        return ""
    if link.seq != before.seq + 1:
        return f"record {link.seq} comes after record {before.seq}: records are missing, added or exchanged"
    if link.prev != before.hash:
        return f"record {link.seq} does not name the hash of record {before.seq}: one of them was changed"
    return ""


class Tail(NamedTuple):
    """The end of a file: where its last whole line ends, that line and its hash, and the first link found broken."""

    end: int
    last: Link | None
    hash: str
    broken: str
    first: Link | None
    """The first line, if the whole file was looked at."""


def tail_of(path: Path) -> Tail:
    """What a file ends with; looks at the last WINDOW octets. Raises OSError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - WINDOW)
        file.seek(start)
        octets = file.read()
    if start:
        begin = octets.find(b"\n") + 1
        start, octets = start + begin, octets[begin:]
    lines = octets.split(b"\n")[:-1]
    links = [read_link(line) for line in lines]
    while links and links[-1] is None:
        del links[-1]
    del lines[len(links) :]
    end = start + sum(len(line) + 1 for line in lines)
    if not links:
        # A file of garbage is not the work of a power cut, which spoils what was written last.
        whole = size <= WINDOW
        return Tail(0 if whole else size, None, "", "" if whole else "its end cannot be read", None)
    last = links[-1]
    first = None if start else links[0]
    return Tail(end, last, digest(lines[-1]), _first_break(lines, links), first)


def _first_break(lines: list[bytes], links: list[Link | None]) -> str:
    before: Head | None = None
    for line, link in zip(lines, links, strict=True):
        if link is None:
            return f"the line after record {before.seq if before else '?'} cannot be read"
        if before is not None and (why := unlinked(before, link)):
            return why
        before = Head(link.seq, digest(line))
    return ""


def lines_of(path: Path, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """The whole lines of a file from `offset` on, each with the offset of what follows it. Raises OSError."""
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            yield offset, line[:-1]
