"""Binary time (IEC 60870-5-4, 6.8): CP56Time2a, the date and time of an event, and CP16Time2a, a duration.

A CP56Time2a has no century: 0..99 is read and written as 2000..2099.
"""

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import ClassVar, Self

from .element import BitElement, Fields, flag, number

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS_PER_MS = 1_000_000
_NS_PER_MINUTE = 60_000 * _NS_PER_MS


class CP16Time2a(BitElement, frozen=True):
    """A duration of 0..59999 ms: elapsed, relay duration or operating time."""

    ms: int

    SIZE: ClassVar[int] = 2
    FIELDS: ClassVar[Fields] = (number("ms", 1, 16),)

    def encode(self) -> bytes:
        if self.ms > 59_999:
            raise ValueError(f"CP16Time2a.ms must be 0..59999, not {self.ms}")
        return BitElement.encode(self)


class CP56Time2a(BitElement, frozen=True):
    """Seven octet binary time.

    A received tag is kept as it came, however impossible; `defect()` tells what is wrong with it and `encode()`
    refuses to send such a tag. `ms` counts within the minute (0..59999), `weekday` is 1 Monday to 7 Sunday or 0 when
    not used, `invalid` is IV, `substituted` RES1/GEN, `summer` SU.
    """

    ms: int
    minute: int
    hour: int
    day: int
    weekday: int
    month: int
    year: int
    invalid: bool = False
    substituted: bool = False
    summer: bool = False

    SIZE: ClassVar[int] = 7
    FIELDS: ClassVar[Fields] = (
        number("ms", 1, 16),
        number("minute", 17, 22),
        flag("substituted", 23),
        flag("invalid", 24),
        number("hour", 25, 29),
        flag("summer", 32),
        number("day", 33, 37),
        number("weekday", 38, 40),
        number("month", 41, 44),
        number("year", 49, 55),
    )

    @classmethod
    def from_ns(
        cls,
        unix_ns: int,
        *,
        invalid: bool = False,
        summer: bool = False,
        offset_minutes: int = 0,
        weekday: bool = False,
    ) -> Self:
        """The tag of a time in nanoseconds since 1970 UTC; the arguments are those of `encode_cp56`."""
        return cls.decode(
            encode_cp56(unix_ns, invalid, summer=summer, offset_minutes=offset_minutes, weekday=weekday)
        )

    def to_ns(self, *, offset_minutes: int = 0) -> int:
        """Nanoseconds since 1970 UTC of a tag whose zone is `offset_minutes` ahead of UTC.

        Raises ValueError with the text of `defect()` when the tag names no time. IV is the caller's to judge.
        """
        if (defect := self.defect()) is not None:
            raise ValueError(defect)
        start = datetime(2000 + self.year, self.month, self.day, self.hour, self.minute, tzinfo=UTC)
        minutes = (start - _EPOCH) // timedelta(minutes=1) - offset_minutes
        return minutes * _NS_PER_MINUTE + self.ms * _NS_PER_MS

    def defect(self) -> str | None:
        """Why these fields name no time, or None. A day of week that contradicts the date is no defect."""
        if not 0 <= self.ms <= 59_999:
            return f"CP56Time2a.ms must be 0..59999, not {self.ms}"
        if not 0 <= self.minute <= 59:
            return f"CP56Time2a.minute must be 0..59, not {self.minute}"
        if not 0 <= self.hour <= 23:
            return f"CP56Time2a.hour must be 0..23, not {self.hour}"
        if not 0 <= self.year <= 99:
            return f"CP56Time2a.year must be 0..99, not {self.year}"
        if not 1 <= self.month <= 12:
            return f"CP56Time2a.month must be 1..12, not {self.month}"
        last = monthrange(2000 + self.year, self.month)[1]
        if not 1 <= self.day <= last:
            return f"CP56Time2a.day must be 1..{last} in month {self.month}, not {self.day}"
        return None

    def encode(self) -> bytes:
        if (defect := self.defect()) is not None:
            raise ValueError(defect)
        return BitElement.encode(self)


def encode_cp56(
    unix_ns: int,
    invalid: bool = False,
    *,
    summer: bool = False,
    offset_minutes: int = 0,
    weekday: bool = False,
) -> bytes:
    """The seven octets of a time in nanoseconds since 1970 UTC, quickly.

    `offset_minutes` is the whole offset of the tag's zone from UTC, its summer hour included; `summer` only sets SU.
    Milliseconds are truncated. A time outside 2000..2099 cannot be told in two digits, so it always carries IV.
    """
    minute, ns = divmod(unix_ns, _NS_PER_MINUTE)
    return (ns // _NS_PER_MS).to_bytes(2, "little") + _from_minute(
        minute + offset_minutes, invalid, summer, weekday
    )


@lru_cache(maxsize=64)
def _from_minute(minute: int, invalid: bool, summer: bool, weekday: bool) -> bytes:
    """Octets 3 to 7: all that stays the same for a whole minute."""
    time = _EPOCH + timedelta(minutes=minute)
    invalid = invalid or not 2000 <= time.year <= 2099
    return bytes(
        (
            time.minute | invalid << 7,
            time.hour | summer << 7,
            time.day | (time.isoweekday() << 5 if weekday else 0),
            time.month,
            time.year % 100,
        )
    )
