"""Application service data units: the header, the information objects, and the mirror of a request.

    ASDU.decode(octets)             all of it, as objects
    Header.decode(octets)           the first six octets, for the way to the handler
    mirror(octets, 44, negative=True)

An ASDU whose type is in no table raises UnknownType, to be answered with cause 44. Any other ASDUError says that the
length does not fit what the header announces: nothing of it may be executed and the connection is to be closed.
IEC 60870-5-101, 7.1 and 7.2, with the fixed lengths of IEC 60870-5-104, 7.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Self

from .catalogue import TYPES, Cause, TypeID, TypeInfo
from .elements import Element

MAX_ASDU = 249
"""Octets of the longest ASDU (IEC 60870-5-104, 5)."""
HEADER_SIZE = 6
IOA_SIZE = 3
MAX_IOA = 0xFFFFFF
GLOBAL_CA = 0xFFFF
"""Common address that means every logical station."""

_HEADER = Struct("<BBBBH")
_SQ = 0x80
_COUNT = 0x7F
_TEST = 0x80
_NEGATIVE = 0x40
_CAUSE = 0x3F


class ASDUError(ValueError):
    """The octets are no ASDU, or the ASDU cannot be put into octets."""


class UnknownType(ASDUError):
    """The type identification is in no table: its octets cannot be understood, only mirrored."""


@dataclass(frozen=True, slots=True)
class Header:
    """Data unit identifier: the first six octets of every ASDU.

    `sequence` is SQ: one address followed by `count` elements instead of `count` complete objects.
    """

    type_id: int
    sequence: bool
    count: int
    cause: int
    negative: bool
    test: bool
    originator: int
    ca: int

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Raises ASDUError when fewer than six octets are there; says nothing about the rest."""
        if len(octets) < HEADER_SIZE:
            raise ASDUError(f"an ASDU has at least {HEADER_SIZE} octets, not {len(octets)}")
        type_id, vsq, cause, originator, ca = _HEADER.unpack_from(octets)
        return cls(
            type_id,
            vsq >= _SQ,
            vsq & _COUNT,
            cause & _CAUSE,
            bool(cause & _NEGATIVE),
            cause >= _TEST,
            originator,
            ca,
        )


