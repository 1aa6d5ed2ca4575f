"""`rtu probe HOST`: a small master, to see what a station knows and whether it obeys.

Without requests it interrogates the station and shows live events until Ctrl-C. With requests it makes them in the
order given and ends; the exit code is 0 only when each was confirmed positive, and its termination, if one came in
time, was positive too.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import sys
import time
from typing import TextIO

from rtu.clock import WallTime
from rtu.iec104.asdu import ASDU, GLOBAL_CA, ASDUError
from rtu.iec104.catalogue import Cause, TypeID
from rtu.iec104.elements import SOF, CP56Time2a
from rtu.iec104.link import LinkBusy
from rtu.points.station_time import StationTime

from . import requests
from .fetch import Download, Fetch, NotFetched, parse_download
from .master import ConnectionLost, Master
from .requests import Ending, Request
from .way_in import WayIn, add_way_in, in_words, open_master, way_in
from .wording import cause_words, heading, reports

_ANSWERS = frozenset({Cause.ACTCON, Cause.DEACTCON})
_ERRORS = frozenset({Cause.UNKNOWN_TYPE, Cause.UNKNOWN_CAUSE, Cause.UNKNOWN_CA, Cause.UNKNOWN_IOA})
_INTERROGATED = range(20, 42)
_GOODBYE_S = 2.0


def add_parser(sub: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = sub.add_parser(
        "probe",
        help="connect to a station as a small master",
        description="Connect to a station as a small master: interrogate, listen, command.",
        allow_abbrev=False,  # an option cut short must not become a command
        epilog="HOST demo is the station of `rtu demo`, certificates included. Exit code: 0 every request was confirmed "
        "positively, 1 one was not or the connection failed, 2 used wrongly.",
    )
    add_way_in(parser)
    asked = parser.add_argument_group("requests, made in the order given")

    def constant(option: str, request: Request, words: str) -> None:
        asked.add_argument(option, dest="requests", action="append_const", const=request, help=words)

    constant("--interrogate", requests.interrogation(), "station interrogation")
    asked.add_argument(
        "--group", dest="requests", action="append", type=requests.parse_group, metavar="1..16",
        help="interrogation of a group",
    )  # fmt: skip
    constant("--counters", requests.COUNTERS, "counter interrogation, without freeze")
    asked.add_argument(
        "--freeze", dest="requests", action="append", nargs="?", type=requests.parse_freeze,
        const=requests.freeze(), metavar="1..4", help="freeze all counters, or those of a group",
    )  # fmt: skip
    asked.add_argument(
        "--read",
        dest="requests",
        action="append",
        type=requests.parse_read,
        metavar="IOA",
        help="read an object",
    )
    constant("--clock", requests.CLOCK, "clock synchronisation to this machine's time")
    constant("--test", requests.TEST, "test command")
    constant("--files", requests.FILES, "directory of files")
    asked.add_argument(
        "--fetch", dest="requests", action="append", type=parse_download, metavar="IOA[=FILE]",
        help="fetch a file; without FILE to standard output, and all else to standard error",
    )  # fmt: skip
    for name, (form, parse, words) in requests.COMMANDS.items():
        asked.add_argument(
            f"--{name}", dest="requests", action="append", type=parse, metavar=form, help=words
        )
    parser.add_argument("--select", action="store_true", help="select before each command")
    parser.add_argument(
        "--time-tag", action="store_true", help="send commands with the present time (types 58..63)"
    )
    parser.add_argument(
        "--zone",
        type=_zone,
        default="UTC",
        metavar="NAME",
        help="time zone of the station, such as Europe/Berlin; default UTC",
    )
    parser.add_argument(
        "--common-address",
        type=_common_address,
        metavar="N",
        help="1..65534; asked of the station when absent",
    )
    parser.add_argument("--originator", type=_octet, default=0, metavar="N", help="originator address 0..255")
    parser.add_argument(
        "--listen", type=float, metavar="SECONDS", help="then show live events; until Ctrl-C without requests"
    )
    parser.add_argument(
        "--timeout", type=float, default=15.0, metavar="SECONDS", help="for an answer, default 15"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    way = way_in(args)
    try:
        return asyncio.run(_probe(args, way))
    except ConnectionLost as lost:
        raise SystemExit(f"rtu: {way}: {in_words(lost)}") from None


Step = Request | Download


class Failed(Exception):
    """A request that was not confirmed, in words."""


class Printer:
    """Writes what was received to `out`: rows of a table, or JSON lines."""

    def __init__(self, as_json: bool, zone: str, out: TextIO) -> None:
        self._json = as_json
        self._zone = zone
        self._out = out
        self._headed = False

    def show(self, asdu: ASDU) -> None:
        for report in reports(asdu):
            if self._json:
                self._line(report.json())
            else:
                if not self._headed:
                    self._headed = True
                    self._line(heading(self._zone))
                self._line(report.line())

    def result(self, step: Step, words: str, ok: bool) -> None:
        if self._json:
            self._line(json.dumps({"request": str(step), "ok": ok, "result": words}))
        else:
            self._line(f"{step}: {words}")

    def note(self, words: str) -> None:
        """Something that is no answer."""
        print(f"rtu: {words}", file=sys.stderr, flush=True)

    def _line(self, text: str) -> None:
        print(text, file=self._out, flush=True)


class Probe:
    """Makes requests on a started connection and shows everything that comes."""

    def __init__(
        self,
        master: Master,
        printer: Printer,
        *,
        ca: int | None,
        originator: int,
        timeout: float,
        time: StationTime,
    ) -> None:
        self._master = master
        self._printer = printer
        self._time = time
        self._ca = ca
        self._originator = originator
        self._timeout = timeout

    async def ask(self, step: Step) -> bool:
        """Make a request, show its result, and return whether it went well. Raises ConnectionLost, OSError."""
        try:
            words = await (self._fetch(step) if isinstance(step, Download) else self._ask(step))
        except Failed as failed:
            self._printer.result(step, str(failed), False)
            return False
        except LinkBusy:
            self._printer.result(step, "not sent: the connection is no longer started", False)
            return False
        self._printer.result(step, words, True)
        return True

    async def listen(self, seconds: float) -> None:
        """Show what comes, for so long. Raises ConnectionLost."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if math.isinf(seconds) else seconds):
                while True:
                    await self._next()

    async def _ask(self, request: Request) -> str:
        ca = self._ca
        if ca is None:
            ca = GLOBAL_CA if request.everywhere else await self._find_common_address()
        await self._send(request, ca)
        return await self._answer(request, ca)

    async def _send(self, request: Request, ca: int) -> None:
        now = self._time.tag(WallTime(time.time_ns(), True))
        await self._master.send(request.asdu(ca, self._originator, CP56Time2a.decode(now)))

    async def _fetch(self, download: Download) -> str:
        """Fetch a file, write it, then acknowledge it. Raises Failed, OSError."""
        ca = await self._find_common_address() if self._ca is None else self._ca
        fetch = Fetch(ca, download.ioa, self._originator)
        await self._master.send(fetch.begin())
        try:
            while not fetch.complete:
                answer = fetch.take(await self._of_file(fetch))
                if answer is not None:
                    await self._master.send(answer)
        except NotFetched as error:
            if error.answer is not None:
                await self._master.send(error.answer)
            raise Failed(str(error)) from None
        where = download.save(fetch.sections)
        await self._master.send(fetch.accept())
        return f"{sum(map(len, fetch.sections))} octets to {where}"

    async def _of_file(self, fetch: Fetch) -> ASDU:
        """The next ASDU of a transfer; all others are shown. Raises Failed."""
        try:
            async with asyncio.timeout(self._timeout):
                while True:
                    asdu = await self._receive()
                    if asdu is None:
                        continue
                    if not fetch.concerns(asdu):
                        self._printer.show(asdu)
                    elif asdu.cause in _ERRORS or asdu.negative:
                        raise Failed(f"refused: {_refusal(asdu)}")
                    else:
                        return asdu
        except TimeoutError:
            raise Failed(f"no answer within {self._timeout:g} s") from None

    async def _answer(self, request: Request, ca: int) -> str:
        """Follow a request to its end. Raises Failed."""
        loop = asyncio.get_running_loop()
        waiting: set[int] = set()  # common addresses that have confirmed and not yet terminated
        confirmed = False
        try:
            async with asyncio.timeout(self._timeout) as limit:
                while True:
                    asdu = await self._next()
                    if asdu is None:
                        continue
                    if asdu.cause in _INTERROGATED and request.ending is Ending.TERMINATION:
                        # A long answer is no silence.
                        limit.reschedule(loop.time() + self._timeout)
                    if not _concerns(asdu, request, ca):
                        continue
                    if asdu.cause in _ERRORS or asdu.negative:
                        raise Failed(f"refused: {_refusal(asdu)}")
                    if request.ending is Ending.DIRECTORY and _is_last(asdu):
                        return "complete"
                    if request.ending is Ending.OBJECT and asdu.cause == Cause.REQ:
                        return "answered"
                    if asdu.cause in _ANSWERS:
                        if request.ending is Ending.CONFIRMATION:
                            return "confirmed"
                        confirmed = True
                        waiting.add(asdu.ca)
                    elif asdu.cause == Cause.ACTTERM and confirmed:
                        waiting.discard(asdu.ca)
                        if not waiting:
                            return "confirmed and terminated"
        except TimeoutError:
            if confirmed and request.ending is Ending.COMMAND:
                return f"confirmed; no termination within {self._timeout:g} s"
            missing = "termination" if confirmed else "answer"
            raise Failed(f"no {missing} within {self._timeout:g} s") from None

    async def _find_common_address(self) -> int:
        """Stations answer a global interrogation under their own address. Raises Failed."""
        found: set[int] = set()
        request = requests.interrogation()
        await self._send(request, GLOBAL_CA)
        waiting = True
        try:
            async with asyncio.timeout(self._timeout):
                while waiting:
                    asdu = _decode(await self._master.receive())
                    if isinstance(asdu, ASDU) and _concerns(asdu, request, GLOBAL_CA):
                        found.add(asdu.ca)
                        waiting = asdu.cause == Cause.ACTCON and not asdu.negative
                    elif isinstance(asdu, ASDU) and asdu.cause not in _INTERROGATED:
                        self._printer.show(asdu)
        except TimeoutError:
            pass
        if len(found) != 1 or GLOBAL_CA in found:
            raise Failed("which common address? say --common-address N")
        (self._ca,) = found
        return self._ca

    async def _next(self) -> ASDU | None:
        """Show the next ASDU; None when it makes no sense."""
        asdu = await self._receive()
        if asdu is not None:
            self._printer.show(asdu)
        return asdu

    async def _receive(self) -> ASDU | None:
        asdu = _decode(await self._master.receive())
        if isinstance(asdu, ASDU):
            return asdu
        self._printer.note(asdu)
        return None


