"""The control socket: what an operator on this machine asks of the running station, one request per connection.

    request   {"v": 1, "do": "status", "with": {...}}
    answer    {"ok": true, "result": ...}  or  {"ok": false, "error": "one line"}; a stream sends {"item": ...} before

Lines of JSON on a Unix socket that its mode (0660) guards; the kernel says whose process asks. Whoever gets this far is
known and still not trusted with the station's time: connections, the length of a request and the wait for it are
bounded, and who does not read what it asked for is dropped.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import socket
import stat
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from rtu.config.schema import StationFile

NAME = "control"
VERSION = 1
MAX_REQUEST = 64 * 1024
"""Octets of a request."""
MAX_CONNECTIONS = 8
PATIENCE_S = 5.0
"""How long a request may take to come, and the next part of an answer to be read."""
MODE = 0o660
BACKLOG = 8

_CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid

_log = logging.getLogger(__name__)


class Refused(Exception):
    """A request is not granted; one line that says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: its `arguments`, checked by nobody yet, and the name of the user whose process asks."""

    arguments: Mapping[str, object]
    by: str


Function = Callable[[Asked], object]
"""Answers a request, on the loop: at once, as an awaitable, or item by item as an async iterator. Raises Refused."""

Record = Callable[..., object]


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    v: int
    do: str
    arguments: dict[str, Any] = msgspec.field(default_factory=dict, name="with")


class LocalSocket:
    """Serves `functions` by name at `path` from `open` to `close`. Refusals go to the audit trail by `record`."""

    def __init__(self, path: Path, functions: Mapping[str, Function], record: Record) -> None:
        self._path = path
        self._functions = functions
        self._record = record
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen. A path that cannot be used is a warning: the station runs without."""
        try:
            listening = _listen(self._path)
        except OSError as error:
            reason = error.strerror or error
            _log.warning("%s: no control socket (%s): nobody can ask for the status here", self._path, reason)
            return
        self._server = await asyncio.start_unix_server(self._take, sock=listening, limit=MAX_REQUEST)

    async def close(self) -> None:
        """Answer nobody any more, and leave no file."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(OSError):
            self._path.unlink()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            # Whatever the kernel does not take at once is waited for, so that nothing piles up here.
            writer.transport.set_write_buffer_limits(high=0)
            await self._serve(reader, writer)
        except (OSError, EOFError):
            pass  # it is gone, or not fast enough
        except Exception:  # the socket is there for the next one
            _log.exception("a local request could not be served")
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        by = _user(writer)
        if len(self._tasks) > MAX_CONNECTIONS:
            await self._refuse(writer, by, "", "too many local requests at once: try again")
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                line = await reader.readuntil()
        except asyncio.LimitOverrunError:
            await self._refuse(writer, by, "", f"a request has at most {MAX_REQUEST} octets")
            return
        try:
            request = msgspec.json.decode(line, type=_Request)
        except (ValueError, RecursionError) as error:
            await self._refuse(writer, by, "", f"this is no request: {error}")
            return
        try:
            await self._answer(request, by, reader, writer)
        except Refused as refusal:
            await self._refuse(writer, by, request.do, str(refusal))

    async def _answer(
        self, request: _Request, by: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if request.v != VERSION:
            raise Refused(f"this station answers version {VERSION} of requests: use its own `rtu`")
        function = self._functions.get(request.do)
        if function is None:
            raise Refused("this station does not know that request: use its own `rtu`")
        try:
            result = function(Asked(request.arguments, by))
            if isinstance(result, AsyncIterator):
                await _stream(result, reader, writer)
                return
            if isinstance(result, Awaitable):
                result = await result
        except (Refused, OSError):
            raise
        except Exception:  # whatever is wrong with one function, the others are there
            _log.exception("the local request %s failed", request.do)
            raise Refused("the station failed to answer: its log says why") from None
        await _tell(writer, {"ok": True, "result": result})

    async def _refuse(self, writer: asyncio.StreamWriter, by: str, do: str, reason: str) -> None:
        self._record("local.refuse", by=by, do=do, reason=reason)
        await _tell(writer, {"ok": False, "error": reason})


def socket_path(file: StationFile, base: Path) -> Path:
    """Where the station of this file listens: as it says, else where the service manager or the event log has room."""
    if file.local.socket:
        return base / file.local.socket
    directory = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0] or base / file.events.directory
    return Path(directory, NAME)


async def _stream(
    items: AsyncIterator[object], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Send items as they come, until they end or whoever asked does."""

    async def send() -> None:
        async for item in items:
            await _tell(writer, {"item": item})
        await _tell(writer, {"ok": True, "result": None})

    sending = asyncio.ensure_future(send())
    gone = asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
    finally:
        for each in (sending, gone):
            each.cancel()
        await asyncio.gather(sending, gone, return_exceptions=True)
        if isinstance(items, AsyncGenerator):
            await items.aclose()  # now, not when somebody collects it


async def _tell(writer: asyncio.StreamWriter, message: Mapping[str, object]) -> None:
    """Raises OSError (TimeoutError) when it is not taken."""
    writer.write(msgspec.json.encode(message, enc_hook=str) + b"\n")
    async with asyncio.timeout(PATIENCE_S):
        await writer.drain()


def _user(writer: asyncio.StreamWriter) -> str:
    """Whose process is at the other end: the name, or the number of a user who has none."""
    packed = writer.get_extra_info("socket").getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size
    )
    uid: int = _CREDENTIALS.unpack(packed)[1]
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _listen(path: Path) -> socket.socket:
    """Raises OSError. What a dead process left is replaced; what a live one listens on, or is no socket, is not."""
    _clear(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listening.fileno(), MODE)  # never more than this, not even until the next line but one
        listening.bind(str(path))
        os.chmod(path, MODE)  # whatever the umask took away
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening


def _clear(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise FileExistsError(0, "something else has this name")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a live one that is too busy to accept says so at once
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass
    raise FileExistsError(0, "another process listens there")
