"""Devices that did not open are tried again, slowly, each on a thread of its own.

A driver that hangs while opening holds only its own thread: it is not tried a second time meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from hw.interface import Device
from rtu.clock import SECOND, Clock, Timer

from .devices import OpenDevices

INTERVAL_NS = 10 * SECOND

Run = Callable[[str, Callable[[], None]], None]


def on_daemon_thread(name: str, work: Callable[[], None]) -> None:
    """Run `work` beside everything else; the process does not wait for it when it ends."""
    threading.Thread(target=work, name=name, daemon=True).start()


class Reopening:
    """Tries every faulty device each 10 s. `post` runs a callable on the loop, from any thread."""

    def __init__(
        self,
        devices: OpenDevices,
        clock: Clock,
        post: Callable[[Callable[[], None]], None],
        run: Run = on_daemon_thread,
    ) -> None:
        self._devices = devices
        self._clock = clock
        self._post = post
        self._run = run
        self._trying: set[str] = set()
        self._timer: Timer | None = None

    def start(self) -> None:
        self._timer = self._clock.call_at(self._clock.now_ns() + INTERVAL_NS, self._try)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _try(self) -> None:
        for name in list(self._devices.faults):
            if name not in self._trying:
                self._trying.add(name)
                self._run(f"open {name}", partial(self._attempt, name))
        self.start()

    def _attempt(self, name: str) -> None:
        outcome = self._devices.attempt(name)
        try:
            self._post(partial(self._adopt, name, outcome))
        except RuntimeError:  # the loop has ended
            if not isinstance(outcome, str):
                outcome.close()

    def _adopt(self, name: str, outcome: Device | str) -> None:
        self._trying.discard(name)
        self._devices.adopt(name, outcome)
