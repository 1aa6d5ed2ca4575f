"""Who transfers which file: one transfer per connection, and what ends it besides its own messages.

A transfer belongs to the connection that began it and ends with it. While it is the master's turn a timer runs; the
station's turn has none, for the link sees to it that the master takes what is sent. Reading and storing are done in
the background. Everything that was read, deleted, stored or refused goes on record, refusals at most once a second per
connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from rtu.background import Background
from rtu.clock import MILLISECOND, SECOND, Clock, Timer
from rtu.events.journal import Report
from rtu.iec104.asdu import ASDU, InformationObject
from rtu.iec104.catalogue import Cause
from rtu.iec104.elements import NOF
from rtu.points.station_time import StationTime

from .client import Client
from .directory import Listed, directory
from .served import MAX_FILE, Entry, Sections, ServedFile
from .transfer import (
    NO_MEMORY,
    UNEXPECTED,
    UNEXPECTED_FILE,
    Message,
    OutOfTurn,
    Step,
    Told,
    file_not_ready,
    file_ready,
    refusal,
)
from .transfer_in import IncomingTransfer
from .transfer_in import State as Receiving
from .transfer_out import OutgoingTransfer
from .transfer_out import State as Sending

MAX_JOBS = 16
"""Readings that may wait for the disk, all connections together."""


class Line(NamedTuple):
    """A request about a file, and so the way of its answers."""

    client: Client
    ca: int
    ioa: int
    name: int
    originator: int
    test: bool

    def octets(self, message: Message) -> bytes:
        """The ASDU of a message."""
        item = InformationObject(self.ioa, (NOF(self.name), *message.elements))
        return ASDU(
            message.type_id, Cause.FILE, self.ca, (item,), originator=self.originator, test=self.test
        ).encode()

    def send(self, message: Message | None) -> None:
        """Owe it to the master."""
        if message is not None:
            self.client.reply(self.octets(message))


@dataclass(slots=True, eq=False)
class Exchange:
    """What one connection is at. `transfer` is None while the file is read."""

    file: ServedFile
    line: Line
    transfer: OutgoingTransfer | IncomingTransfer | None = None
    timer: Timer | None = None
    due_ns: int | None = None  # when the master has been silent for too long; None: it is not its turn
    test: bool = False  # some part of it had the test bit


@dataclass(slots=True, eq=False)
class _Visit:
    """A connection, from its first request to its end."""

    exchange: Exchange | None = None
    refused_ns: int | None = None
    left_out: int = 0  # refusals since, not on record


class Files:
    """The files of a station and their transfers. Belongs to the loop."""

    def __init__(
        self,
        files: Iterable[ServedFile],
        clock: Clock,
        time: StationTime,
        background: Background,
        record: Report,
        timeout_s: float,
    ) -> None:
        self._files = {(file.ca, file.ioa): file for file in sorted(files, key=lambda file: file.ioa)}
        self._clock = clock
        self._time = time
        self._background = background
        self._report = record
        self._timeout_ns = round(timeout_s * SECOND)
        self._visits: dict[Client, _Visit] = {}
        self._jobs = 0
        self.on_new: Callable[[int], object] | None = None
        """Called with the common address when there is a new file."""

    def new(self, ca: int) -> None:
        """There is a new file."""
        if self.on_new is not None:
            self.on_new(ca)

    def find(self, ca: int, ioa: int) -> ServedFile | None:
        """The file at this address, whether there is anything in it or not."""
        return self._files.get((ca, ioa))

    def forget(self, client: Client) -> None:
        """The connection was stopped or closed."""
        visit = self._visits.pop(client, None)
        if visit is not None and visit.exchange is not None:
            self._release(visit.exchange, "the connection ended")

    # Directory

    def directory(self, line: Line, cause: Cause, otherwise: Callable[[], None]) -> None:
        """List the files of a common address, or the one at `line.ioa` unless that is 0.

        `otherwise` is called when there are none, or too much already waits for the disk.
        """
        listed = [
            (file, file.entry())
            for (ca, ioa), file in self._files.items()
            if ca == line.ca and line.ioa in (0, ioa) and file.exists
        ]
        if not listed or self._jobs >= MAX_JOBS:
            otherwise()
            return
        visit = self._visit(line.client)

        def answer(entries: list[tuple[ServedFile, Entry]]) -> None:
            self._jobs -= 1
            if self._visits.get(line.client) is not visit:
                return
            found = [Listed(file.ioa, file.name, entry, file.users > 0) for file, entry in entries]
            if not found:
                otherwise()
            for octets in directory(
                found, line.ca, cause, self._time, originator=line.originator, test=line.test
            ):
                line.client.reply(octets)

        self._jobs += 1
        self._background.submit(partial(_look, listed), answer, self._not_listed)

    def _not_listed(self, error: Exception) -> None:
        self._jobs -= 1
        raise error

    # Transfers

    def take(self, line: Line, file: ServedFile, type_id: int, step: Step | None, told: Told) -> None:
        """One step of a master about one file."""
        visit = self._visit(line.client)
        exchange = visit.exchange
        if line.name not in (0, file.name):
            self._refuse(line, type_id, step, told, "the file has another name", UNEXPECTED_FILE)
        elif step is Step.DELETE_FILE:
            self._delete(line, file, type_id, told)
        elif exchange is None or (step in _BEGINNINGS and _replaceable(exchange)):
            if step not in _BEGINNINGS:
                self._refuse(line, type_id, step, told, "no transfer is under way")
                return
            if exchange is not None:
                self._end(exchange, "another was selected")
            _BEGINNINGS[step](self, line, file, type_id, told)
        elif exchange.file is not file:
            self._refuse(line, type_id, step, told, "another file is being transferred", UNEXPECTED_FILE)
        else:
            self._go_on(exchange, line, type_id, step, told)

    def _go_on(self, exchange: Exchange, line: Line, type_id: int, step: Step | None, told: Told) -> None:
        transfer = exchange.transfer
        try:
            if transfer is None or step is None:
                raise OutOfTurn
            message = transfer.step(step, told)
        except OutOfTurn:
            self._refuse(line, type_id, step, told, "it was not its turn")
            return
        exchange.line = line
        exchange.test |= line.test
        line.send(message)
        if transfer.over:
            self._end(exchange, transfer.outcome)
        elif transfer.state is Receiving.RECEIVED:
            self._store(exchange, transfer)
        else:
            self._expect(exchange, transfer)

    def _expect(self, exchange: Exchange, transfer: OutgoingTransfer | IncomingTransfer) -> None:
        """Send, or wait for the master."""
        if transfer.master_is_asked:
            exchange.line.client.transmission.stream(None)
            exchange.due_ns = self._clock.now_ns() + self._timeout_ns
            if exchange.timer is None:
                exchange.timer = self._clock.call_at(exchange.due_ns, partial(self._look_at_time, exchange))
        else:
            exchange.due_ns = None
            exchange.line.client.transmission.stream(partial(self._segment, exchange, transfer))

    def _look_at_time(self, exchange: Exchange) -> None:
        """The one timer of an exchange: what came meanwhile only moved the time it is about."""
        exchange.timer = None
        due_ns = exchange.due_ns
        if due_ns is None:
            return
        if due_ns <= self._clock.now_ns():
            self._end(exchange, "the master was silent")
        else:
            exchange.timer = self._clock.call_at(due_ns, partial(self._look_at_time, exchange))

    def _segment(self, exchange: Exchange, transfer: OutgoingTransfer | IncomingTransfer) -> bytes | None:
        message = transfer.next()
        if transfer.master_is_asked:
            self._expect(exchange, transfer)
        return None if message is None else exchange.line.octets(message)

    # From the station

    def _select(self, line: Line, file: ServedFile, type_id: int, told: Told) -> None:
        if file.exists:
            self._read(line, file, type_id, told, file.content())
        else:
            self._refuse(line, type_id, Step.SELECT_FILE, told, "the file is not there")

    def _query(self, line: Line, file: ServedFile, type_id: int, told: Told) -> None:
        work = None
        reason = "there is no log in that file"
        try:
            assert told.span is not None
            if any(tag.invalid for tag in told.span):
                raise ValueError("the time is marked invalid")
            since, until = map(self._time.unix_ns, told.span)
            if since > until:
                raise ValueError("the time ends before it begins")
            work = file.extract(since, until + MILLISECOND - 1)
        except ValueError as error:
            reason = str(error)
        if work is None:
            self._refuse(line, type_id, Step.QUERY_LOG, told, reason)
        else:
            self._read(line, file, type_id, told, work)

    def _read(
        self, line: Line, file: ServedFile, type_id: int, told: Told, work: Callable[[], Sections]
    ) -> None:
        if self._jobs >= MAX_JOBS:
            self._refuse(line, type_id, Step.SELECT_FILE, told, "too many files are being read", NO_MEMORY)
            return
        exchange = self._begin(line, file)
        self._jobs += 1

        def have(transfer: OutgoingTransfer) -> None:
            self._jobs -= 1
            if self._current(exchange):
                exchange.transfer = transfer
                line.send(transfer.begin())
                self._expect(exchange, transfer)

        def have_not(error: Exception) -> None:
            self._jobs -= 1
            if self._current(exchange):
                line.send(file_not_ready())
                self._end(exchange, f"it could not be read: {error}")

        self._background.submit(partial(_prepare, work), have, have_not)

    def _delete(self, line: Line, file: ServedFile, type_id: int, told: Told) -> None:
        if not file.deletable():
            self._refuse(line, type_id, Step.DELETE_FILE, told, "it cannot be deleted, or not now")
        elif line.test:
            line.send(file_ready(0))
        else:

            def deleted(worked: bool) -> None:
                self._record("file.delete", line, result="complete" if worked else "failed")
                line.send(file_ready(0) if worked else file_not_ready())

            file.delete(deleted)

    # To the station

    def _receive(self, line: Line, file: ServedFile, type_id: int, told: Told) -> None:
        if not file.max_octets:
            self._refuse(line, type_id, Step.FILE_READY, told, "it can only be read", UNEXPECTED)
        elif told.length > file.max_octets:
            reason = f"{told.length} octets are too many"
            self._refuse(line, type_id, Step.FILE_READY, told, reason, NO_MEMORY)
        elif file.storing:
            self._refuse(line, type_id, Step.FILE_READY, told, "somebody else sends it", NO_MEMORY)
        else:
            exchange = self._begin(line, file)
            file.storing = True
            exchange.transfer = transfer = IncomingTransfer(told.length)
            line.send(transfer.begin())
            self._expect(exchange, transfer)

    def _store(self, exchange: Exchange, transfer: IncomingTransfer) -> None:
        exchange.due_ns = None
        if exchange.test:
            exchange.line.send(transfer.kept(""))
            self._end(exchange, "a test, nothing was stored")
            return

        def stored(_: None) -> None:
            exchange.file.stored()
            over("")

        def failed(error: Exception) -> None:
            over(f"it could not be stored: {error}")

        def over(error: str) -> None:
            message = transfer.kept(error)
            if self._current(exchange):
                exchange.line.send(message)
                self._end(exchange, transfer.outcome)
            else:
                exchange.file.storing = False
                self._record("file.store", exchange.line, octets=transfer.length, result=transfer.outcome)

        self._background.submit(exchange.file.store(bytes(transfer.content)), stored, failed)

    # Both

    def _visit(self, client: Client) -> _Visit:
        return self._visits.setdefault(client, _Visit())

    def _begin(self, line: Line, file: ServedFile) -> Exchange:
        exchange = Exchange(file, line, test=line.test)
        self._visit(line.client).exchange = exchange
        file.hold()
        return exchange

    def _current(self, exchange: Exchange) -> bool:
        visit = self._visits.get(exchange.line.client)
        return visit is not None and visit.exchange is exchange

    def _end(self, exchange: Exchange, outcome: str) -> None:
        self._visit(exchange.line.client).exchange = None
        self._release(exchange, outcome)

    def _release(self, exchange: Exchange, outcome: str) -> None:
        if exchange.timer is not None:
            exchange.timer.cancel()
        exchange.line.client.transmission.stream(None)
        exchange.file.release()
        transfer = exchange.transfer
        incoming = isinstance(transfer, IncomingTransfer)
        if incoming:
            if transfer is not None and transfer.state is Receiving.RECEIVED:
                return  # on record, and room for another, when it is known whether it was stored
            exchange.file.storing = False
        self._record(
            "file.store" if incoming else "file.read",
            exchange.line,
            octets=0 if transfer is None else transfer.length,
            result=outcome,
        )

    def _refuse(
        self, line: Line, type_id: int, step: Step | None, told: Told, reason: str, error: int = UNEXPECTED
    ) -> None:
        line.send(refusal(type_id, step, told.section, error))
        visit = self._visit(line.client)
        now = self._clock.now_ns()
        if visit.refused_ns is not None and now - visit.refused_ns < SECOND:
            visit.left_out += 1
            return
        what = "nothing known" if step is None else step.name
        self._record("file.refuse", line, step=what, reason=reason, left_out=visit.left_out)
        visit.refused_ns, visit.left_out = now, 0

    def _record(self, event: str, line: Line, **fields: object) -> None:
        peer = line.client.peer
        self._report(event, master=peer.master, peer=peer.address, ca=line.ca, ioa=line.ioa, **fields)


_BEGINNINGS: dict[Step | None, Callable[[Files, Line, ServedFile, int, Told], None]] = {
    Step.SELECT_FILE: Files._select,
    Step.QUERY_LOG: Files._query,
    Step.FILE_READY: Files._receive,
}


def _replaceable(exchange: Exchange) -> bool:
    """Selected and nothing more: the master may select another file instead."""
    return exchange.transfer is not None and exchange.transfer.state is Sending.SELECTED


def _prepare(work: Callable[[], Sections]) -> OutgoingTransfer:
    transfer = OutgoingTransfer(work())
    if transfer.length > MAX_FILE:
        raise ValueError(f"{transfer.length} octets are more than a file can have")
    return transfer


def _look(listed: Iterable[tuple[ServedFile, Callable[[], Entry]]]) -> list[tuple[ServedFile, Entry]]:
    found = []
    for file, look in listed:
        try:
            found.append((file, look()))
        except (OSError, ValueError):  # gone, or not readable: not listed
            continue
    return found
