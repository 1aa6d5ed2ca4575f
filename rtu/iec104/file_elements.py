"""The information elements of file transfer (IEC 60870-5-101, 7.2.6.28 to 7.2.6.38)."""

from typing import ClassVar, Self

from .element import BitElement, Element, Fields, flag, number

MAX_SEGMENT = 236
"""Data octets of the longest segment that fits an ASDU of 249 octets."""


class NOF(BitElement, frozen=True):
    """Name of file, 0 default: 1 transparent file, 2 disturbance data, 3 and 4 sequences, others by agreement."""

    name: int

    SIZE: ClassVar[int] = 2
    FIELDS: ClassVar[Fields] = (number("name", 1, 16),)


class NOS(BitElement, frozen=True):
    """Name of section, 1..255; 0 default."""

    name: int

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (number("name", 1, 8),)


class LOF(BitElement, frozen=True):
    """Length of a file or section in octets, 0..16777215."""

    length: int

    SIZE: ClassVar[int] = 3
    FIELDS: ClassVar[Fields] = (number("length", 1, 24),)


class FRQ(BitElement, frozen=True):
    """File ready qualifier: `negative` when the file is not available."""

    negative: bool = False

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (flag("negative", 8),)


class SRQ(BitElement, frozen=True):
    """Section ready qualifier: `not_ready` when the section cannot be sent."""

    not_ready: bool = False

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (flag("not_ready", 8),)


class SCQ(BitElement, frozen=True):
    """Select and call qualifier.

    `call`: 1 select, 2 request, 3 deactivate, 4 delete a file; 5 select, 6 request, 7 deactivate a section; 0 default.
    `error`: 0 none, 1 memory not available, 2 checksum failed, 3 unexpected service, 4 unexpected name of file,
    5 unexpected name of section.
    """

    call: int
    error: int = 0

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (number("call", 1, 4), number("error", 5, 8))


class LSQ(BitElement, frozen=True):
    """Last section or segment qualifier: 1 end of file, 3 end of section; 2 and 4 the same with deactivation."""

    lsq: int

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (number("lsq", 1, 8),)


class AFQ(BitElement, frozen=True):
    """Acknowledge qualifier: `ack` 1 file, 3 section, 2 and 4 the same negative; `error` as in SCQ."""

    ack: int
    error: int = 0

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (number("ack", 1, 4), number("error", 5, 8))


class CHS(BitElement, frozen=True):
    """Checksum: the sum of the data octets modulo 256."""

    checksum: int

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (number("checksum", 1, 8),)


class SOF(BitElement, frozen=True):
    """Status of file in a directory: `last` LFD, `directory` FOR (a subdirectory), `active` FA (being transferred)."""

    status: int = 0
    last: bool = False
    directory: bool = False
    active: bool = False

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (
        number("status", 1, 5),
        flag("last", 6),
        flag("directory", 7),
        flag("active", 8),
    )


class Segment(Element, frozen=True):
    """Length of segment (LOS) and its data, at most MAX_SEGMENT octets: the only element of variable length."""

    data: bytes

    SIZE: ClassVar[int] = 1

    def encode(self) -> bytes:
        if len(self.data) > MAX_SEGMENT:
            raise ValueError(f"Segment.data must be 0..{MAX_SEGMENT} octets, not {len(self.data)}")
        return bytes((len(self.data),)) + self.data

    @classmethod
    def decode(cls, octets: bytes, at: int = 0) -> Self:
        """Raises ValueError when fewer octets follow than LOS announces."""
        start, length = at + 1, octets[at]
        data = bytes(octets[start : start + length])
        if len(data) != length:
            raise ValueError(f"segment announces {length} octets, {len(data)} present")
        return cls(data)
