"""A foreign master in a process of its own: c104 (lib60870-C) driven by lines of JSON.

On standard input one request a line, each answered when it is done. Of `command` and `read`, `true` is confirmed,
`false` refused, and `null` that c104 waited in vain: now and then it does though the station answered, at once, before
c104 had begun to wait. The others do not wait, `true` is sent.

    {"id": 1, "do": "connect", "port": 2404}           {"at": "done", "id": 1, "result": true}

On standard output, between the answers, its version and whatever the station does, as c104 decodes it:

    {"at": "state", "state": "OPEN"}                                        of the connection
    {"at": "asdu", "tx": 3, "type": "M_SP_TB_1", "cause": 3, "objects": [...]}    in the order of the wire

c104 is under the GPL: nothing imports this file, and this file imports nothing of ours.
"""

import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import c104

HOST = "127.0.0.1"
CONFIRMED_WITHIN_S = 2.0
APCI = 6
I_FORMAT, LAST_INFORMATION_TYPE = 0, 44

# lib60870 prints about TLS on standard output: it gets standard error, and the reports the real one.
_out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
_lock = threading.Lock()


def report(at: str, **fields: object) -> None:
    with _lock:
        print(json.dumps({"at": at, **fields}), file=_out, flush=True)


class Wire:
    """Joins what c104 tells apart, frame by frame: the octets, and the information decoded from them.

    c104 ties an object to one type, but a station tells the same object with and without a time tag. So every object
    is declared as a type it never has, and each message arrives whole as an unexpected one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frames: deque[tuple[bytes, dict[str, Any]]] = deque()
        self._decoded: deque[tuple[bytes, list[dict[str, Any]]]] = deque()

    def frame(self, apdu: bytes) -> None:
        if apdu[2] & 1 != I_FORMAT:
            return
        told = c104.explain_bytes_dict(apdu=apdu)
        header = {
            "tx": told["tx"],
            "rx": told["rx"],
            "type": told["type"].name,
            "cause": told["cot"].value,
            "negative": told["negative"],
            "test": told["test"],
            "ca": told["commonAddress"],
            "originator": told["originatorAddress"],
            "ioa": told["firstInformationObjectAddress"],
            "raw": apdu[APCI:].hex(),
        }
        with self._lock:
            self._frames.append((apdu[APCI:], header))
            self._tell()

    def message(self, message: c104.IncomingMessage) -> None:
        if message.type.value > LAST_INFORMATION_TYPE:
            return
        objects = [
            {
                "ioa": message.io_address,
                "value": plain(message.info.value),
                **extra(message.info),
                "quality": getattr(message.info.quality, "value", None),
                "ms": milliseconds(message.info),
            }
            for _ in elements(message)
        ]
        with self._lock:
            self._decoded.append((message.raw[APCI:], objects))
            self._tell()

    def _tell(self) -> None:
        while self._frames:
            octets, header = self._frames[0]
            objects: list[dict[str, Any]] = []
            if octets[0] <= LAST_INFORMATION_TYPE:
                if not self._decoded:
                    return
                decoded, objects = self._decoded.popleft()
                if decoded != octets:
                    report("confused", frame=octets.hex(), decoded=decoded.hex())
            self._frames.popleft()
            report("asdu", **header, objects=objects)


def elements(message: c104.IncomingMessage) -> Iterator[None]:
    message.first()
    while message.next():
        yield


def plain(value: object) -> object:
    """c104's own kinds of numbers as JSON knows them; states as their number."""
    match value:
        case bool() | int() | float() | None:
            return value
        case (
            c104.Double()
            | c104.Step()
            | c104.EventState()
            | c104.PackedSingle()
            | c104.StartEvents()
            | c104.OutputCircuits()
        ):
            return int(value.value)
        case c104.NormalizedFloat():
            return float(value)  # type: ignore[arg-type]
        case c104.Byte32():
            return bytes(value).hex()
        case _:
            return int(value)  # type: ignore[call-overload]


EXTRA = {
    "transient": "transient",
    "sequence": "sequence",
    "changed": "changed",
    "elapsed_ms": "duration",
    "relay_duration_ms": "duration",
    "relay_operating_ms": "duration",
}
"""What some types tell besides a value, and what it is called in a report."""


