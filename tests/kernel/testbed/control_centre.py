"""A master for end-to-end tests: one connection over TLS, blocking, and as slow to acknowledge as the test wants."""

import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from feeder import COMMON_ADDRESS, PORT

from rtu.iec104.asdu import ASDU, InformationObject
from rtu.iec104.catalogue import Cause, TypeID
from rtu.iec104.elements import DCO, QOI, SCO, CP56Time2a, Element
from rtu.iec104.link import AsduReceived, Link, LinkParameters, Role, State

PATIENCE_S = 30.0
NEVER_ACKNOWLEDGING = LinkParameters(k=32767, w=32767, t1=255, t2=254)


def client_context(certificates: Path) -> ssl.SSLContext:
    """The master's side of TLS; the folder is the station's."""
    context = ssl.create_default_context(cafile=certificates / "ca.crt")
    context.load_cert_chain(certificates / "master.crt", certificates / "master.key")
    return context


@dataclass(frozen=True, slots=True)
class Report:
    """One information object of the monitoring direction. `unix_ns` and `tag_invalid` are None without a time tag."""

    type_id: int
    cause: int
    ioa: int
    value: float
    quality: int
    unix_ns: int | None
    tag_invalid: bool | None


def reports(asdu: ASDU) -> list[Report]:
    """The information objects of an ASDU that tells values, in their order; nothing of any other ASDU."""
    return [_report(asdu, each) for each in asdu.objects] if asdu.type_id <= TypeID.M_ME_TF_1 else []


def _report(asdu: ASDU, each: InformationObject) -> Report:
    found: dict[str, float] = {}
    tag = None
    for element in each.elements:
        if isinstance(element, CP56Time2a):
            tag = element
            continue
        for name in ("spi", "dpi", "value", "quality"):
            if hasattr(element, name):
                found["quality" if name == "quality" else "value"] = getattr(element, name)
    return Report(
        asdu.type_id,
        asdu.cause,
        each.ioa,
        found["value"],
        int(found.get("quality", 0)),
        None if tag is None else tag.to_ns(),
        None if tag is None else tag.invalid,
    )


DEFAULT_PULSE, LONG_PULSE = 0, 2  # QU


def double_command(ioa: int, state: int, *, select: bool = False, qu: int = DEFAULT_PULSE) -> ASDU:
    """C_DC_NA_1 ACT; `state` 1 is OFF, 2 is ON."""
    return _command(TypeID.C_DC_NA_1, ioa, DCO(state, qu, select))


def single_command(ioa: int, on: bool, *, select: bool = False) -> ASDU:
    """C_SC_NA_1 ACT."""
    return _command(TypeID.C_SC_NA_1, ioa, SCO(on, 0, select))


def interrogation() -> ASDU:
    """C_IC_NA_1 ACT for the whole station."""
    return _command(TypeID.C_IC_NA_1, 0, QOI(20))


def _command(type_id: int, ioa: int, element: Element) -> ASDU:
    return ASDU(type_id, Cause.ACT, COMMON_ADDRESS, (InformationObject(ioa, (element,)),))


class ControlCentre:
    """A started connection. Nothing is acknowledged, confirmed or kept alive while no method runs.

    Args:
        certificates: the station's folder.
        parameters: its own k, w and timers.
    """

    def __init__(self, certificates: Path, parameters: LinkParameters | None = None) -> None:
        self._link = Link(Role.CONTROLLING, parameters or LinkParameters(), time.monotonic())
        self._waiting: deque[bytes] = deque()
        plain = socket.create_connection(("127.0.0.1", PORT), PATIENCE_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = client_context(certificates).wrap_socket(plain, server_hostname="127.0.0.1")
        self._link.start(time.monotonic())
        self._pump_until(lambda: self._link.state is State.STARTED, PATIENCE_S)

    def send(self, asdu: ASDU) -> None:
        self._link.send(asdu.encode(), time.monotonic())
        self._write()

    def receive_octets(self, within_s: float = PATIENCE_S) -> bytes:
        """The next ASDU. Raises TimeoutError when none comes, ConnectionError when the station ends it."""
        self._pump_until(lambda: bool(self._waiting), within_s)
        return self._waiting.popleft()

    def receive(self, within_s: float = PATIENCE_S) -> ASDU:
        return ASDU.decode(self.receive_octets(within_s))

    def until(self, wanted: Callable[[ASDU], bool], within_s: float = PATIENCE_S) -> list[ASDU]:
        """Every ASDU up to the first wanted one, which is the last of them. Raises TimeoutError with what came."""
        came: list[ASDU] = []
        deadline = time.monotonic() + within_s
        while not came or not wanted(came[-1]):
            try:
                came.append(self.receive(deadline - time.monotonic()))
            except TimeoutError:
                raise TimeoutError(f"it did not come within {within_s:g} s; what came: {came}") from None
        return came

    def until_report(
        self, ioa: int, wanted: Callable[[Report], bool] = lambda report: True, within_s: float = PATIENCE_S
    ) -> list[Report]:
        """Every report up to the first wanted one of that object."""

        def is_there(asdu: ASDU) -> bool:
            return any(report.ioa == ioa and wanted(report) for report in reports(asdu))

        return [report for asdu in self.until(is_there, within_s) for report in reports(asdu)]

    def listen(self, for_s: float) -> list[ASDU]:
        """Everything that comes in so much time. In virtual time that costs nothing."""
        deadline = time.monotonic() + for_s
        came: list[ASDU] = []
        while True:
            try:
                came.append(self.receive(deadline - time.monotonic()))
            except TimeoutError:
                return came

    def stop(self) -> None:
        """Acknowledge everything, then STOPDT, confirmed."""
        self._link.stop(time.monotonic())
        self._pump_until(lambda: self._link.state is State.STOPPED, PATIENCE_S)

    def close(self) -> None:
        """Cut the connection, without a word at any layer."""
        self._socket.close()

    def _pump_until(self, condition: Callable[[], bool], within_s: float) -> None:
        deadline = time.monotonic() + within_s
        self._write()
        while not condition():
            now = time.monotonic()
            if now >= deadline:
                raise TimeoutError(f"nothing came within {within_s:g} s")
            self._take(min(deadline, self._link.next_deadline() or deadline) - now)
            self._write()
            if self._link.closed_reason is not None:
                raise ConnectionError(self._link.closed_reason)

    def _take(self, within_s: float) -> None:
        self._socket.settimeout(max(within_s, 0.0001))
        try:
            octets = self._socket.recv(65536)
        except TimeoutError:
            pass
        else:
            if not octets:
                raise ConnectionError("closed by the station")
            for event in self._link.receive(octets, time.monotonic()):
                if isinstance(event, AsduReceived):
                    self._waiting.append(event.octets)
        self._link.on_timer(time.monotonic())

    def _write(self) -> None:
        if octets := self._link.data_to_send(time.monotonic()):
            self._socket.settimeout(PATIENCE_S)
            self._socket.sendall(octets)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
