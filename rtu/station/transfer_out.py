"""A file on its way to the master: the station's half of the conversation, without its octets (7.4.11.3).

    SELECTED --call file--> OFFERED --call section--> SENDING --all segments--> SECTION_SENT
                               ^                         |                        |  |
                               +---deactivate section----+      negative or next--+  | after the last section
                               +--------------------------------------------------+  v
                                                                    FILE_SENT --acknowledged or not--> over

What is sent is a copy made when the file was selected: whatever becomes of the file, the master gets this one.
Segments are not answers. They are made one by one when the connection has nothing better to send.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto

from rtu.iec104.catalogue import TypeID
from rtu.iec104.elements import MAX_SEGMENT, NOS, Segment

from .served import Sections
from .transfer import (
    END_OF_FILE,
    END_OF_SECTION,
    SECTION_DEACTIVATED,
    Message,
    OutOfTurn,
    Step,
    Told,
    checksum,
    file_ready,
    last,
    section_ready,
)


class State(Enum):
    """Where the conversation is."""

    SELECTED = auto()
    OFFERED = auto()
    SENDING = auto()
    SECTION_SENT = auto()
    FILE_SENT = auto()
    OVER = auto()


class OutgoingTransfer:
    """One transfer. `outcome` says how it ended, once it did. Making one adds up the file, which takes its time."""

    def __init__(self, sections: Sections) -> None:
        self._sections = sections
        self._checksums = tuple(map(checksum, sections))
        self._section = 1
        self._sent = 0  # octets of it
        self._sum = 0  # of these
        self.state = State.SELECTED
        self.outcome = ""

    @property
    def length(self) -> int:
        """LOF."""
        return sum(map(len, self._sections))

    @property
    def over(self) -> bool:
        """Nothing more will come of it."""
        return self.state is State.OVER

    @property
    def master_is_asked(self) -> bool:
        """Whether it is the master's turn."""
        return self.state is not State.SENDING

    def begin(self) -> Message:
        """What tells the master that the file is selected."""
        return file_ready(self.length)

    def step(self, step: Step, told: Told) -> Message | None:
        """The answer, if any. Raises OutOfTurn when that is not to be said now."""
        action = _TABLE.get((self.state, step))
        if action is None or (step in _NAMING and told.section not in (0, self._section)):
            raise OutOfTurn
        return action(self, told)

    def next(self) -> Message | None:
        """The next segment, or the end of the section, or nothing until the master has spoken."""
        if self.state is not State.SENDING:
            return None
        octets = self._sections[self._section - 1]
        data = octets[self._sent : self._sent + MAX_SEGMENT]
        if data:
            self._sent += len(data)
            self._sum += checksum(data)
            return Message(TypeID.F_SG_NA_1, (NOS(self._section), Segment(data)))
        self.state = State.SECTION_SENT
        return last(self._section, END_OF_SECTION, self._checksums[self._section - 1])

    def _offer(self, told: Told) -> Message:
        self.state = State.OFFERED
        self._sent = self._sum = 0
        return section_ready(self._section, len(self._sections[self._section - 1]))

    def _choose(self, told: Told) -> Message:
        if not 1 <= told.section <= len(self._sections):
            raise OutOfTurn
        self._section = told.section
        return self._offer(told)

    def _send(self, told: Told) -> None:
        self.state = State.SENDING

    def _break_off(self, told: Told) -> Message:
        sent = self._sum & 0xFF
        self.state = State.OFFERED
        self._sent = self._sum = 0
        return last(self._section, SECTION_DEACTIVATED, sent)

    def _go_on(self, told: Told) -> Message:
        if self._section < len(self._sections):
            self._section += 1
            return self._offer(told)
        self.state = State.FILE_SENT
        return last(self._section, END_OF_FILE, sum(self._checksums) & 0xFF)

    def _acknowledged(self, told: Told) -> None:
        self._end("complete")

    def _refused(self, told: Told) -> None:
        self._end("the master refused it")

    def _deactivated(self, told: Told) -> Message:
        self._end("the master broke it off")
        return file_ready(self.length)

    def _end(self, outcome: str) -> None:
        self.state = State.OVER
        self.outcome = outcome


_NAMING = frozenset({Step.CALL_SECTION, Step.DEACTIVATE_SECTION, Step.ACK_SECTION, Step.NACK_SECTION})
"""Steps about the section in turn; NOS 0 means it too."""

_Action = Callable[[OutgoingTransfer, Told], Message | None]
_T = OutgoingTransfer
_TABLE: Mapping[tuple[State, Step], _Action] = {
    (State.SELECTED, Step.CALL_FILE): _T._offer,
    (State.SELECTED, Step.DEACTIVATE_FILE): _T._deactivated,
    (State.OFFERED, Step.CALL_SECTION): _T._send,
    (State.OFFERED, Step.SELECT_SECTION): _T._choose,
    (State.OFFERED, Step.DEACTIVATE_SECTION): _T._break_off,
    (State.OFFERED, Step.DEACTIVATE_FILE): _T._deactivated,
    (State.SENDING, Step.DEACTIVATE_SECTION): _T._break_off,
    (State.SENDING, Step.DEACTIVATE_FILE): _T._deactivated,
    (State.SECTION_SENT, Step.ACK_SECTION): _T._go_on,
    (State.SECTION_SENT, Step.NACK_SECTION): _T._offer,
    (State.SECTION_SENT, Step.NACK_FILE): _T._refused,
    (State.SECTION_SENT, Step.DEACTIVATE_FILE): _T._deactivated,
    (State.FILE_SENT, Step.ACK_FILE): _T._acknowledged,
    (State.FILE_SENT, Step.NACK_FILE): _T._refused,
    (State.FILE_SENT, Step.DEACTIVATE_FILE): _T._deactivated,
}
