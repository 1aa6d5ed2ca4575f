"""Asking the running station on this machine: the other end of `rtu.local.socket`, for the command line."""

from __future__ import annotations

import json
import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STATION = Path("/etc/outstation/station.toml")
"""The station file of the service."""
RUNTIME_DIRECTORY = Path("/run/outstation")
"""Where the service manager lets the station put its socket, which only the station finds in its environment."""
STATE_DIRECTORY = "/var/lib/outstation"
"""Of the same service: the default of `events.directory`."""
NAME = "control"
PATIENCE_S = 30.0
"""How long to wait for an answer."""
LONGEST = 64 * 1024 * 1024
"""Octets of a line of an answer."""


class NotRunning(Exception):
    """Nobody answers; one line that says what to check."""


class Refused(Exception):
    """The station says no; the line it says."""


def socket_of(station: Path | None) -> Path:
    """Where the station of this file listens: as the file says, or the first place of the usual ones that there is.

    Raises ValueError, one line, for a file that cannot be read or is no TOML.
    """
    path = station if station is not None else STATION
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}: name the file of the station that runs") from None
    except ValueError as error:  # tomllib's and that of octets that are not UTF-8
        raise ValueError(f"{path}: {error}: `rtu check` says more") from None
    base = path.resolve().parent
    if named := _text(written, "local", "socket"):
        return base / named
    directory = _text(written, "events", "directory") or STATE_DIRECTORY
    places = [base / directory / NAME]
    if directory == STATE_DIRECTORY:
        # Of another directory it is not the service: that one is not asked in its place.
        places.insert(0, RUNTIME_DIRECTORY / NAME)
    return next((place for place in places if _exists(place)), places[0])


def ask(path: Path, do: str, /, **arguments: object) -> Any:
    """The result of one request. Raises NotRunning or Refused."""
    for kind, content in _lines(path, do, arguments, PATIENCE_S):
        if kind == "result":
            return content
    raise NotRunning(f"the station at {path} ended before it answered")


def follow(path: Path, do: str, /, **arguments: object) -> Iterator[Any]:
    """The items of a stream as they come, however long that takes. Raises NotRunning or Refused."""
    for kind, content in _lines(path, do, arguments, None):
        if kind == "result":
            return
        yield content
    raise NotRunning(f"the station at {path} ended")


def _lines(
    path: Path, do: str, arguments: dict[str, object], patience_s: float | None
) -> Iterator[tuple[str, Any]]:
    request = json.dumps({"v": 1, "do": do, "with": arguments}).encode() + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE_S)
        try:
            connection.connect(str(path))
        except PermissionError:
            raise NotRunning(f"{path}: not for you: be root, or in the group of the station") from None
        except OSError as error:
            raise NotRunning(
                f"no station answers at {path} ({error.strerror or error}): is it running?"
            ) from None
        try:
            connection.sendall(request)
        except BrokenPipeError:
            pass  # it has said why, and closed
        except OSError as error:
            raise NotRunning(f"the station at {path} does not listen: {error.strerror or error}") from None
        connection.settimeout(patience_s)
        with connection.makefile("rb") as answer:
            while line := _next(path, answer.readline):
                yield _understood(path, line)


def _next(path: Path, readline: Any) -> bytes:
    try:
        line: bytes = readline(LONGEST)
    except TimeoutError:
        raise NotRunning(f"the station at {path} does not answer: its log may say why") from None
    except ConnectionError:
        return b""
    return line if line.endswith(b"\n") else b""  # the end of a line that was cut off is the end


def _understood(path: Path, line: bytes) -> tuple[str, Any]:
    try:
        match json.loads(line):
            case {"item": item}:
                return "item", item
            case {"ok": True, "result": result}:
                return "result", result
            case {"ok": False, "error": str(error)}:
                raise Refused(error)
    except (ValueError, RecursionError):
        pass
    raise NotRunning(f"{path}: what answers there is no station")


def _text(written: dict[str, Any], table: str, key: str) -> str:
    try:
        value = written[table][key]
    except (KeyError, TypeError):
        return ""
    return value if isinstance(value, str) else ""


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # in a directory that is not for us
        return False
