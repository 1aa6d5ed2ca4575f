"""Supervision of the command delay: a command that names its time is carried out then, or not at all.

The tag of a command of types 58 to 64 is when its master gave it (IEC 60870-5-5, 6.8; IEC 60870-5-101, 7.2.6.18). What
lay about on its way for longer than agreed must not move anything, and neither must what cannot be proven to be fresh:
a tag from the future, one that names no time, any tag while this station does not know the time itself.

A clock command that lay about makes whatever lay about behind it look fresh. Therefore a tag must for a while be fresh
by the time as it was before the clock was set, too.

What was carried out already is remembered only as long as the program runs. Therefore nothing is fresh that was given
before its start: whoever repeats it then moves nothing.
"""

from __future__ import annotations

from collections import deque

from rtu.clock import SECOND, Clock, WallTime
from rtu.config.schema import Protocol

from .request import Issued, Reply, Request

REMEMBERED = 8
"""Clock commands that are taken into account at the most: the latest ones."""


class DelaySupervision:
    """Judges tags by the station's clock; counts those that were not believed in `late`.

    `answered`: whether such a command gets a negative confirmation, or silence.
    """

    def __init__(self, protocol: Protocol, clock: Clock) -> None:
        self.late = 0
        self._max_age_s = protocol.max_command_age_s
        self.answered = protocol.late_command == "refuse"
        self._clock = clock
        self._started_ns = clock.now_ns()
        # Wall time minus monotonic time as it was before a clock command, and until when that counts.
        self._before: deque[tuple[int, int]] = deque(maxlen=REMEMBERED)

    def clock_set(self, before: WallTime) -> None:
        """A command has set the clock, which told `before` up to this moment."""
        if before.valid:
            now_ns = self._clock.now_ns()
            self._before.append((before.unix_ns - now_ns, now_ns + round(self._max_age_s * SECOND)))

    def objection(self, request: Request) -> str:
        """Why the time tag forbids this, or "". A deactivation is believed whatever it says: taking back is safe."""
        if request.issued is None or request.deactivate:
            return ""
        objection = self._objection(request.issued)
        self.late += bool(objection)
        return objection

    def reply(self, reply: Reply) -> Reply:
        """Where the verdict on a late command goes."""
        return reply if self.answered else _Unanswered(reply)

    def _objection(self, issued: Issued) -> str:
        if issued.defect:
            return issued.defect
        now_ns = self._clock.now_ns()
        now = self._clock.wall(now_ns)
        if not now.valid:
            return "the clock of this station is not synchronised"
        told = [now.unix_ns, *(now_ns + offset for offset, until_ns in self._before if now_ns < until_ns)]
        ages_s = [(unix_ns - issued.unix_ns) / SECOND for unix_ns in told]
        age_s = max(ages_s, key=abs)
        if abs(age_s) > self._max_age_s:
            return f"its time tag is {abs(age_s):.1f} s {'old' if age_s > 0 else 'ahead'}"
        if max(ages_s) > (now_ns - self._started_ns) / SECOND:
            return "its time tag is from before the start of this station"
        return ""


class _Unanswered:
    """A late command gets no confirmation, for its master has given it up (`late_command = "ignore"`)."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def confirm(self, positive: bool, reason: str) -> None:
        self._reply.discard(reason)

    def terminate(self, positive: bool, reason: str) -> None:
        raise AssertionError("a late command is never carried out")

    def discard(self, reason: str) -> None:
        self._reply.discard(reason)
