"""Redundancy groups: at most one started connection each, and its own end of initialisation.

IEC 60870-5-104, 10: only the controlling station decides which of its connections is started. The
newest STARTDT wins; the connection that loses is closed before the new one is confirmed, so that
nothing it still had in flight can be taken for delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from rtu.events.group import Group
from rtu.iec104.asdu import pack_header
from rtu.iec104.catalogue import Cause, TypeID
from rtu.iec104.elements import COI

from .allowance import BURST, PER_SECOND, Allowance
from .sweep import Sweep


class Lessee(Protocol):
    """A connection that may hold the group."""

    def supersede(self) -> None:
        """Another connection of the group was started: close this one now."""
        ...

    def wake(self) -> None:
        """There is something new to send."""
        ...


class RedundancyGroup:
    """One controlling system: its events, and the connection that is started, if any."""

    def __init__(self, events: Group, common_addresses: Iterable[int]) -> None:
        self.name = events.name
        self.events = events
        self.holder: Lessee | None = None
        self._to_announce = dict.fromkeys(common_addresses)
        self._announced: list[int] = []
        # Of the group and not of a connection: a new connection renews neither.
        self.commands = Allowance(BURST, PER_SECOND)
        self.sweep = Sweep()

    def take(self, session: Lessee) -> None:
        """`session` was started. Whoever held the group is closed, its unacknowledged rows go back."""
        loser = self.holder
        if loser is not None and loser is not session:
            loser.supersede()
        self.holder = session

    def give_up(self, session: Lessee) -> None:
        """`session` was stopped or closed: what it did not get acknowledged will be sent again."""
        if self.holder is session:
            self.holder = None
            self.events.release()
            for ca in self._announced:
                self._to_announce[ca] = None
            self._announced.clear()

    def wake(self) -> None:
        if self.holder is not None:
            self.holder.wake()

    def end_of_initialisation(self, initialisation: COI) -> tuple[bytes, Callable[[], None]] | None:
        """The next M_EI_NA_1 owed to this group and what to call when it is acknowledged.

        One per common address and start of the station, before anything else, never twice once
        acknowledged (IEC 60870-5-101, 7.3.3.1).
        """
        for ca in self._to_announce:
            del self._to_announce[ca]
            self._announced.append(ca)
            header = pack_header(TypeID.M_EI_NA_1, False, 1, Cause.INIT, 0, ca)
            return header + bytes(3) + initialisation.encode(), partial(self._announced.remove, ca)
        return None
