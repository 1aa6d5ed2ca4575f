"""Talking to the service manager: ready, status, stopping, and a watchdog that means something.

The protocol of sd_notify(3): one datagram to the socket named in NOTIFY_SOCKET. In a terminal there
is none and nothing is sent. The watchdog is fed by whoever proves that the whole chain moves, never
by a timer of its own.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class ServiceManager:
    """The service manager that started this process, if one did."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self.watchdog_s = _watchdog_s(environment)

    def ready(self, status: str) -> None:
        """Serving."""
        self._tell(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        self._tell(f"STATUS={status}")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._tell("WATCHDOG=1")

    def _tell(self, text: str) -> None:
        if self._address:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
                manager.setblocking(False)
                try:
                    manager.sendto(text.encode(), self._address)
                except OSError:
                    pass  # a manager that does not listen must not stop the station


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    """The watchdog's time in seconds, if one runs for this process."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        return int(environment["WATCHDOG_USEC"]) / 1e6
    except (KeyError, ValueError):
        return None
