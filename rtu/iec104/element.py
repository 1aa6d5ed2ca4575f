"""What an information element is: named bit fields in a fixed number of octets.

IEC 60870-5-4 sends the least significant octet first, so an element is one little-endian integer and a field is a run
of its bits. An element therefore states its octets and its fields, and is encoded and decoded from that statement.
Bits count from 1 as in the standard: bit 1 is 0x01 of the first octet, bit 9 is 0x01 of the second.

Ranges are checked when an element is encoded, never when it is decoded: what the peer wrote stays visible so that a
handler can refuse it and name it. Reserved bits are sent as 0 and ignored on receipt.
"""

from typing import ClassVar, Self

import msgspec


class Element(msgspec.Struct, frozen=True):
    """One information element (IEC 60870-5-101, 7.2.6)."""

    SIZE: ClassVar[int]
    """Octets on the wire; for an element of variable length the least possible."""

    def encode(self) -> bytes:
        """The octets of this element. Raises ValueError naming the field that is out of range."""
        raise NotImplementedError

    @classmethod
    def decode(cls, octets: bytes, at: int = 0) -> Self:
        """Read the element whose first octet is `octets[at]`; the caller made sure that SIZE octets are there."""
        raise NotImplementedError


class Field(msgspec.Struct, frozen=True):
    """A run of bits: `mask` says where it lies, `shift` how far its value is moved to get there."""

    name: str
    mask: int
    shift: int = 0
    signed: bool = False
    single: bool = False

    def pack(self, element: str, value: int) -> int:
        """The value at its place in the element. Raises ValueError when it does not fit."""
        if self.signed:
            limit = ((self.mask >> self.shift) + 1) // 2
            if not -limit <= value < limit:
                raise ValueError(f"{element}.{self.name} must be {-limit}..{limit - 1}, not {value}")
            return (value << self.shift) & self.mask
        word = value << self.shift
        if word & ~self.mask:
            most = self.mask >> self.shift
            if most & (most + 1):
                raise ValueError(f"{element}.{self.name} may only have bits of {most:#04x}, not {value:#04x}")
            raise ValueError(f"{element}.{self.name} must be 0..{most}, not {value}")
        return word

    def unpack(self, word: int) -> int:
        """The value of this field in the element."""
        value = (word & self.mask) >> self.shift
        if self.single:
            return bool(value)
        if self.signed and value > self.mask >> self.shift >> 1:
            return value - (self.mask >> self.shift) - 1
        return value


def number(name: str, first: int, last: int, *, signed: bool = False) -> Field:
    """A number in the bits `first` to `last`; two's complement when signed."""
    return Field(name, (1 << last) - (1 << first - 1), first - 1, signed)


def flag(name: str, bit: int) -> Field:
    """A single bit, True when set."""
    return Field(name, 1 << bit - 1, bit - 1, single=True)


def quality_bits(mask: int) -> Field:
    """The quality bits of `mask`, kept at their place so that they compare with the constants OV to IV."""
    return Field("quality", mask)


Fields = tuple[Field, ...]


class BitElement(Element, frozen=True):
    """An element that is nothing but bit fields."""

    FIELDS: ClassVar[Fields]

    def encode(self) -> bytes:
        word = 0
        for field in self.FIELDS:
            word |= field.pack(type(self).__name__, getattr(self, field.name))
        return word.to_bytes(self.SIZE, "little")

    @classmethod
    def decode(cls, octets: bytes, at: int = 0) -> Self:
        word = int.from_bytes(octets[at : at + cls.SIZE], "little")
        return cls(**{field.name: field.unpack(word) for field in cls.FIELDS})
