"""The time certificates are judged by: the machine's, never what a master tells the station.

A board without a battery wakes up in the past. Until its clock has been synchronised once, it must not find every
certificate "not yet valid" and keep everybody out who could set it; afterwards it counts as any other.
"""

from __future__ import annotations

import time

from rtu.clock import SECOND, Discipline, KernelDiscipline, WallTime

GOOD_ENOUGH_NS = 16 * SECOND
"""The error the kernel gives a clock that nobody has synchronised."""


class CertificateTime:
    """Call it for the time of now; `valid` once some time service has synchronised the machine, from then on for good."""

    def __init__(self, kernel: Discipline | None = None) -> None:
        self._kernel = kernel or KernelDiscipline(GOOD_ENOUGH_NS)
        self._synchronised = False

    def __call__(self) -> WallTime:
        if not self._synchronised:
            self._synchronised = self._kernel.synchronised(time.monotonic_ns())
        return WallTime(time.time_ns(), self._synchronised)
