"""One connection of IEC 60870-5-104, either end of it: start and stop, acknowledgement and time-outs.

What may happen in which state is written in the two tables at the end of this file (IEC 60870-5-104, 5.3). A frame
that a table does not list for the present state is a violation: the link closes and says nothing more. Sequence
numbers (5.1, 5.5) and timers (5.2, 9.6) are the same in every state and stand beside the tables.

                 bytes in                                   bytes out
    socket ------------------> receive(data, now) ---+  +--- data_to_send(now) ------------------> socket
                                       |             |  |            ^
                                       v             v  v            |
                                    events         the link     send(asdu, now)

The link has no clock: `now` is monotonic time in seconds, the same clock for every call. Whoever owns the link calls
`on_timer(now)` at `next_deadline()`, and writes `data_to_send(now)` after every call that may have changed something.
"""

from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum, IntEnum
from struct import Struct
from typing import NamedTuple

from .apci import (
    SEQUENCE_MASK,
    START,
    APCIError,
    FrameSplitter,
    IFrame,
    SFrame,
    UFrame,
    UFunction,
    decode_frame,
)
from .asdu import HEADER_SIZE, MAX_ASDU
from .link_events import Acknowledged, AsduReceived, Closed, Event, Started, Stopped, Stopping
from .link_parameters import LinkParameters

_HEADER = Struct("<BBHH").pack


class Role(Enum):
    """Which end of the connection this is."""

    CONTROLLED = "controlled station"
    CONTROLLING = "controlling station"


class State(Enum):
    """STARTING and STOPPING are of the controlling station only, PENDING of the controlled station only."""

    STOPPED = "stopped"
    STARTING = "waiting for STARTDT con"
    STARTED = "started"
    PENDING = "pending unconfirmed stopped"
    STOPPING = "waiting for STOPDT con"
    CLOSED = "closed"


class Input(IntEnum):
    """What the tables react to: the frames of the peer, the calls of the owner, and running dry while PENDING."""

    INFORMATION = 0x00
    SUPERVISORY = 0x01
    STARTDT_ACT = UFunction.STARTDT_ACT
    STARTDT_CON = UFunction.STARTDT_CON
    STOPDT_ACT = UFunction.STOPDT_ACT
    STOPDT_CON = UFunction.STOPDT_CON
    TESTFR_ACT = UFunction.TESTFR_ACT
    TESTFR_CON = UFunction.TESTFR_CON
    START = 0x100
    STOP = 0x101
    DRAINED = 0x102


class Frames(NamedTuple):
    """How many APDUs, by format (IEC 60870-5-104, 5)."""

    i: int
    s: int
    u: int


class LinkBusy(RuntimeError):
    """No I frame may be sent now: not started, or k of them are unacknowledged."""