@dataclass(frozen=True, slots=True)
class InformationObject:
    """An address 0..16777215 and the elements found there, in the order of the type's layout."""

    ioa: int
    elements: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class ASDU:
    """One ASDU. `negative` is P/N, `test` is T, `sequence` is SQ, `originator` 0 when not used."""

    type_id: int
    cause: int
    ca: int
    objects: tuple[InformationObject, ...]
    originator: int = 0
    negative: bool = False
    test: bool = False
    sequence: bool = False

    def encode(self) -> bytes:
        """The octets. Raises UnknownType, ASDUError, or the ValueError of an element that is out of range."""
        info = type_info(self.type_id)
        _check_shape(info, self.sequence, len(self.objects))
        parts = [
            pack_header(
                self.type_id,
                self.sequence,
                len(self.objects),
                self.cause,
                self.originator,
                self.ca,
                self.negative,
                self.test,
            )
        ]
        first = self.objects[0].ioa
        for index, item in enumerate(self.objects):
            if tuple(map(type, item.elements)) != info.layout:
                given = ", ".join(type(element).__name__ for element in item.elements)
                wanted = ", ".join(element.__name__ for element in info.layout)
                raise ASDUError(f"{info.name} carries ({wanted}), not ({given})")
            if not self.sequence or index == 0:
                parts.append(pack_ioa(item.ioa))
            elif item.ioa != first + index or item.ioa > MAX_IOA:
                raise ASDUError(f"with SQ = 1 the address after {first + index - 1} cannot be {item.ioa}")
            parts.extend(element.encode() for element in item.elements)
        octets = b"".join(parts)
        if len(octets) > MAX_ASDU:
            raise ASDUError(f"an ASDU has at most {MAX_ASDU} octets, not {len(octets)}")
        return octets

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Raises UnknownType, or ASDUError when the length is not exactly what type and VSQ announce."""
        header = Header.decode(octets)
        info = type_info(header.type_id)
        _check_shape(info, header.sequence, header.count)
        _check_length(info, header, octets)
        return cls(
            header.type_id,
            header.cause,
            header.ca,
            tuple(_objects(info, header, octets)),
            header.originator,
            header.negative,
            header.test,
            header.sequence,
        )


def type_info(type_id: int) -> TypeInfo:
    """The row of a type. Raises UnknownType when the catalogue has none."""
    info = TYPES.get(type_id)
    if info is None:
        raise UnknownType(f"type identification {type_id} is not defined in 104")
    return info


def pack_header(
    type_id: int,
    sq: bool,
    n: int,
    cause: int,
    originator: int,
    ca: int,
    negative: bool = False,
    test: bool = False,
) -> bytes:
    """The six octets before the first information object. Raises ASDUError when a field is out of range."""
    if not 1 <= n <= _COUNT:
        raise ASDUError(f"an ASDU carries 1..{_COUNT} objects, not {n}")
    if not 0 <= cause <= _CAUSE:
        raise ASDUError(f"the cause of transmission must be 0..{_CAUSE}, not {cause}")
    try:
        return _HEADER.pack(type_id, n | sq << 7, cause | negative << 6 | test << 7, originator, ca)
    except struct.error:
        raise ASDUError(
            f"type {type_id} and originator {originator} must be 0..255, common address {ca} 0..65535"
        ) from None


def pack_ioa(ioa: int) -> bytes:
    """The three octets of an information object address. Raises ASDUError when it is not 0..16777215."""
    try:
        return ioa.to_bytes(IOA_SIZE, "little")
    except OverflowError:
        raise ASDUError(f"an information object address must be 0..{MAX_IOA}, not {ioa}") from None


def mirror(octets: bytes, cause: int, *, negative: bool, ca: int | None = None) -> bytes:
    """The reply that repeats a request: all octets the same but for cause and P/N, and the common address if given.

    T stays as it was. A request to the global address is confirmed by each station under its own `ca`.
    Raises ASDUError when the request has no complete header or the new fields are out of range.
    """
    if len(octets) < HEADER_SIZE:
        raise ASDUError(f"an ASDU has at least {HEADER_SIZE} octets, not {len(octets)}")
    if not 0 <= cause <= _CAUSE:
        raise ASDUError(f"the cause of transmission must be 0..{_CAUSE}, not {cause}")
    reply = bytearray(octets)
    reply[2] = octets[2] & _TEST | negative << 6 | cause
    if ca is not None:
        try:
            reply[4:6] = ca.to_bytes(2, "little")
        except OverflowError:
            raise ASDUError(f"a common address must be 0..65535, not {ca}") from None
    return bytes(reply)


def as_test(octets: bytes) -> bytes:
    """The same ASDU with T = 1."""
    return octets[:2] + bytes((octets[2] | _TEST,)) + octets[3:]


def _check_shape(info: TypeInfo, sequence: bool, count: int) -> None:
    """SQ and the number of objects must be among those the type allows."""
    if count == 0:
        raise ASDUError(f"{info.name} without an information object")
    if info.single_object and (sequence or count != 1):
        raise ASDUError(f"{info.name} carries one object with SQ = 0, not {count} with SQ = {sequence:d}")
    if sequence and not info.sq_allowed:
        raise ASDUError(f"{info.name} does not exist with SQ = 1")


def _check_length(info: TypeInfo, header: Header, octets: bytes) -> None:
    """Nothing missing and nothing left over, known before anything is read."""
    if header.sequence:
        expected = HEADER_SIZE + IOA_SIZE + header.count * info.size
    else:
        expected = HEADER_SIZE + header.count * (IOA_SIZE + info.size)
    if info.variable and len(octets) >= expected:
        # LOS is the last octet of the fixed part.
        expected += octets[expected - 1]
    if len(octets) != expected or len(octets) > MAX_ASDU:
        raise ASDUError(
            f"{info.name} with {header.count} objects and SQ = {header.sequence:d} has {expected} octets, "
            f"not {len(octets)}"
        )


def _objects(info: TypeInfo, header: Header, octets: bytes) -> Iterator[InformationObject]:
    at = HEADER_SIZE
    ioa = int.from_bytes(octets[at : at + IOA_SIZE], "little")
    if header.sequence and ioa + header.count - 1 > MAX_IOA:
        raise ASDUError(f"{header.count} consecutive addresses from {ioa} go beyond {MAX_IOA}")
    for index in range(header.count):
        if not header.sequence or index == 0:
            ioa = int.from_bytes(octets[at : at + IOA_SIZE], "little")
            at += IOA_SIZE
        else:
            ioa += 1
        elements = []
        for element in info.layout:
            elements.append(element.decode(octets, at))
            at += element.SIZE
        yield InformationObject(ioa, tuple(elements))


__all__ = [  # noqa: RUF022 - by the alphabet alone
    "ASDU", "ASDUError", "Cause", "GLOBAL_CA", "HEADER_SIZE", "Header", "IOA_SIZE", "InformationObject", "MAX_ASDU",
    "MAX_IOA", "TYPES", "TypeID", "TypeInfo", "UnknownType", "mirror", "pack_header", "pack_ioa", "type_info",
]  # fmt: skip
