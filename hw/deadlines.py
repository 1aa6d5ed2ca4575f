"""Things that must happen on time, even if the event loop stands still: one thread, few appointments.

A pulse on a trip coil ends because of this file. It therefore does little: a dictionary of
deadlines, a condition variable, and an action that is tried again until it says it is done.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

RETRY_S = 0.05


class Deadlines:
    """Calls `act(key)` on its own thread when the deadline of `key` has come.

    `act` returns True when done; otherwise it is called again `RETRY_S` later, until it is done or
    the deadline is cancelled. It runs with `lock` held, a re-entrant lock the owner shares.
    """

    def __init__(
        self, name: str, act: Callable[[int], bool], now_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.lock = threading.Condition()
        self._act = act
        self._now_ns = now_ns
        self._due: dict[int, int] = {}
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """True while deadlines are kept: ask before starting what must end."""
        return self._thread.is_alive() and not self._closed

    def __contains__(self, key: int) -> bool:
        with self.lock:
            return key in self._due

    def set(self, key: int, when_ns: int) -> None:
        """Act on `key` at `when_ns` (monotonic); a key has one deadline, the last one set."""
        with self.lock:
            self._due[key] = when_ns
            self.lock.notify()

    def cancel(self, key: int) -> None:
        """Forget the deadline of `key`, if it has one."""
        with self.lock:
            self._due.pop(key, None)

    def run_due(self) -> float | None:
        """Act on what is due; returns seconds to the next deadline, None if there is none."""
        with self.lock:
            now = self._now_ns()
            for key in [key for key, when in self._due.items() if when <= now]:
                del self._due[key]  # the action may set its next one
                if not self._attempt(key):
                    self._due[key] = now + round(RETRY_S * 1e9)
            return max(0.0, (min(self._due.values()) - now) / 1e9) if self._due else None

    def _attempt(self, key: int) -> bool:
        try:
            return self._act(key)
        except Exception:  # the thread outlives whatever an action does
            return False

    def _run(self) -> None:
        with self.lock:
            while not self._closed:
                self.lock.wait(self.run_due())

    def close(self) -> None:
        """Stop the thread; deadlines not reached are forgotten. Idempotent."""
        with self.lock:
            self._closed = True
            self.lock.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join(1.0)
