"""What somebody wants of an output, and how they are told what became of it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

Fingerprint = tuple[int, int, int, float, int]
"""Type identification, common address, IOA, value and qualifier: what an execute must have in common with its select."""


class Issued(NamedTuple):
    """The time tag of a command: when its master gave it, or why that cannot be told."""

    unix_ns: int = 0  # nanoseconds since 1970-01-01 UTC
    defect: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A command as it came in (IEC 60870-5-101, 7.3.2), its octets already understood.

    `value` is SCS 0..1, DCS or RCS 0..3, the raw NVA or SVA (-32768..32767), an R32 or a BSI (0..4294967295);
    `qualifier` is QU 0..31 or QL 0..127, 0 where there is none. A deactivation breaks a selection off; a test is answered like the real thing and moves nothing.
    """

    owner: Hashable  # the session; with the originator it is who may execute a selection
    group: str  # the redundancy group of the session
    originator: int  # 0..255
    type_id: int
    ca: int
    ioa: int
    value: float
    qualifier: int
    select: bool = False
    deactivate: bool = False
    test: bool = False
    who: str = ""  # for the audit trail; the owner's own text when empty
    local: bool = False  # an operator on site: return information is COT 12 instead of 11
    issued: Issued | None = None  # of types 58 to 64; not part of the fingerprint

    @property
    def claimant(self) -> tuple[Hashable, int]:
        """Whose selection this makes, or may use."""
        return (self.owner, self.originator)

    @property
    def fingerprint(self) -> Fingerprint:
        return (self.type_id, self.ca, self.ioa, self.value, self.qualifier)


class Reply(Protocol):
    """Where the verdicts of one request go.

    Either `confirm` or `discard` is called, exactly once; `terminate` at most once, after a positive confirmation of an
    execute. All may come long after the request, also when its session is gone.
    """

    def confirm(self, positive: bool, reason: str) -> None:
        """ACTCON or DEACTCON; `reason` is "" or one line for the log."""
        ...

    def terminate(self, positive: bool, reason: str) -> None:
        """ACTTERM; negative when the plant did not follow."""
        ...

    def discard(self, reason: str) -> None:
        """Nothing is done, and nothing is answered: the request came too late, by its own time tag."""
        ...
