"""What a link tells its owner."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Started:
    """I frames may flow. Also after a STARTDT act that took back a stop not yet confirmed."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """STOPDT act came, to a controlled station: nothing is asked for any more, though the stop is not confirmed yet."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """STOPDT is confirmed: no I frame is outstanding that the peer will still acknowledge."""


@dataclass(frozen=True, slots=True)
class AsduReceived:
    """An I frame in sequence brought these octets; nothing of them has been checked."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The peer has all own I frames up to this one, counted from 1 since the connection began."""

    upto: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection must be closed now: a violation or a time-out. Nothing follows this event."""

    reason: str


Event = Started | Stopping | Stopped | AsduReceived | Acknowledged | Closed
