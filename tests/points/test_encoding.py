"""Encoding: every value becomes a legal element, with OV or IV where it did not fit."""

from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtu.iec104.elements import BCR, BSI, DIQ, NVA, QDS, R32, SIQ, SVA, VTI
from rtu.points import encoding
from rtu.points.model import BL, GOOD, IV, NT, OV, SB

QUALITIES = [sum(bits) for bits in product((0, OV), (0, BL), (0, SB), (0, NT), (0, IV))]
ANY = st.floats() | st.integers(-(2**40), 2**40)


@pytest.mark.parametrize("quality", QUALITIES)
def test_points_carry_state_and_quality_but_no_overflow(quality: int) -> None:
    for spi in (0, 1):
        assert encoding.encode_single(spi, quality) == SIQ(bool(spi), quality & ~OV).encode()
    for dpi in range(4):
        assert encoding.encode_double(dpi, quality) == DIQ(dpi, quality & ~OV).encode()


@pytest.mark.parametrize(
    ("value", "raw", "quality"),
    [
        (0, 0, GOOD),
        (200, 16384, GOOD),
        (400, 32767, GOOD),
        (-400, -32768, GOOD),
        (401, 32767, OV),
        (-500, -32768, OV),
    ],
)
def test_normalized_is_a_share_of_the_nominal_value(value: float, raw: int, quality: int) -> None:
    assert encoding.normalized(400)(value, GOOD) == NVA(raw).encode() + QDS(quality).encode()


@pytest.mark.parametrize(
    ("value", "steps", "quality"),
    [(12.34, 123, GOOD), (-0.1, -1, GOOD), (3276.7, 32767, GOOD), (3276.9, 32767, OV), (-4000, -32768, OV)],
)
def test_scaled_counts_steps_of_its_resolution(value: float, steps: int, quality: int) -> None:
    assert encoding.scaled(0.1)(value, GOOD) == SVA(steps).encode() + QDS(quality).encode()


def test_a_float_beyond_single_precision_is_clamped_with_overflow() -> None:
    octets = encoding.encode_float(-1e300, GOOD)
    assert octets[4] == OV
    assert R32.decode(octets).value == pytest.approx(-3.4028234e38)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_sent_as_zero_with_iv(value: float) -> None:
    for encode in (encoding.encode_float, encoding.scaled(1), encoding.normalized(1), encoding.encode_step):
        octets = encode(value, GOOD)
        assert octets[-1] == IV
        assert not any(octets[:-1])


@pytest.mark.parametrize(
    ("total", "count"), [(5, 5), (2**31 - 1, 2**31 - 1), (2**31, -(2**31)), (2**32 + 7, 7)]
)
def test_a_counter_is_sent_modulo_32_bits(total: int, count: int) -> None:
    assert encoding.encode_counter(total, GOOD) == BCR(count).encode()


def test_of_a_counters_quality_only_iv_is_sent() -> None:
    assert encoding.encode_counter(1, IV | NT) == BCR(1, invalid=True).encode()


def test_steps_and_bitstrings_in_range_are_sent_as_they_are() -> None:
    assert encoding.encode_step(-3, BL) == VTI(-3).encode() + QDS(BL).encode()
    assert encoding.encode_bitstring(0xDEADBEEF, GOOD) == BSI(0xDEADBEEF).encode() + b"\0"


@pytest.mark.parametrize(
    ("encode", "size"),
    [
        (encoding.encode_step, 2),
        (encoding.encode_bitstring, 5),
        (encoding.encode_float, 5),
        (encoding.scaled(1e-3), 3),
        (encoding.normalized(1e-300), 3),
    ],
)
@given(value=ANY, quality=st.sampled_from(QUALITIES))
def test_nothing_makes_an_encoder_fail(
    encode: encoding.Encode, size: int, value: float, quality: int
) -> None:
    octets = encode(value, quality)
    assert len(octets) == size
    assert octets[-1] & quality == quality
