"""A foreign master: hat-drivers, in this process. What it decodes is put as `Told`, the same as what c104 tells."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from hat.drivers import iec104, net

from rtu.iec104.catalogue import UNTAGGED
from tests.interop.live import HERE, Live

DEADLINE_S = 20.0
TYPES: dict[type, tuple[int, int]] = {
    iec104.SingleData: (1, 30),
    iec104.DoubleData: (3, 31),
    iec104.StepPositionData: (5, 32),
    iec104.BitstringData: (7, 33),
    iec104.NormalizedData: (9, 34),
    iec104.ScaledData: (11, 35),
    iec104.FloatingData: (13, 36),
    iec104.BinaryCounterData: (15, 37),
    iec104.StatusData: (20, 20),
    iec104.ProtectionData: (38, 38),
    iec104.ProtectionStartData: (39, 39),
    iec104.ProtectionCommandData: (40, 40),
}
"""Without and with time; the library tells neither number."""
ALONE = 21
REQUESTED, THRESHOLD, EVENTS = 5, 1, 2
BITS = {"invalid": 0x80, "not_topical": 0x40, "substituted": 0x20, "blocked": 0x10, "time_invalid": 0x08}
HAT_ONE = 32767
"""This library takes 32767 for 1.0, where 2**15 is: the raw number is what both mean."""


COMMANDS: dict[int, Callable[[Any], Any]] = {
    45: lambda order: iec104.SingleCommand(iec104.SingleValue(order), False, 0),
    46: lambda order: iec104.DoubleCommand(iec104.DoubleValue(order), False, 0),
    47: lambda order: iec104.RegulatingCommand(iec104.RegulatingValue(order), False, 0),
    48: lambda order: iec104.NormalizedCommand(iec104.NormalizedValue(order), False),
    49: lambda order: iec104.ScaledCommand(iec104.ScaledValue(order), False),
    50: lambda order: iec104.FloatingCommand(iec104.FloatingValue(order), False),
    51: lambda order: iec104.BitstringCommand(iec104.BitstringValue(order.to_bytes(4, "little"))),
}


def now() -> iec104.Time:
    """In UTC; the library's own conversion would take the zone of this machine."""
    at = datetime.now(UTC)
    milliseconds = at.second * 1000 + at.microsecond // 1000
    return iec104.Time(
        size=iec104.TimeSize.SEVEN,
        milliseconds=milliseconds,
        invalid=False,
        substituted=False,
        minutes=at.minute,
        summer_time=False,
        hours=at.hour,
        day_of_week=0,
        day_of_month=at.day,
        months=at.month,
        years=at.year % 100,
    )


class Told(NamedTuple):
    """One information object: what it says in plain numbers, its quality bits, and its time in ms of the minute."""

    type_id: int
    cause: int
    ioa: int
    value: object
    quality: int | None
    ms: int | None


def told(message: iec104.DataMsg) -> Told:
    data = message.data
    alone = isinstance(data, iec104.NormalizedData) and data.quality is None
    type_id = ALONE if alone else TYPES[type(data)][message.time is not None]
    cause = message.cause if isinstance(message.cause, int) else message.cause.value
    ms = None if message.time is None else message.time.milliseconds
    return Told(type_id, cause, message.io_address, plain(data), quality(data.quality), ms)


def plain(data: Any) -> object:
    match data:
        case iec104.SingleData() | iec104.DoubleData():
            return data.value.value
        case iec104.StepPositionData():
            return data.value.value, data.value.transient
        case iec104.BitstringData():
            return int.from_bytes(data.value.value, "little")
        case iec104.NormalizedData():
            return round(data.value.value * HAT_ONE)
        case iec104.BinaryCounterData():
            return data.value.value, data.quality.sequence
        case iec104.StatusData():
            return word(data.value.value), word(data.value.change)
        case iec104.ProtectionData():
            return data.value.value, data.elapsed_time
        case iec104.ProtectionStartData():
            return word(data.value), data.duration_time
        case iec104.ProtectionCommandData():
            return word(data.value), data.operating_time
        case _:
            return data.value.value


def word(bits: Any) -> int:
    """A row of flags, the first one the lowest bit."""
    return sum(1 << place for place, on in enumerate(bits) if on)


