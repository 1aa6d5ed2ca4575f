"""A file on its way from the master: the station's half of the conversation, without its octets (7.4.11.3).

    CALLED --section ready--> RECEIVING --end of section--> CALLED ... --end of file--> RECEIVED
       ^                          |
       +--wrong, or broken off----+   the same section again

No more is kept than was announced, and no more announced than is taken. A section whose octets do not add up is asked
for again; a file whose octets do not is lost, and its predecessor stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto

from .transfer import (
    CHECKSUM,
    NO_MEMORY,
    UNEXPECTED_SECTION,
    Message,
    OutOfTurn,
    Step,
    Told,
    acknowledge,
    call,
    checksum,
    file_ready,
)

MAX_SECTIONS = 255


class State(Enum):
    """Where the conversation is."""

    CALLED = auto()
    RECEIVING = auto()
    RECEIVED = auto()
    OVER = auto()


class IncomingTransfer:
    """One transfer of `length` octets. `outcome` says how it ended, once it did; `content` is complete in RECEIVED."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.content = bytearray()
        self._section = 1  # in turn
        self._announced = 0  # octets of it
        self._start = 0  # in the content
        self._sum = 0  # of its octets
        self._sums = 0  # of the sections before
        self._spoilt = False
        self.state = State.CALLED
        self.outcome = ""

    @property
    def over(self) -> bool:
        """Nothing more will come of it."""
        return self.state is State.OVER

    @property
    def master_is_asked(self) -> bool:
        """Whether it is the master's turn."""
        return self.state is not State.RECEIVED

    def begin(self) -> Message:
        """What asks the master for the file."""
        return call(Step.CALL_FILE, 0)

    def step(self, step: Step, told: Told) -> Message | None:
        """The answer, if any. Raises OutOfTurn when that is not to be said now."""
        action = _TABLE.get((self.state, step))
        if action is None:
            raise OutOfTurn
        return action(self, told)

    def kept(self, error: str) -> Message:
        """It was put on the disk, or not and why: what tells the master."""
        self._end(error or "complete")
        if error:
            return acknowledge(Step.NACK_FILE, self._section - 1, NO_MEMORY)
        return acknowledge(Step.ACK_FILE, self._section - 1)

    def next(self) -> None:
        """There is nothing to send but answers."""

    def _announce(self, told: Told) -> Message:
        if told.section != self._section or self._section > MAX_SECTIONS:
            return call(Step.CALL_SECTION, told.section, UNEXPECTED_SECTION)
        if told.length > self.length - len(self.content):
            return call(Step.CALL_SECTION, told.section, NO_MEMORY)
        self._announced = told.length
        self._start = len(self.content)
        self._sum = 0
        self._spoilt = False
        self.state = State.RECEIVING
        return call(Step.CALL_SECTION, self._section)

    def _take(self, told: Told) -> None:
        room = self._start + self._announced - len(self.content)
        if told.section != self._section or len(told.data) > room:
            self._spoilt = True
        if not self._spoilt:
            self.content += told.data
            self._sum += checksum(told.data)

    def _end_section(self, told: Told) -> Message:
        length = len(self.content) - self._start
        if told.section != self._section:
            return self._again(told, UNEXPECTED_SECTION)
        if self._spoilt or length != self._announced or self._sum & 0xFF != told.checksum:
            return self._again(told, CHECKSUM)
        self.state = State.CALLED
        self._section += 1
        self._sums += self._sum
        return acknowledge(Step.ACK_SECTION, told.section)

    def _again(self, told: Told, error: int = 0) -> Message:
        del self.content[self._start :]
        self.state = State.CALLED
        return acknowledge(Step.NACK_SECTION, told.section, error)

    def _end_file(self, told: Told) -> Message | None:
        if len(self.content) != self.length or self._sums & 0xFF != told.checksum:
            self._end("the checksum or the length is wrong")
            return acknowledge(Step.NACK_FILE, told.section, CHECKSUM)
        self.state = State.RECEIVED
        return None

    def _abort(self, told: Told) -> Message:
        self._end("the master broke it off")
        return acknowledge(Step.NACK_FILE, told.section)

    def _deactivated(self, told: Told) -> Message:
        self._end("the master broke it off")
        return file_ready(self.length)

    def _end(self, outcome: str) -> None:
        self.state = State.OVER
        self.outcome = outcome


_Action = Callable[[IncomingTransfer, Told], Message | None]
_T = IncomingTransfer
_TABLE: Mapping[tuple[State, Step], _Action] = {
    (State.CALLED, Step.SECTION_READY): _T._announce,
    (State.CALLED, Step.END_FILE): _T._end_file,
    (State.CALLED, Step.ABORT_FILE): _T._abort,
    (State.CALLED, Step.DEACTIVATE_FILE): _T._deactivated,
    (State.RECEIVING, Step.SEGMENT): _T._take,
    (State.RECEIVING, Step.END_SECTION): _T._end_section,
    (State.RECEIVING, Step.ABORT_SECTION): _T._again,
    (State.RECEIVING, Step.ABORT_FILE): _T._abort,
    (State.RECEIVING, Step.DEACTIVATE_FILE): _T._deactivated,
}
