"""One output action from the first read-back to the last: nothing switches that was not just proven to be off.

    read back: every pulsed line of the group is at rest
    switch the coil            read back: exactly the coil is on
    switch the enable line     read back: exactly the coil and the enable line are on

The coil comes first, because alone it moves nothing: a wrong or additional coil is found while the enable line, in
series with all of them, is still open. The enable line closes the circuit last and, its pulse being the shorter one by
`OVERLAP_S`, opens it first; the plant sees the commanded length, and either of two timers in the driver ends it. If the
enable line cannot follow the coil in time, nothing has moved and the coil is taken back. Without an enable line the coil
is the circuit, and the second read-back can only cut short what is wrong.

Whenever something is not as it must be, every line of the group is brought to rest and read back once more. Only if a
fault came up and all lines are proven to be off, the group may go on (FAILED); anything else is WRONG.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import NamedTuple

from rtu.clock import SECOND, Clock

from .commands import OVERLAP_S, Command, Line
from .lines import differing, read_lines, release, unread
from .ports import Ports
from .request import Request
from .states import Event

START_WITHIN_S = 2.0
"""A switching that could not begin within this time of its request does not begin at all."""
FOLLOW_WITHIN_S = 0.8 * OVERLAP_S
"""The enable line follows its coil within this time."""

Outcome = Callable[[Event, str], None]
"""Told once: ENERGISED, FAILED or WRONG, and why."""


class Switching(NamedTuple):
    """Bring `line` to `level`, for `seconds` or to stay (None)."""

    line: Line
    level: int
    seconds: float | None


def switchings(command: Command, request: Request) -> tuple[Switching, ...]:
    """What a permitted request switches, in order; nothing for a set-point."""
    if command.setpoint is not None:
        return ()
    coil = command.coils[int(request.value)]
    if command.latched:
        return (Switching(coil, coil.energised if request.value else coil.rest, None),)
    seconds = command.pulses_s[request.qualifier]
    if command.enable is None:
        return (Switching(coil, coil.energised, seconds),)
    enable = command.enable
    return (
        Switching(coil, coil.energised, seconds + OVERLAP_S),
        Switching(enable, enable.energised, seconds),
    )


class Operation:
    """Runs once. `pulsed` are the group's lines that rest when nothing runs, enable lines first.

    `permit` is asked directly before every switching and says why not, or "".
    """

    def __init__(
        self,
        command: Command,
        request: Request,
        pulsed: Iterable[Line],
        *,
        ports: Ports,
        clock: Clock,
        permit: Callable[[], str],
        outcome: Outcome,
    ) -> None:
        self._command = command
        self._request = request
        self._ports = ports
        self._clock = clock
        self._permit = permit
        self._outcome = outcome
        self._pulsed = tuple(pulsed)
        self._expected: dict[Line, int] = {line: line.rest for line in self._pulsed}
        self._pending = deque(switchings(command, request))
        self._latest_ns = clock.now_ns() + round(START_WITHIN_S * SECOND)
        self._touched: list[Line] = []
        self._abandoned = ""

    @property
    def touched(self) -> tuple[Line, ...]:
        """The lines that were switched so far, or may have been."""
        return tuple(self._touched)

    def start(self) -> None:
        read_lines(self._ports, self._expected, self._before)

    def abandon(self, reason: str) -> None:
        """Switch nothing that is not switched yet, though it waits for its bus already."""
        self._abandoned = reason

    def _before(self, found: Mapping[Line, int | None]) -> None:
        if wrong := differing(self._expected, found):
            self._undo(Event.WRONG, f"before switching {wrong}")
        elif silent := unread(found):
            self._outcome(Event.FAILED, silent)
        elif self._command.setpoint is not None:
            self._set()
        else:
            self._switch()

    def _switch(self) -> None:
        if objection := self._abandoned or self._permit():
            self._give_up(objection)
            return
        line, level, seconds = self._pending.popleft()
        port = self._ports.digital[line.device]
        forbids = partial(self._forbids, self._latest_ns)
        self._latest_ns = self._clock.now_ns() + round(FOLLOW_WITHIN_S * SECOND)
        self._touched.append(line)
        self._expected[line] = level
        if seconds is None:
            port.write(line.output, level, self._switched, forbids=forbids)
        else:
            port.pulse(line.output, level, seconds, self._switched, forbids=forbids)

    def _switched(self, fault: str) -> None:
        if fault:
            self._give_up(fault)
        else:
            read_lines(self._ports, self._expected, self._after)

    def _after(self, found: Mapping[Line, int | None]) -> None:
        if wrong := differing(self._expected, found) or unread(found):
            self._undo(Event.WRONG, f"after switching {wrong}")
        elif self._pending:
            self._switch()
        else:
            self._outcome(Event.ENERGISED, "")

    def _set(self) -> None:
        setpoint = self._command.setpoint
        assert setpoint is not None
        if objection := self._abandoned or self._permit():
            self._outcome(Event.FAILED, objection)
            return
        value = self._command.engineering(self._request.ca, self._request.ioa, self._request.value)
        self._ports.analog[setpoint.device].set(
            setpoint.output,
            value,
            lambda fault: self._outcome(Event.FAILED if fault else Event.ENERGISED, fault),
            forbids=partial(self._forbids, self._latest_ns),
        )

    def _forbids(self, latest_ns: int) -> str:
        """Any thread: why what was handed to a bus must not be done now."""
        late = self._clock.now_ns() > latest_ns
        return self._abandoned or ("the bus was busy for too long" if late else "")

    def _give_up(self, reason: str) -> None:
        if self._touched:
            self._undo(Event.FAILED, reason)
        else:
            self._outcome(Event.FAILED, reason)

    def _undo(self, event: Event, reason: str) -> None:
        resting = {line: line.rest for line in (*self._pulsed, *self._touched)}
        release(self._ports, resting)

        def proven(found: Mapping[Line, int | None]) -> None:
            if trouble := differing(resting, found) or unread(found):
                self._outcome(Event.WRONG, f"{reason}; after release {trouble}")
            else:
                self._outcome(event, reason)

        read_lines(self._ports, resting, proven)
