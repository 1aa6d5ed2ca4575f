"""A double point: the open and the closed contact of one switch, both debounced, as one state.

    open closed   state
      1    0      OFF
      0    1      ON
      0    0      INTERMEDIATE: travelling, told once it lasts longer than `transit_ns`
      1    1      FAULTY: told once it lasts longer than `fault_ns`

Both times 0: told at once. A state that lasts carries the stamp of its beginning. A final state carries the stamp
of the contact that arrived, unless what lay between had been told: then of the edge that ended it.
"""

from __future__ import annotations

from collections.abc import Callable

from rtu.clock import Clock, Timer

from .model import FAULTY, GOOD, INTERMEDIATE, NEVER_READ, OFF, ON, Value


class DoublePoint:
    """Combines two contacts: give `open_contact` and `closed_contact` to them as their sinks.

    `settle_ns` is the contacts' debounce time: what they tell comes that much after its stamp, so that
    much longer is waited before an intermediate state is told. While either contact is unreadable the
    last state stands with the quality of the loss; on return the present state is told at once.
    """

    def __init__(
        self,
        clock: Clock,
        sink: Callable[[Value], None],
        *,
        transit_ns: int = 0,
        fault_ns: int = 0,
        settle_ns: int = 0,
    ) -> None:
        self._clock = clock
        self._sink = sink
        self._wait_ns = {INTERMEDIATE: transit_ns, FAULTY: fault_ns}
        self._settle_ns = settle_ns
        self._open = NEVER_READ
        self._closed = NEVER_READ
        self._told = NEVER_READ
        self._waiting: Value | None = None  # what will be told if it lasts
        self._timer: Timer | None = None

    def open_contact(self, value: Value) -> None:
        """The contact that is made while the switch is OFF."""
        self._tell_overdue(value.mono_ns)
        self._open = value
        self._combine(value.mono_ns)

    def closed_contact(self, value: Value) -> None:
        """The contact that is made while the switch is ON."""
        self._tell_overdue(value.mono_ns)
        self._closed = value
        self._combine(value.mono_ns)

    def _combine(self, mono_ns: int) -> None:
        opened, closed = self._open, self._closed
        if opened is NEVER_READ or closed is NEVER_READ:
            return
        quality = opened.quality | closed.quality
        state = int(opened.value) | int(closed.value) << 1
        if quality:
            self._stop_waiting()
            if self._told is not NEVER_READ:
                self._tell(Value(self._told.value, quality, mono_ns))
        elif state in (OFF, ON):
            self._stop_waiting()
            direct = not self._told.quality and self._told.value in (OFF, ON)
            arrived = opened if state == OFF else closed
            self._tell(Value(state, GOOD, arrived.mono_ns if direct else mono_ns))
        else:
            self._stop_waiting()
            self._wait(Value(state, GOOD, mono_ns))

    def _wait(self, value: Value) -> None:
        wait_ns = self._wait_ns[int(value.value)]
        if not wait_ns or self._told.quality:
            self._tell(value)
            return
        self._waiting = value
        self._timer = self._clock.call_at(value.mono_ns + wait_ns + self._settle_ns, self._lasted)

    def _lasted(self) -> None:
        value = self._waiting
        self._stop_waiting()
        if value is not None:
            self._tell(value)

    def _tell_overdue(self, mono_ns: int) -> None:
        """By its stamps the state lasted, only its end was read before the timer ran."""
        value = self._waiting
        if value is not None and mono_ns >= value.mono_ns + self._wait_ns[int(value.value)]:
            self._lasted()

    def _stop_waiting(self) -> None:
        self._waiting = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell(self, value: Value) -> None:
        told = self._told
        if value[:2] == told[:2]:
            return
        if value.mono_ns < told.mono_ns:
            # Contacts settle at their own pace, so an older edge may be confirmed later.
            value = Value(value.value, value.quality, told.mono_ns)
        self._told = value
        self._sink(value)
