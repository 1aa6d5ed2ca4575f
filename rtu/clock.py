"""Time for everything above the protocol: one monotonic clock, one wall time, one timer wheel.

Every stamp inside the station is CLOCK_MONOTONIC in nanoseconds, the clock the kernel stamps
GPIO edges with; it never jumps. Wall time is worked out once, when an event is made, and carries
whether it may be trusted (the IV bit of CP56Time2a, IEC 60870-5-101, 7.2.6.18).

`SystemClock` is the real one; `VirtualClock` moves only when told, and runs the timers on its way.
"""

from __future__ import annotations

import asyncio
import ctypes
import heapq
import itertools
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

SECOND = 1_000_000_000
MILLISECOND = 1_000_000

QUICK_NS = 100_000
"""Reading two clocks takes a few microseconds; what takes longer than this was interrupted."""


class WallTime(NamedTuple):
    """`unix_ns`: nanoseconds since 1970-01-01 UTC; `valid`: the clock was synchronised."""

    unix_ns: int
    valid: bool


class Timer(Protocol):
    """A callback that has not run yet."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """What every layer asks for time; pass it in, never import a real one."""

    def now_ns(self) -> int:
        """CLOCK_MONOTONIC, nanoseconds."""
        ...

    def wall(self, mono_ns: int) -> WallTime:
        """The wall time of a monotonic stamp, by what is known at this moment."""
        ...

    def call_at(self, when_ns: int, callback: Callable[[], None]) -> Timer:
        """Run `callback` on the loop once, not before `when_ns` (monotonic)."""
        ...


class Discipline(Protocol):
    """Who sets the wall clock, and whether it may be trusted: one per `[clock] source`."""

    def offset_ns(self) -> int:
        """Wall time minus monotonic time, nanoseconds."""
        ...

    def synchronised(self) -> bool:
        """True while time tags may go out without IV."""
        ...


def system_offset_ns() -> int:
    """Wall time minus monotonic time of this machine, nanoseconds.

    The two cannot be read at once, and another program may run in between: of some attempts the quickest counts.
    """
    quickest = offset = 0
    for attempt in range(3):
        before = time.monotonic_ns()
        wall = time.time_ns()
        took = time.monotonic_ns() - before
        if attempt == 0 or took < quickest:
            quickest, offset = took, wall - before - took // 2
        if quickest < QUICK_NS:
            break
    return offset


class _Timex(ctypes.Structure):
    """`struct timex` of 64-bit Linux, as far as it is read here; the kernel fills 208 octets."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_ubyte * 160),
    )


class KernelDiscipline:
    """`source = "ntp"`: some time service disciplines the kernel, and the kernel knows how well.

    The kernel's `maxerror` grows by 500 us/s since the last update, and is 16 s before the first
    one; the clock is trusted while it is below `max_error_ns`.
    """

    _OOP = 3  # a leap second is being inserted: 23:59:60 has no CP56Time2a

    def __init__(self, max_error_ns: int) -> None:
        self._max_error_us = max_error_ns // 1000
        self._timex = _Timex()
        self._adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
        self._checked_ns = -SECOND
        self._good = False

    def offset_ns(self) -> int:
        return system_offset_ns()

    def synchronised(self) -> bool:
        now = time.monotonic_ns()
        if now - self._checked_ns >= SECOND // 10:
            self._checked_ns = now
            self._timex.modes = 0
            state = self._adjtimex(ctypes.byref(self._timex))
            self._good = state >= 0 and state != self._OOP and self._timex.maxerror < self._max_error_us
        return self._good


class MasterDiscipline:
    """`source = "master"`: C_CS_NA_1 sets an offset inside this process; the system clock stays.

    The time is trusted for `valid_for_ns` after a setting (IEC 60870-5-5, 6.7).
    """

    def __init__(self, valid_for_ns: int) -> None:
        self._valid_for_ns = valid_for_ns
        self._offset_ns: int | None = None
        self._set_ns = 0

    def set(self, unix_ns: int, mono_ns: int) -> None:
        """From now on the wall time at `mono_ns` is `unix_ns`."""
        self._offset_ns = unix_ns - mono_ns
        self._set_ns = mono_ns

    def offset_ns(self) -> int:
        if self._offset_ns is None:
            return system_offset_ns()
        return self._offset_ns

    def synchronised(self) -> bool:
        return self._offset_ns is not None and time.monotonic_ns() - self._set_ns < self._valid_for_ns


class FreeDiscipline:
    """`source = "none"`: nobody sets the clock, so every time tag carries IV."""

    def offset_ns(self) -> int:
        return system_offset_ns()

    def synchronised(self) -> bool:
        return False


class SystemClock:
    """The machine's clocks, with timers on the running asyncio loop."""

    def __init__(self, discipline: Discipline, loop: asyncio.AbstractEventLoop) -> None:
        self.discipline = discipline
        self._loop = loop

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def wall(self, mono_ns: int) -> WallTime:
        return WallTime(mono_ns + self.discipline.offset_ns(), self.discipline.synchronised())

    def call_at(self, when_ns: int, callback: Callable[[], None]) -> Timer:
        # asyncio's loop.time() is CLOCK_MONOTONIC too.
        return self._loop.call_at(when_ns / SECOND, callback)


class _VirtualTimer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class VirtualClock:
    """A clock that stands still until `advance`; timers run in order, each at its own instant."""

    def __init__(self, *, start_ns: int = SECOND, unix_ns: int = 1_784_116_800 * SECOND) -> None:
        self._now_ns = start_ns
        self.offset_ns = unix_ns - start_ns
        self.valid = True
        self._timers: list[tuple[int, int, _VirtualTimer]] = []
        self._order = itertools.count()

    def now_ns(self) -> int:
        return self._now_ns

    def wall(self, mono_ns: int) -> WallTime:
        return WallTime(mono_ns + self.offset_ns, self.valid)

    def call_at(self, when_ns: int, callback: Callable[[], None]) -> Timer:
        timer = _VirtualTimer(callback)
        heapq.heappush(self._timers, (when_ns, next(self._order), timer))
        return timer

    def stall(self, seconds: float) -> None:
        """Time passes and the loop stands still: no timer runs before the next `advance`."""
        self._now_ns += round(seconds * SECOND)

    def advance(self, seconds: float = 0.0, *, ns: int = 0) -> None:
        """Move on by `seconds` plus `ns`, running every timer that falls due, also those set meanwhile."""
        end = self._now_ns + round(seconds * SECOND) + ns
        while self._timers and self._timers[0][0] <= end:
            when, _, timer = heapq.heappop(self._timers)
            self._now_ns = max(self._now_ns, when)
            if timer.callback is not None:
                callback, timer.callback = timer.callback, None
                callback()
        self._now_ns = end