def extra(info: c104.Information) -> dict[str, object]:
    return {name: plain(getattr(info, own)) for own, name in EXTRA.items() if hasattr(info, own)}


def milliseconds(info: c104.Information) -> int | None:
    return None if info.recorded_at is None else round(info.recorded_at.timestamp() * 1000)


wire = Wire()
report("version", c104=version("c104"))

# c104 compares the annotations of callbacks with what it expects: they have to be exactly these.


def on_new_station(client: c104.Client, connection: c104.Connection, common_address: int) -> None:
    connection.add_station(common_address=common_address)


def on_new_point(client: c104.Client, station: c104.Station, io_address: int, point_type: c104.Type) -> None:
    taken = point_type == c104.Type.M_PS_NA_1
    station.add_point(io_address=io_address, type=c104.Type.M_EP_TF_1 if taken else c104.Type.M_PS_NA_1)


def on_station_initialized(client: c104.Client, station: c104.Station, cause: c104.Coi) -> None:
    report("initialized", ca=station.common_address, cause=cause.value)


def on_state_change(connection: c104.Connection, state: c104.ConnectionState) -> None:
    report("state", state=state.name)


def on_receive_raw(connection: c104.Connection, data: bytes) -> None:
    wire.frame(data)


def on_unexpected_message(
    connection: c104.Connection, message: c104.IncomingMessage, cause: c104.Umc
) -> None:
    wire.message(message)


class Master:
    """One connection to one station; c104 opens it again by itself until it is told to disconnect."""

    def __init__(self) -> None:
        self.client: c104.Client | None = None
        self.connection: c104.Connection | None = None

    def connect(self, port: int, tls: dict[str, str] | None = None, originator: int = 0) -> bool:
        """Connect and stay STOPPED. `tls`: files `ca`, `certificate`, `key`, and the `version`, "1.2" or "1.3"."""
        self.client = c104.Client(
            tick_rate_ms=50,
            command_timeout_ms=round(CONFIRMED_WITHIN_S * 1000),
            transport_security=security(tls),
        )
        self.client.originator_address = originator
        self.client.on_new_station(callable=on_new_station)
        self.client.on_new_point(callable=on_new_point)
        self.client.on_station_initialized(callable=on_station_initialized)
        connection = self.client.add_connection(ip=HOST, port=port, init=c104.Init.MUTED)
        assert connection is not None
        connection.on_state_change(callable=on_state_change)
        connection.on_receive_raw(callable=on_receive_raw)
        connection.on_unexpected_message(callable=on_unexpected_message)
        connection.protocol_parameters.confirm_interval = 1  # second
        self.connection = connection
        self.client.start()
        return True

    def disconnect(self) -> bool:
        self._connected.disconnect()
        return True

    def reconnect(self) -> bool:
        self._connected.connect()
        return True

    def start(self) -> bool:
        return self._connected.unmute()

    def mute(self) -> bool:
        return self._connected.mute()

    def interrogate(self, ca: int = 1, group: int = 0) -> bool:
        qualifier = c104.Qoi.STATION if group == 0 else c104.Qoi.__members__[f"GROUP_{group}"]
        return self._connected.interrogation(common_address=ca, qualifier=qualifier, wait_for_response=False)

    def count(self, ca: int = 1, group: int = 0, freeze: str = "READ") -> bool:
        qualifier = c104.Rqt.GENERAL if group == 0 else c104.Rqt.__members__[f"GROUP_{group}"]
        return self._connected.counter_interrogation(
            common_address=ca,
            qualifier=qualifier,
            freeze=c104.Frz.__members__[freeze],
            wait_for_response=False,
        )

    def synchronise(self, ca: int = 1) -> bool:
        return self._connected.clock_sync(common_address=ca, wait_for_response=False)

    def test(self, ca: int = 1) -> bool:
        return self._connected.test(common_address=ca, with_time=True, wait_for_response=False)

    def read(self, ioa: int, ca: int = 1) -> bool:
        return self._point(ca, ioa, c104.Type.M_PS_NA_1).read()

    def command(
        self, type: str, ioa: int, value: float, *, ca: int = 1, select: bool = False, qualifier: int = 0
    ) -> bool:
        """Whether it was confirmed; with `select`, whether both the select and the execute were."""
        point = self._point(ca, ioa, c104.Type.__members__[type])
        point.command_mode = c104.CommandMode.SELECT_AND_EXECUTE if select else c104.CommandMode.DIRECT
        point.info = COMMANDS[type](value, qualifier)
        return point.transmit(cause=c104.Cot.ACTIVATION)

    @property
    def _connected(self) -> c104.Connection:
        assert self.connection is not None, "connect first"
        return self.connection

    def _point(self, ca: int, ioa: int, type: c104.Type) -> c104.Point:
        station = self._connected.get_station(ca) or self._connected.add_station(ca)
        assert station is not None
        point = station.get_point(ioa) or station.add_point(io_address=ioa, type=type)
        assert point is not None
        return point


