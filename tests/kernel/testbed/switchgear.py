"""A switchgear bay around the station under test: its part of the station file, contacts to drive, relays to watch.

Breaker Q0 answers a command with its position, and has an enable line; isolator Q8 has active-low relays and says
nothing. The key switch `bay.remote` allows commands to Q0.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from control_centre import ControlCentre, Report, interrogation, reports
from simhw import LineRecorder, SimChip

from rtu.iec104.asdu import ASDU
from rtu.iec104.catalogue import Cause, TypeID

OPEN, CLOSED, REMOTE = 5, 6, 10  # lines of contacts
Q0_CLOSE, Q0_TRIP, Q0_ENABLE = 20, 21, 24  # lines of relays
Q8_CLOSE, Q8_OPEN = 22, 23  # lines of relays, energised by a low level
RELAYS = (Q0_CLOSE, Q0_TRIP, Q0_ENABLE, Q8_CLOSE, Q8_OPEN)
Q0_POSITION, BAY_REMOTE, Q0_OPERATE, Q8_OPERATE = 1001, 1011, 5001, 5002  # information object addresses
OFF, ON = 1, 2
PULSE_MS, LONG_PULSE_MS = 500, 30_000
SELECT_TIMEOUT_S = 20
SETTLED_S = 1.0  # debounce and transit are over
PULSES = f"{{ default = {PULSE_MS}, long = {LONG_PULSE_MS} }}"

BAY = f"""
[device.field]
driver = "gpio"
chip = "sim-gpio"
[[point]]
name = "q0.position"
type = "double"
input = {{ device = "field", open = {OPEN}, closed = {CLOSED}, pull = "down", debounce_ms = 5, transit_ms = 800 }}
address = [{{ ioa = {Q0_POSITION} }}]
[[point]]
name = "bay.remote"
type = "single"
input = {{ device = "field", line = {REMOTE}, pull = "down" }}
address = [{{ ioa = {BAY_REMOTE} }}]
[[command]]
name = "q0.operate"
type = "double"
output = {{ device = "field", on = {Q0_CLOSE}, off = {Q0_TRIP}, enable = {Q0_ENABLE}, pulse_ms = {PULSES} }}
select = {{ required = true, timeout_s = {SELECT_TIMEOUT_S} }}
feedback = {{ point = "q0.position", within_s = 10 }}
require = {{ "bay.remote" = "on" }}
address = [{{ ioa = {Q0_OPERATE} }}]
[[command]]
name = "q8.operate"
type = "double"
output = {{ device = "field", on = {Q8_CLOSE}, off = {Q8_OPEN}, active_low = true, pulse_ms = {PULSES} }}
select = {{ required = true, timeout_s = {SELECT_TIMEOUT_S} }}
address = [{{ ioa = {Q8_OPERATE} }}]
"""


class Bay:
    """The plant's side of the lines. Make it before the station starts: the board pulls active-low relays up."""

    def __init__(self, chip: SimChip, relays: dict[int, LineRecorder]) -> None:
        self.chip = chip
        self.relays = relays
        self._passed = dict.fromkeys(relays, 0)

    def stand_open(self) -> None:
        """The breaker is open and the key switch says remote; the station must have requested its lines."""
        self.chip.pull(CLOSED, 0)
        self.chip.pull(OPEN, 1)
        self.chip.pull(REMOTE, 1)

    def close_breaker(self) -> None:
        self.chip.pull(OPEN, 0)
        self.chip.pull(CLOSED, 1)

    def forget(self) -> None:
        """What the relays did until now is no longer of interest."""
        self._passed = {line: len(each.changes) for line, each in self.relays.items()}

    def changes(self, line: int) -> list[tuple[int, int]]:
        """The changes of a relay line: (CLOCK_MONOTONIC in ns, new level)."""
        return self.relays[line].changes[self._passed[line] :]

    def wait(self, line: int, count: int) -> None:
        """Until a relay line has changed `count` times. Raises TimeoutError if it does not."""
        self.relays[line].wait(self._passed[line] + count)

    def moved(self) -> dict[int, list[int]]:
        """The levels that lines took, of those relay lines that moved at all."""
        found = {line: [level for _, level in self.changes(line)] for line in self.relays}
        return {line: levels for line, levels in found.items() if levels}


@contextmanager
def bay_on(chip: SimChip) -> Iterator[Bay]:
    """The bay on a chip that is there for longer."""
    for line in (Q8_CLOSE, Q8_OPEN):
        chip.pull(line, 1)
    with ExitStack() as stack:
        yield Bay(chip, {line: stack.enter_context(LineRecorder(chip, line)) for line in RELAYS})


def answer(centre: ControlCentre, command: ASDU) -> bool:
    """Whether the confirmation of a command, the next ASDU of its type, is a positive one."""
    centre.send(command)
    confirmation = centre.until(lambda asdu: asdu.type_id == command.type_id)[-1]
    assert confirmation.cause == Cause.ACTCON
    assert confirmation.objects == command.objects
    return not confirmation.negative


def interrogated(centre: ControlCentre) -> dict[int, Report]:
    """All values by information object address, by a station interrogation; what comes before it is passed over."""
    centre.send(interrogation())
    came = centre.until(lambda asdu: asdu.type_id == TypeID.C_IC_NA_1 and asdu.cause == Cause.ACTTERM)
    return {report.ioa: report for asdu in came for report in reports(asdu) if report.cause == Cause.INROGEN}
