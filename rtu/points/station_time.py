"""Wall time as this station writes it into time tags, and reads it from the master's.

IEC 60870-5-101, 7.2.6.18 (CP56Time2a). UTC unless the configuration names a zone.
"""

from __future__ import annotations

from rtu.clock import WallTime
from rtu.iec104.elements import CP56Time2a, encode_cp56


class StationTime:
    """The one way of the station between nanoseconds since 1970 and the seven octets of a time tag."""

    def tag(self, wall: WallTime) -> bytes:
        """CP56Time2a; IV unless the clock is synchronised."""
        return encode_cp56(wall.unix_ns, not wall.valid)

    def unix_ns(self, time: CP56Time2a) -> int:
        """Nanoseconds since 1970-01-01 UTC of a time without defect."""
        return time.to_ns()


UTC = StationTime()
