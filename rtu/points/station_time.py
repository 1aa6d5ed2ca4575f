"""Wall time as this station writes it into time tags, and reads it from the master's.

IEC 60870-5-101, 7.2.6.18 (CP56Time2a). UTC unless the configuration names a zone. In a zone, SU says that summer time
applies, so that no hour is told twice: reading is the exact inverse of writing, and what this station would never
write is no time.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from functools import lru_cache

from rtu.clock import WallTime
from rtu.iec104.elements import CP56Time2a, encode_cp56

_MILLISECOND = 1_000_000
_MINUTE = 60_000 * _MILLISECOND
_DAY_MINUTES = 24 * 60
_IV = 0x80  # in the octet of the minutes


class StationTime:
    """The one way of the station between nanoseconds since 1970 and the seven octets of a time tag.

    `zone` is a name of the time zone database. With `summer_time` tags follow the zone's summer time and say so in SU;
    without, they keep to its standard time all year. `day_of_week` fills in 1 (Monday) to 7 instead of 0. Raises
    ValueError for a zone this machine does not know.
    """

    def __init__(self, zone: str = "UTC", *, summer_time: bool = True, day_of_week: bool = False) -> None:
        self.zone = zone
        self._zone = None if zone == "UTC" else _find(zone)
        self._summer_time = summer_time
        self._day_of_week = day_of_week
        self._from_minute = lru_cache(maxsize=64)(self._octets)
        self._to_minute = lru_cache(maxsize=64)(self._minute)
        self._winter = lru_cache(maxsize=8)(self._least_ahead)

    def tag(self, wall: WallTime) -> bytes:
        """CP56Time2a; IV unless the clock is synchronised."""
        unix_ns, valid = wall
        minute, ns = divmod(unix_ns, _MINUTE)
        return (ns // _MILLISECOND).to_bytes(2, "little") + self._from_minute(minute, valid)

    def unix_ns(self, time: CP56Time2a) -> int:
        """Nanoseconds since 1970-01-01 UTC.

        Raises ValueError for a tag that names no time: impossible fields, the hour that summer time skips, or an SU
        that contradicts the zone. In UTC, SU is not used and not looked at. IV is the caller's to judge.
        """
        as_utc = time.to_ns()
        if self._zone is None:
            return as_utc
        minute = as_utc // _MINUTE
        # The time itself is what is asked for, but one of these is its offset: nothing changes twice in two days.
        for at in (minute - _DAY_MINUTES, minute + _DAY_MINUTES):
            offset, _ = self._local(at)
            if self._local(minute - offset) == (offset, time.summer):
                return as_utc - offset * _MINUTE
        season = "summer" if time.summer else "standard"
        raise ValueError(f"there is no such {season} time in {self.zone}")

    def resolved(self, tag: bytes, correction_ns: int) -> bytes:
        """A tag this station made with IV before its clock was right, as it should be: later by `correction_ns`.

        A tag without IV is returned as it is.
        """
        rest = tag[2:]
        if not rest[0] & _IV:
            return tag
        unix_ns = self._to_minute(rest) + int.from_bytes(tag[:2], "little") * _MILLISECOND
        return self.tag(WallTime(unix_ns + correction_ns, True))

    def _minute(self, octets: bytes) -> int:
        """The inverse of `_octets`, nanoseconds since 1970 UTC."""
        return self.unix_ns(CP56Time2a.decode(bytes(2) + octets))

    def _octets(self, minute: int, valid: bool) -> bytes:
        """Octets 3 to 7: all that stays the same for a whole minute. No zone changes within one."""
        offset, summer = self._local(minute)
        tag = encode_cp56(
            minute * _MINUTE, not valid, summer=summer, offset_minutes=offset, weekday=self._day_of_week
        )
        return tag[2:]

    def _local(self, minute: int) -> tuple[int, bool]:
        """Minutes ahead of UTC, and SU, at a time in minutes since 1970 UTC."""
        if self._zone is None:
            return 0, False
        local = datetime.fromtimestamp(minute * 60, self._zone)
        ahead, summer = local.utcoffset() or timedelta(), _dst(local) - self._winter(local.year)
        if not self._summer_time:
            ahead, summer = ahead - summer, timedelta()
        return ahead // timedelta(minutes=1), bool(summer)

    def _least_ahead(self, year: int) -> timedelta:
        """Usually nothing; but some zones (Ireland) call their summer standard, and put the clock back in winter."""
        return min(_dst(datetime(year, month, 1, tzinfo=self._zone)) for month in range(1, 13))


def _find(zone: str) -> tzinfo:
    # Not needed by most stations, which run in UTC.
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f'the time zone "{zone}" is not known on this machine') from None


def _dst(local: datetime) -> timedelta:
    return local.dst() or timedelta()


UTC = StationTime()
