"""What the files a station offers may be: transparent files that are sent to it, and disturbance records."""

from __future__ import annotations

from .draft import Draft
from .mistakes import quoted
from .references import check_states, point_named
from .schema import Inbox, Record, StationFile


def check_files(draft: Draft, file: StationFile) -> None:
    points = {point.name: point for point in file.point}
    if file.files is not None:
        _inboxes(draft, file.files.inbox)
    for record in file.record:
        check_states(draft, record, record.trigger, points, "trigger")
        seen: set[str] = set()
        for place, name in enumerate(record.points):
            point = point_named(draft, record, name, points, "points", place)
            if point is not None and point.type == "counter":
                draft.mistake(
                    record, f"points: {quoted(name)} is a counter, which is not recorded", "points", place
                )
            if name in seen:
                draft.mistake(record, f"points: {quoted(name)} is named twice", "points", place)
            seen.add(name)
        _fetched(draft, record)


def _inboxes(draft: Draft, inboxes: list[Inbox]) -> None:
    """Each file has one address it is sent to."""
    first: dict[str, Inbox] = {}
    for inbox in inboxes:
        if first.setdefault(inbox.file, inbox) is not inbox:
            line = draft.line(first[inbox.file], "file")
            draft.mistake(
                inbox, f"file {quoted(inbox.file)} is the one of another inbox (line {line})", "file"
            )


def _fetched(draft: Draft, record: Record) -> None:
    if not draft.written(("files",)):
        draft.mistake(record, "records are fetched by file transfer: add a [files] table")