async def _probe(args: argparse.Namespace, way: WayIn) -> int:
    master = await open_master(way, args.timeout)
    to_stdout = any(isinstance(step, Download) and step.path is None for step in args.requests or ())
    printer = Printer(args.json, args.zone.zone, sys.stderr if to_stdout else sys.stdout)
    try:
        probe = Probe(
            master,
            printer,
            ca=args.common_address,
            originator=args.originator,
            timeout=args.timeout,
            time=args.zone,
        )
        code = 0
        for step in _steps(args):
            if not await probe.ask(step):
                code = 1
                break
        listen = args.listen if args.listen is not None else (0.0 if args.requests else math.inf)
        if code == 0 and listen > 0:
            if listen == math.inf:
                printer.note("listening; Ctrl-C ends it")
            # Ctrl-C is how listening ends.
            with contextlib.suppress(asyncio.CancelledError):
                await probe.listen(listen)
        if master.started:
            with contextlib.suppress(ConnectionLost, TimeoutError):
                async with asyncio.timeout(_GOODBYE_S):
                    await master.stop()
        return code
    finally:
        await master.close()


def _steps(args: argparse.Namespace) -> list[Step]:
    """The requests of the command line, each command after its select."""
    steps: list[Step] = []
    for asked in args.requests or [requests.interrogation()]:
        if isinstance(asked, Download) or not asked.is_command:
            steps.append(asked)
            continue
        command = asked.with_time() if args.time_tag else asked
        if args.select:
            steps.append(command.selecting())
        steps.append(command)
    return steps


