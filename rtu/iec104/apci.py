"""Frames of IEC 60870-5-104, clause 5: start octet, length, four control octets and, in I frames, an ASDU.

Anything that is not exactly a frame of this table is refused with an APCIError and ends the connection: there is no
way back into step on a byte stream that went wrong once.

    format   octet 2             octet 3   octets 4, 5
    I        N(S) << 1           N(S)      N(R) << 1
    S        0x01                0x00      N(R) << 1
    U        one of UFunction    0x00      0x00 0x00
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct

from .asdu import HEADER_SIZE, MAX_ASDU

START = 0x68
MIN_LENGTH = 4
MAX_LENGTH = 253
MAX_APDU = 255
"""Octets of the longest frame, start and length octet included."""
SEQUENCE_MASK = 0x7FFF
"""Sequence numbers count modulo 32768."""

_APCI = Struct("<BBHH")
_S_CONTROL = 0x0001


class APCIError(ValueError):
    """The octets are no frame; the text says why."""


class UFunction(IntEnum):
    """The six unnumbered control functions, by the value of octet 2."""

    STARTDT_ACT = 0x07
    STARTDT_CON = 0x0B
    STOPDT_ACT = 0x13
    STOPDT_CON = 0x23
    TESTFR_ACT = 0x43
    TESTFR_CON = 0x83


_U_FUNCTIONS = {int(function): function for function in UFunction}


@dataclass(frozen=True, slots=True)
class IFrame:
    """Information: an ASDU with the send number `ns` and the receive number `nr`, both 0..32767."""

    ns: int
    nr: int
    asdu: bytes

    def encode(self) -> bytes:
        """Raises APCIError when a number or the length of the ASDU is out of range."""
        if not HEADER_SIZE <= len(self.asdu) <= MAX_ASDU:
            raise APCIError(
                f"an I frame carries {HEADER_SIZE}..{MAX_ASDU} octets of ASDU, not {len(self.asdu)}"
            )
        return (
            _APCI.pack(
                START,
                MIN_LENGTH + len(self.asdu),
                _number("N(S)", self.ns) << 1,
                _number("N(R)", self.nr) << 1,
            )
            + self.asdu
        )


@dataclass(frozen=True, slots=True)
class SFrame:
    """Supervisory: acknowledges every I frame before `nr`, 0..32767."""

    nr: int

    def encode(self) -> bytes:
        """Raises APCIError when the number is out of range."""
        return _APCI.pack(START, MIN_LENGTH, _S_CONTROL, _number("N(R)", self.nr) << 1)


@dataclass(frozen=True, slots=True)
class UFrame:
    """Unnumbered: starts, stops or tests the connection."""

    function: UFunction

    def encode(self) -> bytes:
        return _APCI.pack(START, MIN_LENGTH, self.function, 0)


Frame = IFrame | SFrame | UFrame


def decode_frame(octets: bytes) -> Frame:
    """The frame in `octets`, which must be one complete APDU. Raises APCIError."""
    if len(octets) < MAX_APDU - MAX_LENGTH + MIN_LENGTH:
        raise APCIError(f"a frame has at least 6 octets, not {len(octets)}")
    start, length, first, second = _APCI.unpack_from(octets)
    check_start(start)
    check_length(length)
    if length != len(octets) - 2:
        raise APCIError(f"length octet {length}, but {len(octets) - 2} octets follow it")
    if first & 1 == 0:
        if second & 1:
            raise APCIError("bit 1 of octet 4 of an I frame is set")
        if length < MIN_LENGTH + HEADER_SIZE:
            raise APCIError(
                f"I frame with {length - MIN_LENGTH} octets of ASDU, which is less than its header"
            )
        return IFrame(first >> 1, second >> 1, bytes(octets[6:]))
    kind = "U" if first & 2 else "S"
    if length != MIN_LENGTH:
        raise APCIError(f"{kind} frame with length octet {length} instead of {MIN_LENGTH}")
    if kind == "S":
        if first != _S_CONTROL or second & 1:
            raise APCIError(f"undefined bits in the control octets of an S frame: {octets[2:6].hex(' ')}")
        return SFrame(second >> 1)
    function = _U_FUNCTIONS.get(first)
    if function is None or second:
        raise APCIError(f"undefined control octets of a U frame: {octets[2:6].hex(' ')}")
    return UFrame(function)


def cut(octets: bytes) -> Iterator[bytes]:
    """The frames in octets that are nothing but whole valid frames, such as a link hands out."""
    at = 0
    while at < len(octets):
        end = at + 2 + octets[at + 1]
        yield octets[at:end]
        at = end


def check_start(octet: int) -> None:
    """Raises APCIError unless this octet starts a frame."""
    if octet != START:
        raise APCIError(f"start octet {octet:#04x} instead of {START:#04x}")


def check_length(octet: int) -> None:
    """Raises APCIError unless a frame can be that long."""
    if not MIN_LENGTH <= octet <= MAX_LENGTH:
        raise APCIError(f"length octet {octet} is not {MIN_LENGTH}..{MAX_LENGTH}")


class FrameSplitter:
    """Cuts a byte stream into frames by their length octet.

    It keeps at most the beginning of one frame between two calls, so a peer cannot make it grow.
    """

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    @property
    def unfinished(self) -> bytes:
        """What is kept of an incomplete frame, 0..254 octets."""
        return self._rest

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield each complete frame, then raise APCIError if what follows cannot be one.

        The error comes as soon as the wrong octet has been received, and comes again on every later call.
        Iterate to the end before feeding more; what was not asked for is dropped.
        """
        buffer = self._rest + data if self._rest else data
        self._rest = b""
        at, end = 0, len(buffer)
        while at < end:
            try:
                check_start(buffer[at])
                if at + 1 == end:
                    break
                check_length(buffer[at + 1])
            except APCIError:
                self._rest = bytes(buffer[at : at + 2])
                raise
            after = at + 2 + buffer[at + 1]
            if after > end:
                break
            yield buffer[at:after]
            at = after
        self._rest = bytes(buffer[at:])


def _number(name: str, value: int) -> int:
    if not 0 <= value <= SEQUENCE_MASK:
        raise APCIError(f"{name} must be 0..{SEQUENCE_MASK}, not {value}")
    return value
