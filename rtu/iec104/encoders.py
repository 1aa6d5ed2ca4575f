"""The elements that change often, encoded by plain functions: what the way from an input to its I frame calls.

Each gives the octets of the value and its quality together, exactly as the elements of the same name do, and raises
ValueError when a value is out of range. `quality` is made of the constants OV to IV.
"""

import math
import struct
from struct import Struct

_INT16_QDS = Struct("<hB").pack
_BITS_QDS = Struct("<IB").pack
_FLOAT_QDS = Struct("<fB").pack
_COUNTER = Struct("<iB").pack
_VTI_QDS = Struct("<BB").pack

# Bits that no quality may have: they would read as another value.
_NOT_QDS = ~0xF1


def encode_vti(value: int, transient: bool = False, quality: int = 0) -> bytes:
    """VTI and QDS of a step position -64..63."""
    if quality & _NOT_QDS:
        raise _bad_quality(quality)
    if not -64 <= value <= 63:
        raise ValueError(f"VTI.value must be -64..63, not {value}")
    return _VTI_QDS(value & 0x7F | transient << 7, quality)


def encode_bsi(bits: int, quality: int = 0) -> bytes:
    """BSI and QDS of a bitstring of 32 bits."""
    if quality & _NOT_QDS:
        raise _bad_quality(quality)
    try:
        return _BITS_QDS(bits, quality)
    except struct.error:
        raise ValueError(f"BSI.bits must be 0..4294967295, not {bits}") from None


def encode_nva(raw: int, quality: int = 0) -> bytes:
    """NVA and QDS of a normalised value, `raw` = value * 32768."""
    if quality & _NOT_QDS:
        raise _bad_quality(quality)
    try:
        return _INT16_QDS(raw, quality)
    except struct.error:
        raise ValueError(f"NVA.raw must be -32768..32767, not {raw}") from None


def encode_sva(value: int, quality: int = 0) -> bytes:
    """SVA and QDS of a scaled value."""
    if quality & _NOT_QDS:
        raise _bad_quality(quality)
    try:
        return _INT16_QDS(value, quality)
    except struct.error:
        raise ValueError(f"SVA.value must be -32768..32767, not {value}") from None


def encode_r32(value: float, quality: int = 0) -> bytes:
    """R32 and QDS of a finite short float."""
    if quality & _NOT_QDS:
        raise _bad_quality(quality)
    if not math.isfinite(value):
        raise ValueError(f"R32.value must be finite, not {value}")
    try:
        return _FLOAT_QDS(value, quality)
    except OverflowError:
        raise ValueError(f"R32.value {value!r} is beyond single precision") from None


def encode_bcr(
    count: int, sequence: int = 0, carry: bool = False, adjusted: bool = False, invalid: bool = False
) -> bytes:
    """BCR of a counter reading."""
    if sequence & ~31:
        raise ValueError(f"BCR.sequence must be 0..31, not {sequence}")
    try:
        return _COUNTER(count, sequence | carry << 5 | adjusted << 6 | invalid << 7)
    except struct.error:
        raise ValueError(f"BCR.count must be -2147483648..2147483647, not {count}") from None


def _bad_quality(quality: int) -> ValueError:
    return ValueError(f"quality {quality:#04x} has bits this element does not carry")
