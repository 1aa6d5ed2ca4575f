"""Sends a chain to one log server: RFC 5424 messages over TLS (RFC 5425), in order, each at least once.

The files of the chain are the queue: what could not be sent stays there until it gives way to newer records, and then the
server is told how many it does not get. How far it got is remembered beside them, in sent-HOST-PORT.json.

Syslog knows no acknowledgement. A record counts as sent when the server's machine has acknowledged its octets and the
connection has stood for 5 s after that; whatever is younger when it breaks is sent again, with the same SqNum.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import re
import socket
import ssl
import struct
import termios
import threading
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from rtu.config.schema import LogServer
from rtu.disk import replace_file
from rtu.security.files import resolve

from .events import EVENTS
from .follow import BEGINNING, Follower, Place, Step
from .syslog import framed, message

BATCH = 100
"""Records sent together."""
POLL_S = 0.5
STANDING_S = 5.0
ANSWER_S = 30.0
"""How long the server's machine may take to answer."""
SHORTEST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
"""Between attempts to connect; twice as long each time."""

_log = logging.getLogger(__name__)


class Sender:
    """Sends until it is told to stop. Belongs to one thread.

    `base` is what the names of files in `server` are relative to, `directory` holds the chain, `host` names this machine.
    """

    def __init__(self, server: LogServer, base: Path, directory: Path, host: str) -> None:
        self._server = server
        self._base = base
        self._directory = directory
        self._host = host
        self.name = f"{server.host}:{server.port}"
        self._remembered = directory / f"sent-{re.sub('[^A-Za-z0-9.-]', '_', server.host)}-{server.port}.json"
        self._sent = self._recall()
        self._unsure: deque[tuple[float, Place]] = deque()
        self._told = ""

    def run(self, stop: threading.Event, *, once: bool = False) -> bool:
        """Send all records, and further ones until `stop`; with `once` only those there are, in one attempt.

        Whether all were sent.
        """
        wait_s = SHORTEST_WAIT_S
        while not stop.is_set():
            try:
                with self._connect() as connection:
                    self._tell("")
                    wait_s = SHORTEST_WAIT_S
                    self._send_all(connection, stop, once)
                return True
            except (OSError, ValueError) as error:  # ValueError: a name that is none
                self._tell(_words(error))
            if once:
                return False
            stop.wait(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        return False

    def _send_all(self, connection: ssl.SSLSocket, stop: threading.Event, once: bool) -> None:
        self._unsure.clear()
        follower = Follower(self._directory, self._sent)
        while True:
            steps = follower.read(BATCH)
            if steps:
                connection.sendall(b"".join(octets for step in steps for octets in self._messages(step)))
                _wait_for_acknowledgement(connection)
                self._unsure.append((time.monotonic() + STANDING_S, steps[-1].place))
            _expect_nothing(connection)
            self._settle(time.monotonic())
            if stop.is_set() or (once and not steps):
                _part(connection)
                self._settle(float("inf"))
                return
            if not steps:
                stop.wait(POLL_S)

    def _messages(self, step: Step) -> list[bytes]:
        messages = []
        if step.missing:
            _log.warning("%s: %d records gave way before they could be sent", self.name, step.missing)
            messages.append(self._note(missing=step.missing))
        try:
            record = msgspec.json.decode(step.line, type=dict[str, object])
        except msgspec.DecodeError:
            messages.append(self._note(reason=f"a line before record {step.place.seq + 1} cannot be read"))
        else:
            messages.append(framed(message(record, step.line, self._host)))
        return messages

    def _note(self, **fields: object) -> bytes:
        kind = EVENTS["audit.unsent"]
        moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}"
        record = {"time": moment, "time_valid": True, "event": "audit.unsent", "id": kind.id}
        record |= {"severity": kind.severity.value, **fields}
        return framed(message(record, json.dumps(record).encode(), self._host))

    def _settle(self, now: float) -> None:
        """Remember what has certainly arrived."""
        place = None
        while self._unsure and self._unsure[0][0] <= now:
            _, place = self._unsure.popleft()
        if place is not None:
            self._sent = place
            try:
                replace_file(self._remembered, msgspec.json.encode(place._asdict()))
            except OSError as error:
                _log.warning("%s: %s", self._remembered, error.strerror)

    def _recall(self) -> Place:
        try:
            return Place(**msgspec.json.decode(self._remembered.read_bytes(), type=dict[str, int]))
        except (OSError, msgspec.DecodeError, TypeError):
            return BEGINNING

    def _connect(self) -> ssl.SSLSocket:
        context = client_context(self._server, self._base)
        plain = socket.create_connection((self._server.host, self._server.port), ANSWER_S)
        try:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * ANSWER_S))
            return context.wrap_socket(plain, server_hostname=self._server.name or self._server.host)
        except BaseException:
            plain.close()
            raise

    def _tell(self, trouble: str) -> None:
        """Once for each change."""
        if trouble and trouble != self._told:
            _log.warning("%s: %s; records wait", self.name, trouble)
        elif not trouble:
            _log.info("%s: connected", self.name)
        self._told = trouble


def client_context(server: LogServer, base: Path) -> ssl.SSLContext:
    """TLS 1.2 or newer; the server must show a certificate of `trusted` with its name. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # it checks chain and name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for name in server.trusted:
        path = resolve(name, base)
        try:
            context.load_verify_locations(path)
        except ssl.SSLError:
            raise OSError(f"{path}: not a certificate (PEM)") from None
        except OSError as error:
            raise OSError(f"{path}: {error.strerror}") from None
    if server.certificate is not None and server.private_key is not None:
        certificate, key = resolve(server.certificate, base), resolve(server.private_key, base)
        try:
            context.load_cert_chain(certificate, key)
        except ssl.SSLError:
            raise OSError(f"{certificate}, {key}: not a certificate and its key (PEM)") from None
        except OSError as error:
            raise OSError(f"{certificate}, {key}: {error.strerror}") from None
    return context


def _wait_for_acknowledgement(connection: ssl.SSLSocket) -> None:
    """Until the other machine has acknowledged every octet (SIOCOUTQ, tcp(7))."""
    deadline = time.monotonic() + ANSWER_S
    while struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))[0]:
        if time.monotonic() > deadline:
            raise TimeoutError
        _expect_nothing(connection)  # of a connection that is over the octets stay where they are
        time.sleep(0.005)


def _expect_nothing(connection: ssl.SSLSocket) -> None:
    """A server says nothing; what comes is the end of the connection, or TLS's own. Raises OSError if it is over."""
    connection.setblocking(False)
    try:
        if not connection.recv(1024):
            raise OSError(errno.ECONNRESET, "the server closed the connection")
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        pass
    finally:
        connection.settimeout(ANSWER_S)


def _part(connection: ssl.SSLSocket) -> None:
    """End the connection in order, so that the server has read everything. Raises OSError if it had not."""
    connection.settimeout(STANDING_S)
    try:
        connection.unwrap().close()
    except (TimeoutError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
        pass  # it just goes; a machine that throws away unread octets resets the connection
    except OSError as error:
        if error.errno:  # 0 is the end of the connection too
            raise


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLEOFError):
        return "the server closed the connection"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason}"
    if isinstance(error, TimeoutError):
        return "the server does not answer"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)
