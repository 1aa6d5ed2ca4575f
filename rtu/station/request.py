"""A request that passed the common checks, and the ways to answer it.

Every answer is the request itself with another cause (IEC 60870-5-101, 7.2.3): originator, objects
and test bit come back as they were; a request to all stations is answered per common address.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rtu.iec104.asdu import ASDU, mirror
from rtu.iec104.catalogue import Cause
from rtu.iec104.elements import Element

from .client import Client
from .station import Station

_CONFIRMED_AS: dict[int, Cause] = {
    Cause.ACT: Cause.ACTCON,
    Cause.DEACT: Cause.DEACTCON,
    Cause.REQ: Cause.FILE,  # of a directory; reading a value is not confirmed
    Cause.FILE: Cause.FILE,
}


@dataclass(frozen=True, slots=True)
class Request:
    """`octets` is the ASDU with this station's own common address `ca` in it.

    Only a request to the station as a whole, whatever its common addresses, may have the global one.
    """

    station: Station
    session: Client
    octets: bytes
    ca: int
    asdu: ASDU
    stations: tuple[int, ...]  # the common addresses that confirm it

    @property
    def ioa(self) -> int:
        return self.asdu.objects[0].ioa

    @property
    def elements(self) -> tuple[Element, ...]:
        return self.asdu.objects[0].elements

    @property
    def deactivates(self) -> bool:
        return self.asdu.cause == Cause.DEACT

    def confirm(
        self,
        *,
        positive: bool,
        octets: bytes | None = None,
        acknowledged: Callable[[], None] | None = None,
    ) -> None:
        """ACTCON, DEACTCON to a deactivation, or the cause of file transfer to anything about files.

        `acknowledged` is called when the master has it, if it ever does.
        """
        cause = _CONFIRMED_AS[self.asdu.cause]
        for ca in self.stations:
            answer = mirror(octets or self.octets, cause, negative=not positive, ca=ca)
            self.session.reply(answer, acknowledged=acknowledged if ca == self.stations[-1] else None)

    def refuse(self, reason: str, id: str = "") -> None:
        """Confirm negatively, and note why; `id` when it is a security event."""
        self._note(reason, id)
        self.confirm(positive=False)

    def unknown_ioa(self) -> None:
        """There is no such object for this type."""
        self._note("there is no such object for this type")
        self.session.reply(mirror(self.octets, Cause.UNKNOWN_IOA, negative=True))

    def _note(self, reason: str, id: str = "") -> None:
        self.session.refusals.note(self.asdu.type_id, self.ca, self.ioa, reason, id)

    def termination(self, *, positive: bool = True) -> bytes:
        """ACTTERM, for when the time comes."""
        return mirror(self.octets, Cause.ACTTERM, negative=not positive)
