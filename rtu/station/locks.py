"""Locks of lock groups outlive the program: whatever restarts it, only an unlock on site takes one away.

They are remembered with the event log's commits, so a power cut within 20 ms of a lock may forget it; the lines are read
back before the next operation all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from rtu.events.log import EventLog
from rtu.events.rows import Scalar

_KEY = "locked."


def remembered(meta: Mapping[str, Scalar]) -> dict[str, str]:
    """Why each lock group is locked that was when the log was closed."""
    return {
        key.removeprefix(_KEY): str(reason) for key, reason in meta.items() if key.startswith(_KEY) and reason
    }


def remember(log: EventLog, lock_group: str, reason: str) -> None:
    """A lock group was locked for `reason`, or unlocked: ""."""
    if log.meta.get(_KEY + lock_group, "") != reason:
        log.remember(_KEY + lock_group, reason)


def forget_others(log: EventLog, lock_groups: Collection[str], record: Callable[..., object]) -> None:
    """A lock of a group that the station file has no more has no lines left; this is put on record."""
    for name, reason in remembered(log.meta).items():
        if name not in lock_groups:
            record("command.lock_removed", lock_group=name, reason=reason)
            remember(log, name, "")
