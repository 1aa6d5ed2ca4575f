"""From the station file to the files of the station and the recorders that make some of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

from rtu.background import Background
from rtu.clock import Clock
from rtu.config import schema
from rtu.events.history import History
from rtu.events.journal import Report
from rtu.points.model import Signal
from rtu.points.recorder import TRIGGERS, Recorder
from rtu.points.records import Records
from rtu.points.report import ReportSink
from rtu.points.station_time import StationTime
from rtu.points.table import PointTable

from .filing import Files
from .served import EventLogFile, InboxFile, RecordFile, ServedFile

TIMEOUT_S = 30.0
"""Of stations that have records, but nothing about files in their file."""


def build_history(
    file: schema.StationFile, sink: ReportSink, signals: Sequence[Signal], clock: Clock, time: StationTime
) -> History | None:
    """What stands between table and log, if the station file has an event log to be read."""
    if file.files is None or file.files.event_log is None:
        return None
    return History(sink, signals, clock, file.files.history, time)


def build_files(
    file: schema.StationFile,
    base: Path,
    *,
    table: PointTable,
    history: History | None,
    clock: Clock,
    time: StationTime,
    background: Background,
    record: Report,
    log: Callable[[str], None],
) -> Files | None:
    """The files, and the recorders at work, if there are any. Reads what is kept below `base`; once, at the start."""
    config = file.files
    if config is None and not file.record:
        return None
    station_ca = file.station.common_address
    served: list[ServedFile] = []
    if config is not None:
        if config.event_log is not None and history is not None:
            at = config.event_log
            served.append(EventLogFile(at.ca or station_ca, at.ioa, history, clock))
        served += [
            InboxFile(one.ca or station_ca, one.ioa, base / one.file, one.max_octets, clock)
            for one in config.inbox
        ]
    news: list[Callable[[int], None]] = []
    for recorder in file.record:
        ca = recorder.address.ca or station_ca

        def stored(slot: int, ca: int = ca) -> None:
            for tell in news:
                tell(ca)

        directory = base / file.events.directory / "records" / _safe(recorder.name)
        records = Records(directory, recorder.keep, background, stored=stored, log=log)
        served += [
            RecordFile(ca, recorder.address.ioa + place, records, slot)
            for place, slot in enumerate(records.slots)
        ]
        _start(recorder, file.station.name, table, clock, records)
    timeout_s = TIMEOUT_S if config is None else config.timeout_s
    files = Files(served, clock, time, background, record, timeout_s)
    news.append(files.new)
    return files


def file_addresses(file: schema.StationFile) -> set[int]:
    """Common addresses under which there are files."""
    addresses: list[schema.FileAddress] = [recorder.address for recorder in file.record]
    if file.files is not None:
        addresses += file.files.inbox
        addresses += [] if file.files.event_log is None else [file.files.event_log]
    return {address.ca or file.station.common_address for address in addresses}


def _start(recorder: schema.Record, station: str, table: PointTable, clock: Clock, records: Records) -> None:
    trigger = {}
    for name, word in recorder.trigger.items():
        index = table.index(name)
        trigger[index] = TRIGGERS[table.signals[index].kind][word]
    Recorder(
        recorder.name,
        station,
        table,
        clock,
        trigger=trigger,
        points=[table.index(name) for name in recorder.points],
        before_s=recorder.before_s,
        after_s=recorder.after_s,
        made=records.add,
    )


def _safe(name: str) -> str:
    """A name as the name of a directory, whatever is in it."""
    return quote(name, safe=" ").replace(".", "%2E")