def _concerns(asdu: ASDU, request: Request, ca: int) -> bool:
    """Whether `asdu` answers the request."""
    if request.ending is Ending.DIRECTORY and asdu.type_id == TypeID.F_DR_TA_1:
        return asdu.cause == Cause.REQ and asdu.ca == ca
    if asdu.objects[0].ioa != request.ioa or ca not in {asdu.ca, GLOBAL_CA}:
        return False
    return asdu.type_id == request.type_id or (request.ending is Ending.OBJECT and asdu.cause == Cause.REQ)


def _is_last(asdu: ASDU) -> bool:
    """Whether a directory ends here (LFD)."""
    return any(isinstance(element, SOF) and element.last for element in asdu.objects[-1].elements)


def _refusal(asdu: ASDU) -> str:
    return f"{'NEGATIVE ' * asdu.negative}{cause_words(asdu.cause)}"


def _decode(octets: bytes) -> ASDU | str:
    """The ASDU, or in words why it is none."""
    try:
        return ASDU.decode(octets)
    except ASDUError as error:
        return f"the station sent something odd: {error}: {octets.hex(' ')}"


def _common_address(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65534:
        raise argparse.ArgumentTypeError(f"a common address is 1..65534, not {text!r}")
    return int(text)


def _zone(text: str) -> StationTime:
    try:
        return StationTime(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _octet(text: str) -> int:
    if not text.isdecimal() or int(text) > 255:
        raise argparse.ArgumentTypeError(f"an originator address is 0..255, not {text!r}")
    return int(text)