def named(kinds: Any, number: float) -> Any:
    """The member with this number; c104's enumerations cannot be called."""
    return next(kind for kind in kinds.__members__.values() if kind.value == number)


COMMANDS: dict[str, Callable[[float, int], c104.Information]] = {
    "C_SC_NA_1": lambda value, qu: c104.SingleCmd(bool(value), named(c104.Qoc, qu)),
    "C_DC_NA_1": lambda value, qu: c104.DoubleCmd(named(c104.Double, value), named(c104.Qoc, qu)),
    "C_RC_NA_1": lambda value, qu: c104.StepCmd(named(c104.Step, value), named(c104.Qoc, qu)),
    "C_SE_NA_1": lambda value, ql: c104.NormalizedCmd(c104.NormalizedFloat(value), c104.UInt7(ql)),
    "C_SE_NB_1": lambda value, ql: c104.ScaledCmd(c104.Int16(int(value)), c104.UInt7(ql)),
    "C_SE_NC_1": lambda value, ql: c104.ShortCmd(value, c104.UInt7(ql)),
    "C_BO_NA_1": lambda value, _: c104.BinaryCmd(word(value)),
    "C_SC_TA_1": lambda value, qu: c104.SingleCmd(bool(value), named(c104.Qoc, qu), now()),
    "C_DC_TA_1": lambda value, qu: c104.DoubleCmd(named(c104.Double, value), named(c104.Qoc, qu), now()),
    "C_RC_TA_1": lambda value, qu: c104.StepCmd(named(c104.Step, value), named(c104.Qoc, qu), now()),
    "C_SE_TA_1": lambda value, ql: c104.NormalizedCmd(c104.NormalizedFloat(value), c104.UInt7(ql), now()),
    "C_SE_TB_1": lambda value, ql: c104.ScaledCmd(c104.Int16(int(value)), c104.UInt7(ql), now()),
    "C_SE_TC_1": lambda value, ql: c104.ShortCmd(value, c104.UInt7(ql), now()),
    "C_BO_TA_1": lambda value, _: c104.BinaryCmd(word(value), now()),
}


def word(value: float) -> c104.Byte32:
    """From octets: made from a small number it would be 0."""
    return c104.Byte32(int(value).to_bytes(4, "little"))


def now() -> datetime:
    return datetime.now(UTC)


def security(tls: dict[str, str] | None) -> c104.TransportSecurity | None:
    if tls is None:
        return None
    only = c104.TlsVersion.__members__["TLS_" + tls["version"].replace(".", "_")]
    found = c104.TransportSecurity(validate=True, only_known=False)
    found.set_ca_certificate(cert=tls["ca"])
    found.set_certificate(cert=tls["certificate"], key=tls["key"])
    found.set_version(min=only, max=only)
    return found


def main() -> None:
    master = Master()
    for line in sys.stdin:
        request = json.loads(line)
        number, do = request.pop("id"), request.pop("do")
        began = time.monotonic()
        try:
            result = getattr(master, do)(**request)
            if result is False and time.monotonic() - began >= CONFIRMED_WITHIN_S:
                result = None
        except Exception as error:
            report("done", id=number, error=f"{type(error).__name__}: {error}")
        else:
            report("done", id=number, result=result)
    os._exit(0)  # c104's threads may still be inside callbacks


if __name__ == "__main__":
    main()
