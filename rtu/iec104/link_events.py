"""What a link tells its owner."""

import msgspec


class Started(msgspec.Struct, frozen=True):
    """I frames may flow. Also after a STARTDT act that took back a stop not yet confirmed."""


class Stopping(msgspec.Struct, frozen=True):
    """STOPDT act came, to a controlled station: nothing is asked for any more, though the stop is not confirmed yet."""


class Stopped(msgspec.Struct, frozen=True):
    """STOPDT is confirmed: no I frame is outstanding that the peer will still acknowledge."""


class AsduReceived(msgspec.Struct, frozen=True):
    """An I frame in sequence brought these octets; nothing of them has been checked."""

    octets: bytes


class Acknowledged(msgspec.Struct, frozen=True):
    """The peer has all own I frames up to this one, counted from 1 since the connection began."""

    upto: int


class Closed(msgspec.Struct, frozen=True):
    """The connection must be closed now: a violation or a time-out. Nothing follows this event."""

    reason: str


Event = Started | Stopping | Stopped | AsduReceived | Acknowledged | Closed
