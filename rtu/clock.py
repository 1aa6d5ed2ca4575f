"""Time for everything above the protocol: one monotonic clock, one wall time, one timer wheel.

Every stamp inside the station is CLOCK_MONOTONIC in nanoseconds, the clock the kernel stamps
GPIO edges with; it never jumps. Wall time is worked out once, when an event is made, and carries
whether it may be trusted (the IV bit of CP56Time2a, IEC 60870-5-101, 7.2.6.18).

What was stamped before anybody knew the time can be made right later, as long as all of it is wrong by the same amount:

    hold()     one provisional offset for everybody; all times invalid
    settle()   the first synchronisation: how far off that was, told once; from now on the discipline is asked

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
from weakref import WeakSet

SECOND = 1_000_000_000
MILLISECOND = 1_000_000

QUICK_NS = 100_000
"""Reading two clocks takes a few microseconds; what takes longer than this was interrupted."""


EARLIEST_NS = 946_771_200 * SECOND
"""2000-01-02: from here on a time tag without a century can be told from one of another, in any zone."""

_LAST_NS = 4_102_358_400 * SECOND  # 2099-12-31


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

    @property
    def settled(self) -> bool:
        """False from `hold` to the first synchronisation."""
        ...

    def settle(self) -> int | None:
        """At the first synchronisation: how much later than it was taken for it is, nanoseconds. Otherwise None."""
        ...


class Discipline(Protocol):
    """Who sets the wall clock, and whether it may be trusted: one per `[clock] source`."""

    def offset(self, now_ns: int) -> int:
        """Wall time minus monotonic time, nanoseconds."""
        ...

    def synchronised(self, now_ns: int) -> bool:
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
    """`source = "ntp"`: some time service disciplines the kernel, and the kernel knows how well (adjtimex(2)).

    The kernel's `maxerror` grows by 500 us/s since the last update, and is 16 s before the first one and after
    somebody set the clock by hand; the clock is trusted while it is below `max_error_ns` and the kernel does not say
    that it is unsynchronised.
    """

    _INS = 1  # a leap second comes at the end of the day
    _OOP = 3  # it is being inserted: 23:59:60 has no CP56Time2a
    _ERROR = 5  # not synchronised
    _VALID_FOR_NS = SECOND // 10
    _SHARED_FOR_NS = 5 * MILLISECOND

    def __init__(self, max_error_ns: int) -> None:
        self._max_error_us = max_error_ns // 1000
        self._timex = _Timex()
        self._adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
        self._ask_at_ns = 0
        self._good = False
        self._offset_ns = 0
        self._read_at_ns = 0

    def offset(self, now_ns: int) -> int:
        # A burst of events shares a reading: the kernel slews by 2.5 us at most in that time.
        if now_ns >= self._read_at_ns:
            self._offset_ns = system_offset_ns()
            self._read_at_ns = now_ns + self._SHARED_FOR_NS
        return self._offset_ns

    def synchronised(self, now_ns: int) -> bool:
        if now_ns >= self._ask_at_ns:
            self._timex.modes = 0
            state = self._adjtimex(ctypes.byref(self._timex))
            trusted = state >= 0 and state not in (self._OOP, self._ERROR)
            self._good = trusted and self._timex.maxerror < self._max_error_us
            # On the day of a leap second every event asks: the second is over before long.
            self._ask_at_ns = now_ns + (0 if state in (self._INS, self._OOP) else self._VALID_FOR_NS)
        return self._good


class MasterDiscipline:
    """`source = "master"`: C_CS_NA_1 sets an offset inside this process; the system clock stays.

    The time is trusted for `valid_for_ns` after a setting (IEC 60870-5-5, 6.7). Before the first one it is that of
    `system`, untrusted.
    """

    def __init__(self, valid_for_ns: int, system: Callable[[], int] = system_offset_ns) -> None:
        self._valid_for_ns = valid_for_ns
        self._system = system
        self._offset_ns: int | None = None
        self._set_ns = 0

    def set(self, unix_ns: int, mono_ns: int) -> None:
        """From now on the wall time at `mono_ns` is `unix_ns`."""
        self._offset_ns = unix_ns - mono_ns
        self._set_ns = mono_ns

    def offset(self, now_ns: int) -> int:
        return self._system() if self._offset_ns is None else self._offset_ns

    def synchronised(self, now_ns: int) -> bool:
        return self._offset_ns is not None and now_ns - self._set_ns < self._valid_for_ns


class FreeDiscipline:
    """`source = "none"`: nobody sets the clock, so every time tag carries IV."""

    def offset(self, now_ns: int) -> int:
        return system_offset_ns()

    def synchronised(self, now_ns: int) -> bool:
        return False


class _WallClock:
    """What the real and the virtual clock make of their discipline."""

    def __init__(self, discipline: Discipline) -> None:
        self.discipline = discipline
        self._held_ns: int | None = None

    def now_ns(self) -> int:
        raise NotImplementedError

    def hold(self, told_ns: int) -> None:
        """Until `settle` all wall times are invalid and have one offset: that of this moment.

        It is the machine's, but never goes back behind `told_ns`, the last time known to have been told (nanoseconds
        since 1970; 0 for none): a board without a battery does not know how long it was off.
        """
        now = self.now_ns()
        system_ns = now + self.discipline.offset(now)
        possible = [unix_ns for unix_ns in (system_ns, told_ns) if EARLIEST_NS <= unix_ns < _LAST_NS]
        self._held_ns = max(possible, default=EARLIEST_NS) - now

    @property
    def settled(self) -> bool:
        return self._held_ns is None

    def settle(self) -> int | None:
        """What the provisional offset lacked, nanoseconds, at the first synchronisation after `hold`; otherwise None."""
        held_ns, now = self._held_ns, self.now_ns()
        if held_ns is None or not self.discipline.synchronised(now):
            return None
        self._held_ns = None
        return self.discipline.offset(now) - held_ns

    def wall(self, mono_ns: int) -> WallTime:
        held_ns = self._held_ns
        if held_ns is not None:
            return WallTime(mono_ns + held_ns, False)
        discipline, now = self.discipline, self.now_ns()
        return WallTime(mono_ns + discipline.offset(now), discipline.synchronised(now))


class SystemClock(_WallClock):
    """The machine's clocks, with timers on the running asyncio loop."""

    def __init__(self, discipline: Discipline, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(discipline)
        self._loop = loop
        self._stopped = False
        self._timers: WeakSet[asyncio.TimerHandle] = WeakSet()

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def call_at(self, when_ns: int, callback: Callable[[], None]) -> Timer:
        # asyncio's loop.time() is CLOCK_MONOTONIC too.
        timer = self._loop.call_at(when_ns / SECOND, self._run, callback)
        self._timers.add(timer)
        return timer

    def stop(self) -> None:
        """No timer runs any more, whoever set it: the station they belong to is over, and none may keep it in memory."""
        self._stopped = True
        for timer in self._timers:
            timer.cancel()

    def _run(self, callback: Callable[[], None]) -> None:
        if not self._stopped:
            callback()


class _VirtualTimer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class VirtualClock(_WallClock):
    """A clock that stands still until `advance`; timers run in order, each at its own instant.

    Without another discipline it is its own: `offset_ns` and `valid` are what a test says they are.
    """

    def __init__(
        self,
        *,
        start_ns: int = SECOND,
        unix_ns: int = 1_784_116_800 * SECOND,
        discipline: Discipline | None = None,
    ) -> None:
        super().__init__(discipline or self)
        self._now_ns = start_ns
        self.offset_ns = unix_ns - start_ns
        self.valid = True
        self._timers: list[tuple[int, int, _VirtualTimer]] = []
        self._order = itertools.count()

    def now_ns(self) -> int:
        return self._now_ns

    def offset(self, now_ns: int) -> int:
        return self.offset_ns

    def synchronised(self, now_ns: int) -> bool:
        return self.valid

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
