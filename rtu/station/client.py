"""What an application function sees of the connection a request came from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rtu.config.schema import Role
from rtu.events.group import Position

from .groups import RedundancyGroup
from .refusals import Refusals
from .transmission import Transmission


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end, as admitted: `role` is already the least of all that limit it.

    `commands` are the names and patterns of those it may give; None stands for all its role allows.
    """

    master: str
    address: str
    role: Role
    group: str
    commands: tuple[str, ...] | None = None


class Client(Protocol):
    """A started connection. It may end at any time; what is owed to it is then dropped."""

    def __hash__(self) -> int: ...

    @property
    def peer(self) -> Peer: ...

    @property
    def group(self) -> RedundancyGroup: ...

    @property
    def transmission(self) -> Transmission: ...

    @property
    def refusals(self) -> Refusals: ...

    def reply(
        self, octets: bytes, after: Position | None = None, acknowledged: Callable[[], None] | None = None
    ) -> None:
        """Owe it an ASDU, not to be sent before the states of its group up to `after`.

        `acknowledged` is called when it has arrived; never, if the connection ends before.
        """
        ...
