"""A network interface that comes and goes, and what is bound to it: a tunnel that is down, up, or made anew.

The kernel binds a socket to an interface by its index. An interface that was taken away and made again has its old name and
another index, and what was bound before never hears again. Nobody tells: the unit gives the station no netlink socket. So
the name is looked up every few seconds, which takes one system call.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable

from rtu.clock import SECOND, Clock, Timer

LOOK_EVERY_S = 5

_log = logging.getLogger(__name__)


class Presence:
    """Calls `come` whenever the interface is there anew, and `gone` when it is no longer the one it was.

    `come` raises OSError when it can do nothing with the interface: it is called again at the next look.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        *,
        come: Callable[[], None],
        gone: Callable[[], None],
        index: Callable[[str], int] = socket.if_nametoindex,
    ) -> None:
        self._name = name
        self._clock = clock
        self._come = come
        self._gone = gone
        self._index = index
        self._bound = 0
        self._told = ""
        self._timer: Timer | None = None

    def watch(self) -> None:
        """From now on, until `close`."""
        self._timer = self._clock.call_at(self._clock.now_ns() + LOOK_EVERY_S * SECOND, self.watch)
        found = self._find()
        if self._bound and found != self._bound:
            self._bound = 0
            self._gone()
        if not self._bound:
            self._take(found)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _take(self, found: int) -> None:
        if not found:
            self._tell(f"{self._name} is not an interface of this machine now; masters can come when it is")
            return
        try:
            self._come()
        except OSError as error:
            self._tell(f"{error}; trying again")
        else:
            self._bound = found
            if self._told:
                _log.info("%s is there; masters can come", self._name)
            self._told = ""

    def _find(self) -> int:
        try:
            return self._index(self._name)
        except OSError:
            return 0

    def _tell(self, text: str) -> None:
        """Once, and not at every look."""
        if text != self._told:
            self._told = text
            _log.warning("%s", text)
