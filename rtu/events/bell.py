"""Tells whoever pulls from the log that there is something new, once until somebody has pulled.

Many events of one moment are thus one call. Who is called and cannot pull at once must pull as soon as it can.
"""

from __future__ import annotations

from collections.abc import Callable

Failed = Callable[[Exception], None]


class Bell:
    """`failed` is told what a listener raised: it must cost neither the next event nor another group."""

    def __init__(self, failed: Failed) -> None:
        self.rung = False
        """Rung, and nothing was pulled since."""
        self._failed = failed
        self._listeners: tuple[Callable[[], None], ...] = ()

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have `callback` called; returns what ends that."""
        self._listeners = (*self._listeners, callback)
        self.rung = False

        def leave() -> None:
            self._listeners = tuple(other for other in self._listeners if other is not callback)

        return leave

    def ring(self) -> None:
        self.rung = True
        for callback in self._listeners:
            try:
                callback()
            except Exception as error:  # whatever it is, the next listener is called
                self._failed(error)
