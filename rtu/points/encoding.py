"""From a value and its quality to the octets of its information element, one function per form.

These never fail: what does not fit is clamped and marked OV, what is not a number is sent as 0 with IV
(IEC 60870-5-101, 7.2.6). Functions of states are table look-ups, they lie on the way of every event.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from rtu.iec104.elements import encode_bcr, encode_bsi, encode_nva, encode_r32, encode_sva, encode_vti

from .model import IV, OV

Encode = Callable[[float, int], bytes]

_OCTETS = tuple(bytes((octet,)) for octet in range(256))
_POINT = 0xF0  # SIQ and DIQ have no OV
_QDS = 0xF1
_MAX_SINGLE = (2 - 2**-23) * 2.0**127


def encode_single(value: float, quality: int) -> bytes:
    """SIQ; anything but 0 is ON."""
    return _OCTETS[quality & _POINT | (1 if value else 0)]


def encode_double(value: float, quality: int) -> bytes:
    """DIQ of a state 0..3."""
    return _OCTETS[quality & _POINT | int(value) & 3]


def encode_step(value: float, quality: int) -> bytes:
    """VTI and QDS of a position -64..63."""
    whole, quality = _whole(value, quality, -64, 63)
    return encode_vti(whole, False, quality)


def encode_bitstring(value: float, quality: int) -> bytes:
    """BSI and QDS of a 32-bit word."""
    whole, quality = _whole(value, quality, 0, 0xFFFF_FFFF)
    return encode_bsi(whole, quality)


def encode_float(value: float, quality: int) -> bytes:
    """R32 and QDS."""
    quality &= _QDS
    if not math.isfinite(value):
        return encode_r32(0.0, quality | IV)
    if abs(value) > _MAX_SINGLE:
        return encode_r32(math.copysign(_MAX_SINGLE, value), quality | OV)
    return encode_r32(value, quality)


def scaled(resolution: float) -> Encode:
    """SVA and QDS of engineering units in steps of `resolution` (greater than 0)."""

    def encode_scaled(value: float, quality: int) -> bytes:
        whole, quality = _whole(value / resolution, quality, -32768, 32767)
        return encode_sva(whole, quality)

    return encode_scaled


def normalized(nominal: float) -> Encode:
    """NVA and QDS of engineering units whose `nominal` (greater than 0) is 1.0.

    The element ends one step short of 1.0: that much is not called an overflow.
    """

    def encode_normalized(value: float, quality: int) -> bytes:
        whole, quality = _whole(value / nominal * 32768, quality, -32768, 32768)
        return encode_nva(min(whole, 32767), quality)

    return encode_normalized


def normalized_alone(nominal: float) -> Encode:
    """NVA without quality, for M_ME_ND_1: that a value is bad, or beyond its range, cannot be told."""
    qualified = normalized(nominal)

    def encode_normalized_alone(value: float, quality: int) -> bytes:
        return qualified(value, quality)[:2]

    return encode_normalized_alone


def encode_counter(value: float, quality: int) -> bytes:
    """BCR of a running total: modulo 2**32 as a signed number, sequence 0. Of the quality only IV is carried."""
    return encode_bcr((int(value) + 2**31) % 2**32 - 2**31, invalid=bool(quality & IV))


def _whole(value: float, quality: int, low: int, high: int) -> tuple[int, int]:
    quality &= _QDS
    if isinstance(value, int):
        whole = value
    elif math.isfinite(value):
        whole = round(value)
    else:
        return 0, quality | IV
    if whole < low:
        return low, quality | OV
    if whole > high:
        return high, quality | OV
    return whole, quality
