"""The information elements of IEC 60870-5-101, 7.2.6, each a small frozen dataclass named as in the standard.

    SIQ(spi=True, quality=IV).encode()        -> b"\\x81"
    SIQ.decode(b"\\x81")                       -> SIQ(spi=True, quality=128)

The elements of file transfer and the time tags have files of their own; they can be imported from here too, as can
the plain functions that encode the elements which change often.
"""

import math
from struct import Struct
from typing import ClassVar, Self

from .element import BitElement, Element, Fields, flag, number, quality_bits
from .encoders import (
    encode_bcr,
    encode_bsi,
    encode_nva,
    encode_r32,
    encode_sva,
    encode_vti,
)
from .file_elements import AFQ, CHS, FRQ, LOF, LSQ, MAX_SEGMENT, NOF, NOS, SCQ, SOF, SRQ, Segment
from .time_tags import CP16Time2a, CP56Time2a, encode_cp56

OV = 0x01
"""Overflow: the value is beyond its range (QDS only)."""
EI = 0x08
"""Elapsed time invalid (protection equipment only)."""
BL = 0x10
"""Blocked: the value is held as it was before blocking."""
SB = 0x20
"""Substituted: entered by hand or by an automatic source."""
NT = 0x40
"""Not topical: the last update failed or did not come in time."""
IV = 0x80
"""Invalid: the value must not be used."""

_POINT = BL | SB | NT | IV
_FLOAT = Struct("<f")

# Process information in monitor direction


class SIQ(BitElement, frozen=True):
    """Single point with quality: `spi` False is OFF, True is ON."""

    spi: bool
    quality: int = 0

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (flag("spi", 1), quality_bits(_POINT))


class DIQ(BitElement, frozen=True):
    """Double point with quality: `dpi` 0 intermediate, 1 OFF, 2 ON, 3 indeterminate."""

    dpi: int
    quality: int = 0

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (number("dpi", 1, 2), quality_bits(_POINT))


class QDS(BitElement, frozen=True):
    """Quality descriptor: OV, BL, SB, NT, IV."""

    quality: int = 0

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (quality_bits(OV | _POINT),)


class QDP(BitElement, frozen=True):
    """Quality descriptor of protection equipment: EI, BL, SB, NT, IV."""

    quality: int = 0

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (quality_bits(EI | _POINT),)


class VTI(BitElement, frozen=True):
    """Step position -64..63; `transient` while the equipment moves."""

    value: int
    transient: bool = False

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (number("value", 1, 7, signed=True), flag("transient", 8))


class BSI(BitElement, frozen=True):
    """Bitstring of 32 bits; bit 1 of the standard is 0x00000001."""

    bits: int

    SIZE: ClassVar[int] = 4
    FIELDS: ClassVar[Fields] = (number("bits", 1, 32),)


class NVA(BitElement, frozen=True):
    """Normalised value: `raw` -32768..32767 stands for -1 .. 1 - 2**-15."""

    raw: int

    SIZE: ClassVar[int] = 2
    FIELDS: ClassVar[Fields] = (number("raw", 1, 16, signed=True),)

    @property
    def value(self) -> float:
        """The number this stands for, raw / 32768."""
        return self.raw / 32768


class SVA(BitElement, frozen=True):
    """Scaled value -32768..32767; its unit and resolution are agreed outside the protocol."""

    value: int

    SIZE: ClassVar[int] = 2
    FIELDS: ClassVar[Fields] = (number("value", 1, 16, signed=True),)


class R32(Element, frozen=True):
    """Short floating point number (IEEE 754 single precision).

    NaN and infinity cannot be encoded; decoding keeps them so that a set-point handler can refuse them.
    """

    value: float

    SIZE: ClassVar[int] = 4

    def encode(self) -> bytes:
        if not math.isfinite(self.value):
            raise ValueError(f"R32.value must be finite, not {self.value}")
        try:
            return _FLOAT.pack(self.value)
        except OverflowError:
            raise ValueError(f"R32.value {self.value!r} is beyond single precision") from None

    @classmethod
    def decode(cls, octets: bytes, at: int = 0) -> Self:
        (value,) = _FLOAT.unpack_from(octets, at)
        return cls(value)


class BCR(BitElement, frozen=True):
    """Binary counter reading: a signed 32 bit count and the number 0..31 of its freeze.

    `carry` CY: the counter overflowed in the period; `adjusted` CA: it was set by hand; `invalid` IV.
    """

    count: int
    sequence: int = 0
    carry: bool = False
    adjusted: bool = False
    invalid: bool = False

    SIZE: ClassVar[int] = 5
    FIELDS: ClassVar[Fields] = (
        number("count", 1, 32, signed=True),
        number("sequence", 33, 37),
        flag("carry", 38),
        flag("adjusted", 39),
        flag("invalid", 40),
    )


class SCD(BitElement, frozen=True):
    """16 packed single points and, for each, whether it changed since it was last reported."""

    status: int
    changed: int

    SIZE: ClassVar[int] = 4
    FIELDS: ClassVar[Fields] = (number("status", 1, 16), number("changed", 17, 32))


