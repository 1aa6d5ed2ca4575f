"""Supervision of the command delay: a command that names its time is carried out then, or not at all.

The tag of a command of types 58 to 64 is when its master gave it (IEC 60870-5-5, 6.8; IEC 60870-5-101, 7.2.6.18). What
lay about on its way for longer than agreed must not move anything, and neither must what cannot be proven to be fresh:
a tag from the future, one that names no time, any tag while this station does not know the time itself.
"""

from __future__ import annotations

from rtu.clock import SECOND, Clock
from rtu.config.schema import Protocol

from .request import Issued, Reply, Request


class DelaySupervision:
    """Judges tags by the station's clock; counts those that were not believed in `late`."""

    def __init__(self, protocol: Protocol, clock: Clock) -> None:
        self.late = 0
        self._max_age_s = protocol.max_command_age_s
        self._answered = protocol.late_command == "refuse"
        self._clock = clock

    def objection(self, request: Request) -> str:
        """Why the time tag forbids this, or "". A deactivation is believed whatever it says: taking back is safe."""
        if request.issued is None or request.deactivate:
            return ""
        objection = self._objection(request.issued)
        self.late += bool(objection)
        return objection

    def reply(self, reply: Reply) -> Reply:
        """Where the verdict on a late command goes."""
        return reply if self._answered else _Unanswered(reply)

    def _objection(self, issued: Issued) -> str:
        if issued.defect:
            return issued.defect
        now = self._clock.wall(self._clock.now_ns())
        if not now.valid:
            return "the clock of this station is not synchronised"
        age_s = (now.unix_ns - issued.unix_ns) / SECOND
        if abs(age_s) <= self._max_age_s:
            return ""
        return f"its time tag is {abs(age_s):.1f} s {'old' if age_s > 0 else 'ahead'}"


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
