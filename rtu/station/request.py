"""A request that passed the common checks, and the ways to answer it.

Every answer is the request itself with another cause (IEC 60870-5-101, 7.2.3): originator, objects
and test bit come back as they were; a request to all stations is answered per common address.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtu.iec104.asdu import ASDU, mirror
from rtu.iec104.catalogue import Cause
from rtu.iec104.elements import Element

from .client import Client
from .station import Station


@dataclass(frozen=True, slots=True)
class Request:
    """`octets` is the ASDU with this station's own common address `ca` in it."""

    station: Station
    session: Client
    octets: bytes
    ca: int
    asdu: ASDU

    @property
    def ioa(self) -> int:
        return self.asdu.objects[0].ioa

    @property
    def elements(self) -> tuple[Element, ...]:
        return self.asdu.objects[0].elements

    @property
    def deactivates(self) -> bool:
        return self.asdu.cause == Cause.DEACT

    def confirm(self, *, positive: bool, octets: bytes | None = None) -> None:
        """ACTCON, or DEACTCON to a deactivation."""
        cause = Cause.DEACTCON if self.deactivates else Cause.ACTCON
        self.session.reply(mirror(octets or self.octets, cause, negative=not positive))

    def unknown_ioa(self) -> None:
        """There is no such object for this type."""
        self.session.reply(mirror(self.octets, Cause.UNKNOWN_IOA, negative=True))

    def termination(self, *, positive: bool = True) -> bytes:
        """ACTTERM, for when the time comes."""
        return mirror(self.octets, Cause.ACTTERM, negative=not positive)