class SEP(BitElement, frozen=True):
    """Single event of protection equipment: `state` 0 indeterminate, 1 OFF, 2 ON, 3 indeterminate."""

    state: int
    quality: int = 0

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (number("state", 1, 2), quality_bits(EI | _POINT))


class SPE(BitElement, frozen=True):
    """Start events of protection equipment, one bit each from 0x01: GS, SL1, SL2, SL3, SIE, SRD."""

    starts: int

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (number("starts", 1, 6),)


class OCI(BitElement, frozen=True):
    """Output circuits of protection equipment, one bit each from 0x01: GC, CL1, CL2, CL3."""

    commands: int

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (number("commands", 1, 4),)


# Process information in control direction. `qu` is 0 by configuration, 1 short pulse, 2 long pulse, 3 persistent;
# `select` is the bit S/E: True selects, False executes.


class SCO(BitElement, frozen=True):
    """Single command: `scs` False is OFF, True is ON."""

    scs: bool
    qu: int = 0
    select: bool = False

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (flag("scs", 1), number("qu", 3, 7), flag("select", 8))


class DCO(BitElement, frozen=True):
    """Double command: `dcs` 1 is OFF, 2 is ON; a station must refuse 0 and 3."""

    dcs: int
    qu: int = 0
    select: bool = False

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (number("dcs", 1, 2), number("qu", 3, 7), flag("select", 8))


class RCO(BitElement, frozen=True):
    """Regulating step command: `rcs` 1 is lower, 2 is higher; a station must refuse 0 and 3."""

    rcs: int
    qu: int = 0
    select: bool = False

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (number("rcs", 1, 2), number("qu", 3, 7), flag("select", 8))


class QOS(BitElement, frozen=True):
    """Qualifier of set-point: `ql` 0 default, 1..63 reserved, 64..127 private."""

    ql: int = 0
    select: bool = False

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (number("ql", 1, 7), flag("select", 8))


# System information and parameters


class COI(BitElement, frozen=True):
    """Cause of initialisation: 0 power on, 1 local reset, 2 remote reset; `changed` after a change of parameters."""

    cause: int
    changed: bool = False

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (number("cause", 1, 7), flag("changed", 8))


class QOI(BitElement, frozen=True):
    """Qualifier of interrogation: 20 station, 21..36 group 1..16."""

    qoi: int

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (number("qoi", 1, 8),)


class QCC(BitElement, frozen=True):
    """Qualifier of counter interrogation.

    `rqt` 1..4 counter group, 5 general; `frz` 0 read, 1 freeze, 2 freeze with reset, 3 reset.
    """

    rqt: int
    frz: int = 0

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (number("rqt", 1, 6), number("frz", 7, 8))


class QPM(BitElement, frozen=True):
    """Qualifier of parameter.

    `kpa` 1 threshold, 2 smoothing factor, 3 low limit, 4 high limit; `lpc` changed locally; `pop` NOT in operation.
    """

    kpa: int
    lpc: bool = False
    pop: bool = False

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (number("kpa", 1, 6), flag("lpc", 7), flag("pop", 8))


class QPA(BitElement, frozen=True):
    """Qualifier of parameter activation: 1 loaded parameters, 2 of the object, 3 cyclic transmission of the object."""

    qpa: int

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (number("qpa", 1, 8),)


class QRP(BitElement, frozen=True):
    """Qualifier of reset process: 1 general reset, 2 reset of the time tagged information in the event buffer."""

    qrp: int

    SIZE: ClassVar[int] = 1
    FIELDS: ClassVar[Fields] = (number("qrp", 1, 8),)


class FBP(BitElement, frozen=True):
    """Fixed test pattern 0x55AA of the test command without time tag, which 104 does not use."""

    pattern: int = 0x55AA

    SIZE: ClassVar[int] = 2
    FIELDS: ClassVar[Fields] = (number("pattern", 1, 16),)


class TSC(BitElement, frozen=True):
    """Test sequence counter 0..65535."""

    counter: int

    SIZE: ClassVar[int] = 2
    FIELDS: ClassVar[Fields] = (number("counter", 1, 16),)


__all__ = [  # noqa: RUF022 - elements, then encoders
    "AFQ", "BCR", "BL", "BSI", "CHS", "COI", "CP16Time2a", "CP56Time2a", "DCO", "DIQ", "EI", "FBP", "FRQ", "IV",
    "LOF", "LSQ", "MAX_SEGMENT", "NOF", "NOS", "NT", "NVA", "OCI", "OV", "QCC", "QDP", "QDS", "QOI", "QOS", "QPA",
    "QPM", "QRP", "R32", "RCO", "SB", "SCD", "SCO", "SCQ", "SEP", "SIQ", "SOF", "SPE", "SRQ", "SVA", "TSC", "VTI",
    "Element", "Segment", "encode_bcr", "encode_bsi", "encode_cp56", "encode_nva", "encode_r32", "encode_sva",
    "encode_vti",
]  # fmt: skip