def quality(flags: Any) -> int | None:
    match flags:
        case None:
            return None
        case iec104.CounterQuality():
            return flags.invalid << 7 | flags.adjusted << 6 | flags.overflow << 5
        case _:
            found = sum(bit for name, bit in BITS.items() if getattr(flags, name, False))
            return found | bool(getattr(flags, "overflow", False))


class HatMaster:
    """Started; `messages` is all it decoded so far."""

    def __init__(self, station: Live) -> None:
        self._station = station
        self.messages: list[Any] = []
        self._connection = station.run(self._connect())

    async def _connect(self) -> iec104.Connection:
        connection = await iec104.connect(net.TcpAddress(HERE, self._station.plain), receive_window_size=1)
        connection.async_group.spawn(self._receive, connection)
        return connection

    async def _receive(self, connection: iec104.Connection) -> None:
        while True:
            self.messages += await connection.receive()

    def send(self, message: Any) -> None:
        self._station.run(self._connection.send([message]))

    def interrogate(self) -> None:
        cause = iec104.CommandReqCause.ACTIVATION
        self.send(iec104.InterrogationMsg(False, 0, 1, 20, False, cause))
        self.until(lambda: self._terminated(iec104.InterrogationMsg))

    def count(self, freeze: str) -> None:
        before = len(self.messages)
        cause = iec104.CommandReqCause.ACTIVATION
        self.send(iec104.CounterInterrogationMsg(False, 0, 1, 5, iec104.FreezeCode[freeze], False, cause))
        self.until(lambda: self._terminated(iec104.CounterInterrogationMsg, before))

    def command(self, type_id: int, ioa: int, order: float) -> list[Any]:
        """Its confirmation and its termination; what was asked is `sent`."""
        untagged = UNTAGGED.get(type_id)
        command = COMMANDS[untagged or type_id](order)
        cause = iec104.CommandReqCause.ACTIVATION
        time_tag = None if untagged is None else now()
        self.sent = iec104.CommandMsg(False, 0, 1, ioa, command, False, time_tag, cause)
        before = len(self.messages)
        self.send(self.sent)
        self.until(lambda: self._terminated(iec104.CommandMsg, before))
        return [one for one in self.messages[before:] if isinstance(one, iec104.CommandMsg)]

    def other_functions(self) -> tuple[Told, tuple[int, bool], list[tuple[int, float, int]], int]:
        """What reading 401, testing, loading two thresholds and discarding the events is answered with."""
        self._station.do(lambda rig: rig.set("bitstring", 0xA5F0))
        activation = iec104.ActivationReqCause.ACTIVATION
        self.send(iec104.ReadMsg(False, 0, 1, 401, iec104.ReadReqCause.REQUEST))
        self.until(lambda: [one for one in self.told() if one.cause == REQUESTED])
        read = next(one for one in self.told() if one.cause == REQUESTED)
        at = now()
        (tested,) = self._answers(iec104.TestMsg(False, 0, 1, 43605, at, activation))
        loaded = []
        for ioa, parameter in (
            (601, iec104.ScaledParameter(iec104.ScaledValue(50), THRESHOLD)),
            (701, iec104.FloatingParameter(iec104.FloatingValue(2.5), THRESHOLD)),
        ):
            cause = iec104.ParameterReqCause.ACTIVATION
            (answer,) = self._answers(iec104.ParameterMsg(False, 0, 1, ioa, parameter, cause))
            loaded.append((answer.io_address, answer.parameter.value.value, answer.cause.value))
        (discarded,) = self._answers(iec104.ResetMsg(False, 0, 1, EVENTS, activation))
        return read, (tested.counter, tested.time == at), loaded, discarded.cause.value

    def _answers(self, asked: Any) -> list[Any]:
        before = len(self.messages)
        self.send(asked)
        self.until(lambda: [one for one in self.messages[before:] if type(one) is type(asked)])
        return [one for one in self.messages[before:] if type(one) is type(asked)]

    def _terminated(self, kind: type, since: int = 0) -> bool:
        ended = iec104.CommandResCause.ACTIVATION_TERMINATION
        return any(isinstance(one, kind) and one.cause == ended for one in self.messages[since:])

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, self.messages
            self._station.run(asyncio.sleep(0.005))

    def told(self) -> list[Told]:
        return [told(one) for one in self.messages if isinstance(one, iec104.DataMsg)]

    def close(self) -> None:
        self._station.run(self._connection.async_close())