class Link:
    """The protocol state of one connection that has just been established, at `now` seconds.

    What waits to be sent is bounded by k I frames and one confirmation per frame received since the last
    `data_to_send`; the owner bounds the latter by writing before it reads more.
    """

    def __init__(self, role: Role, parameters: LinkParameters, now: float) -> None:
        self.role = role
        self.parameters = parameters
        self._table = _TABLES[role]
        self._state = State.STOPPED
        self._closed_reason: str | None = None
        self._splitter = FrameSplitter()
        self._events: list[Event] = []
        self._out: list[bytes] = []
        # Totals since the connection began; modulo 32768 they are V(S), the acknowledged N(S) and V(R).
        self._sent = 0
        self._acknowledged = 0
        self._received = 0
        self._unconfirmed = 0  # I frames received that no N(R) of ours has covered yet
        self._s_sent = self._s_received = 0
        self._u_sent = self._u_received = 0
        # The running timers, as the times at which they expire.
        self._t1_frames: deque[float] = deque()  # one per own I frame outstanding
        self._t1_act: dict[UFunction, float] = {}  # by the confirmation that is awaited
        self._t2: float | None = None
        self._t3 = now + parameters.t3

    # What the owner may ask

    @property
    def state(self) -> State:
        return self._state

    @property
    def closed_reason(self) -> str | None:
        """Why the link is closed, None while it is not."""
        return self._closed_reason

    @property
    def sent(self) -> int:
        """I frames sent since the connection began."""
        return self._sent

    @property
    def acknowledged(self) -> int:
        """I frames of these that the peer has acknowledged."""
        return self._acknowledged

    @property
    def received(self) -> int:
        """I frames received since the connection began."""
        return self._received

    @property
    def frames_sent(self) -> Frames:
        """APDUs sent since the connection began."""
        return Frames(self._sent, self._s_sent, self._u_sent)

    @property
    def frames_received(self) -> Frames:
        """APDUs received since the connection began: valid ones, I frames in sequence."""
        return Frames(self._received, self._s_received, self._u_received)

    @property
    def unfinished(self) -> bytes:
        """What has been received of a frame that is not complete yet."""
        return self._splitter.unfinished

    @property
    def window(self) -> int:
        """How many I frames may be sent now, 0..k."""
        if self._state is not State.STARTED:
            return 0
        return self.parameters.k - self._sent + self._acknowledged

    @property
    def can_send(self) -> bool:
        return self.window > 0

    # What the owner does

    def send(self, asdu: bytes, now: float) -> int:
        """Queue an I frame and return its number, counted from 1, for comparison with `Acknowledged.upto`.

        Raises LinkBusy when the window is closed and ValueError when the ASDU is too short or too long.
        """
        if self._state is not State.STARTED or self._sent - self._acknowledged >= self.parameters.k:
            raise LinkBusy(
                f"no I frame may be sent: {self._state.value}, {self._sent - self._acknowledged} unacknowledged"
            )
        length = len(asdu)
        if not HEADER_SIZE <= length <= MAX_ASDU:
            raise ValueError(f"an I frame carries {HEADER_SIZE}..{MAX_ASDU} octets of ASDU, not {length}")
        ns = (self._sent & SEQUENCE_MASK) << 1
        self._out.append(_HEADER(START, length + 4, ns, (self._received & SEQUENCE_MASK) << 1) + asdu)
        self._t1_frames.append(now + self.parameters.t1)
        self._all_confirmed()
        self._sent += 1
        return self._sent

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Take octets as they came from the peer. Frames before a violation still count; after it nothing does."""
        if self._state is State.CLOSED:
            return []
        try:
            for octets in self._splitter.feed(data):
                self._take(octets, now)
                if self._closed_reason is not None:
                    break
        except APCIError as error:
            self._close(str(error))
        return self._collect()

    def data_to_send(self, now: float) -> bytes:
        """The octets to write, each once. Adds an S frame when w received I frames wait for an acknowledgement.

        After the link closed this is what had been queued before, in answer to frames that were valid.
        """
        # A controlled station that is about to stop waits for this acknowledgement and sends nothing to go with it.
        patience = 1 if self._state is State.STOPPING else self.parameters.w
        if self._unconfirmed >= patience and self._state is not State.CLOSED:
            self._send_s()
        out, self._out = self._out, []
        return b"".join(out)

    def next_deadline(self) -> float | None:
        """When `on_timer` must be called at the latest; None once the link is closed. It may move with any call."""
        if self._state is State.CLOSED:
            return None
        deadlines = [*self._t1_act.values()]
        if UFunction.TESTFR_CON not in self._t1_act:
            deadlines.append(self._t3)
        if self._t1_frames:
            deadlines.append(self._t1_frames[0])
        if self._t2 is not None:
            deadlines.append(self._t2)
        return min(deadlines)

    def on_timer(self, now: float) -> list[Event]:
        """Act on every timer that has expired at `now`; harmless when none has."""
        if self._state is State.CLOSED:
            return []
        t1 = self.parameters.t1
        if self._t1_frames and now >= self._t1_frames[0]:
            self._close(f"I frame {self._acknowledged + 1} not acknowledged within t1 = {t1:g} s")
            return self._collect()
        for confirmation, due in self._t1_act.items():
            if now >= due:
                self._close(f"no {confirmation.name.replace('_', ' ')} within t1 = {t1:g} s")
                return self._collect()
        if self._t2 is not None and now >= self._t2:
            self._send_s()
        if now >= self._t3 and UFunction.TESTFR_CON not in self._t1_act:
            self._send_act(UFunction.TESTFR_ACT, UFunction.TESTFR_CON, now)
        return self._collect()

    def start(self, now: float) -> None:
        """Controlling station: send STARTDT act. Raises RuntimeError unless STOPPED."""
        self._demand(Input.START, now)

    def stop(self, now: float) -> None:
        """Controlling station: acknowledge, then send STOPDT act. Raises RuntimeError unless STARTED."""
        self._demand(Input.STOP, now)

    def close(self, reason: str) -> None:
        """The owner gives the connection up: malformed ASDU, closed by the peer, another connection was started.

        No event; nothing that is queued goes out any more.
        """
        if self._state is not State.CLOSED:
            self._close(reason)
        self._events.clear()
        self._out.clear()

    # Frames

    def _take(self, octets: bytes, now: float) -> None:
        frame = decode_frame(octets)
        self._t3 = now + self.parameters.t3
        match frame:
            case UFrame(function):
                self._u_received += 1
                self._react(Input(function), now)
            case SFrame(nr):
                self._s_received += 1
                if self._react(Input.SUPERVISORY, now):
                    self._acknowledge(nr)
            case IFrame(ns, nr, asdu):
                if self._react(Input.INFORMATION, now) and self._in_sequence(ns) and self._acknowledge(nr):
                    self._deliver(asdu, now)
        if self._state is State.PENDING and not self._t1_frames:
            self._react(Input.DRAINED, now)

    def _react(self, what: Input, now: float) -> bool:
        """Do what the table says; False, and closed, when it does not know this input."""
        rule = self._table[self._state].get(what)
        if rule is None:
            self._close(f"{what.name.replace('_', ' ')} frame while {self._state.value}")
            return False
        action, self._state = rule
        action(self, now)
        return True

    def _demand(self, what: Input, now: float) -> None:
        rule = self._table[self._state].get(what)
        if rule is None:
            raise RuntimeError(
                f"{what.name}DT act cannot be sent by a {self.role.value} while {self._state.value}"
            )
        action, self._state = rule
        action(self, now)

    def _in_sequence(self, ns: int) -> bool:
        if ns == self._received & SEQUENCE_MASK:
            return True
        self._close(f"N(S) = {ns} instead of {self._received & SEQUENCE_MASK}")
        return False

    def _acknowledge(self, nr: int) -> bool:
        count = (nr - self._acknowledged) & SEQUENCE_MASK
        if count > self._sent - self._acknowledged:
            first, last = self._acknowledged & SEQUENCE_MASK, self._sent & SEQUENCE_MASK
            self._close(f"N(R) = {nr} is not in {first}..{last}")
            return False
        if count:
            self._acknowledged += count
            for _ in range(count):
                self._t1_frames.popleft()
            self._events.append(Acknowledged(self._acknowledged))
        return True

    def _deliver(self, asdu: bytes, now: float) -> None:
        self._received += 1
        self._unconfirmed += 1
        if self._t2 is None:
            self._t2 = now + self.parameters.t2
        self._events.append(AsduReceived(asdu))

    def _send_s(self) -> None:
        self._s_sent += 1
        self._out.append(SFrame(self._received & SEQUENCE_MASK).encode())
        self._all_confirmed()

    def _all_confirmed(self) -> None:
        self._unconfirmed = 0
        self._t2 = None

    def _send_u(self, function: UFunction) -> None:
        self._u_sent += 1
        self._out.append(UFrame(function).encode())

    def _send_act(self, function: UFunction, confirmation: UFunction, now: float) -> None:
        self._send_u(function)
        self._t1_act[confirmation] = now + self.parameters.t1

    def _close(self, reason: str) -> None:
        self._state = State.CLOSED
        self._closed_reason = reason
        self._events.append(Closed(reason))

    def _collect(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    # Actions of the tables; the state is already the next one

    def _nothing(self, now: float) -> None:
        pass

    def _confirm_test(self, now: float) -> None:
        self._send_u(UFunction.TESTFR_CON)

    def _test_confirmed(self, now: float) -> None:
        self._t1_act.pop(UFunction.TESTFR_CON, None)

    def _confirm_start(self, now: float) -> None:
        self._send_u(UFunction.STARTDT_CON)
        self._events.append(Started())

    def _confirm_start_again(self, now: float) -> None:
        self._send_u(UFunction.STARTDT_CON)

    def _begin_stop(self, now: float) -> None:
        if self._unconfirmed:
            self._send_s()
        self._events.append(Stopping())

    def _confirm_stop(self, now: float) -> None:
        self._send_u(UFunction.STOPDT_CON)
        self._events.append(Stopped())

    def _confirm_stop_again(self, now: float) -> None:
        self._send_u(UFunction.STOPDT_CON)

    def _ask_start(self, now: float) -> None:
        self._send_act(UFunction.STARTDT_ACT, UFunction.STARTDT_CON, now)

    def _start_confirmed(self, now: float) -> None:
        del self._t1_act[UFunction.STARTDT_CON]
        self._events.append(Started())

    def _ask_stop(self, now: float) -> None:
        if self._unconfirmed:
            self._send_s()
        self._send_act(UFunction.STOPDT_ACT, UFunction.STOPDT_CON, now)

    def _stop_confirmed(self, now: float) -> None:
        del self._t1_act[UFunction.STOPDT_CON]
        self._events.append(Stopped())


_Rule = tuple[Callable[[Link, float], None], State]
_Table = Mapping[State, Mapping[int, _Rule]]


def _always(state: State) -> dict[int, _Rule]:
    """Rules of every open state: the test procedure, and confirmations nobody waits for change nothing."""
    return {
        Input.TESTFR_ACT: (Link._confirm_test, state),
        Input.TESTFR_CON: (Link._test_confirmed, state),
        Input.STARTDT_CON: (Link._nothing, state),
        Input.STOPDT_CON: (Link._nothing, state),
    }


_CONTROLLED: _Table = {
    State.STOPPED: _always(State.STOPPED)
    | {
        Input.STARTDT_ACT: (Link._confirm_start, State.STARTED),
        Input.STOPDT_ACT: (Link._confirm_stop_again, State.STOPPED),
    },
    State.STARTED: _always(State.STARTED)
    | {
        Input.STARTDT_ACT: (Link._confirm_start_again, State.STARTED),
        Input.STOPDT_ACT: (Link._begin_stop, State.PENDING),
        Input.SUPERVISORY: (Link._nothing, State.STARTED),
        Input.INFORMATION: (Link._nothing, State.STARTED),
    },
    State.PENDING: _always(State.PENDING)
    | {
        Input.STARTDT_ACT: (Link._confirm_start, State.STARTED),
        Input.STOPDT_ACT: (Link._nothing, State.PENDING),
        Input.SUPERVISORY: (Link._nothing, State.PENDING),
        Input.DRAINED: (Link._confirm_stop, State.STOPPED),
    },
}

_CONTROLLING: _Table = {
    State.STOPPED: _always(State.STOPPED) | {Input.START: (Link._ask_start, State.STARTING)},
    State.STARTING: _always(State.STARTING) | {Input.STARTDT_CON: (Link._start_confirmed, State.STARTED)},
    State.STARTED: _always(State.STARTED)
    | {
        Input.SUPERVISORY: (Link._nothing, State.STARTED),
        Input.INFORMATION: (Link._nothing, State.STARTED),
        Input.STOP: (Link._ask_stop, State.STOPPING),
    },
    State.STOPPING: _always(State.STOPPING)
    | {
        Input.SUPERVISORY: (Link._nothing, State.STOPPING),
        Input.INFORMATION: (Link._nothing, State.STOPPING),
        Input.STOPDT_CON: (Link._stop_confirmed, State.STOPPED),
    },
}

_TABLES = {Role.CONTROLLED: _CONTROLLED, Role.CONTROLLING: _CONTROLLING}

__all__ = [
    "Acknowledged",
    "AsduReceived",
    "Closed",
    "Event",
    "Frames",
    "Input",
    "Link",
    "LinkBusy",
    "LinkParameters",
    "Role",
    "Started",
    "State",
    "Stopped",
    "Stopping",
]
