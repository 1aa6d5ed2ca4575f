"""Information elements: their octets, their ranges, and the time tags."""

import math
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rtu.iec104.elements import (
    BCR,
    BL,
    BSI,
    DCO,
    DIQ,
    EI,
    IV,
    NT,
    NVA,
    OV,
    QCC,
    QDP,
    QDS,
    QOS,
    R32,
    RCO,
    SB,
    SCO,
    SEP,
    SIQ,
    SVA,
    VTI,
    CP16Time2a,
    CP56Time2a,
    Element,
    Segment,
    encode_bcr,
    encode_bsi,
    encode_cp56,
    encode_nva,
    encode_r32,
    encode_sva,
    encode_vti,
)

WORKED_EXAMPLE = bytes.fromhex("d5dd228c6f071a")
FIRST_NS = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 10**9
LAST_NS = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 10**9 - 1

value_quality = st.sets(st.sampled_from((OV, BL, SB, NT, IV))).map(sum)
tag_times = st.integers(FIRST_NS, LAST_NS)


@pytest.mark.parametrize(
    ("element", "octets"),
    [
        (SIQ(True, IV | NT), "c1"),
        (DIQ(3, BL | SB), "33"),
        (QDS(OV | IV), "81"),
        (QDP(EI), "08"),
        (VTI(-64), "40"),
        (VTI(-1, True), "ff"),
        (BSI(0x0000A5F0), "f0a50000"),
        (NVA(-32768), "0080"),
        (SVA(-1234), "2efb"),
        (BCR(-1, 31, carry=True, adjusted=False, invalid=True), "ffffffffbf"),
        (SCO(True, 1), "05"),
        (DCO(2, 3), "0e"),
        (RCO(1, 2, select=True), "89"),
        (QOS(127, True), "ff"),
        (QCC(5, 2), "85"),
        (Segment(b"ab"), "026162"),
    ],
)
def test_an_element_has_these_octets(element: Element, octets: str) -> None:
    assert element.encode().hex() == octets
    assert type(element).decode(bytes.fromhex(octets)) == element


@pytest.mark.parametrize(
    ("element", "message"),
    [
        (SIQ(True, OV), "SIQ.quality may only have bits of 0xf0, not 0x01"),
        (QDS(0x02), "QDS.quality may only have bits of 0xf1, not 0x02"),
        (QDS(0x100), "QDS.quality may only have bits of 0xf1, not 0x100"),
        (DIQ(4), "DIQ.dpi must be 0..3, not 4"),
        (DIQ(-1), "DIQ.dpi must be 0..3, not -1"),
        (VTI(64), "VTI.value must be -64..63, not 64"),
        (VTI(-65), "VTI.value must be -64..63, not -65"),
        (NVA(32768), "NVA.raw must be -32768..32767, not 32768"),
        (SVA(-32769), "SVA.value must be -32768..32767, not -32769"),
        (BSI(1 << 32), "BSI.bits must be 0..4294967295, not 4294967296"),
        (BCR(0, 32), "BCR.sequence must be 0..31, not 32"),
        (SCO(True, 32), "SCO.qu must be 0..31, not 32"),
        (R32(math.nan), "R32.value must be finite, not nan"),
        (R32(-math.inf), "R32.value must be finite, not -inf"),
        (R32(3.5e38), "R32.value 3.5e+38 is beyond single precision"),
        (CP16Time2a(60_000), "CP16Time2a.ms must be 0..59999, not 60000"),
        (Segment(bytes(237)), "Segment.data must be 0..236 octets, not 237"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(element: Element, message: str) -> None:
    with pytest.raises(ValueError, match="^" + message.replace("+", r"\+").replace(".", r"\.")):
        element.encode()


def test_reserved_bits_are_ignored() -> None:
    assert SIQ.decode(b"\x0f") == SIQ(True)
    assert QDS.decode(b"\x0e") == QDS()
    assert SEP.decode(b"\x04") == SEP(0)
    assert SCO.decode(b"\x03") == SCO(True)


def test_nan_is_kept_when_received() -> None:
    assert math.isnan(R32.decode(bytes.fromhex("0000c07f")).value)
    assert R32.decode(bytes.fromhex("000080ff")).value == -math.inf


def test_a_normalised_value_is_a_fraction_of_32768() -> None:
    assert (NVA(-32768).value, NVA(16384).value) == (-1.0, 0.5)


def test_a_segment_must_bring_what_it_announces() -> None:
    with pytest.raises(ValueError, match="announces 3 octets, 2 present"):
        Segment.decode(b"\x03ab")


# The plain functions say the same as the elements


@given(st.integers(-64, 63), st.booleans(), value_quality)
def test_encode_vti_agrees_with_the_elements(value: int, transient: bool, quality: int) -> None:
    assert encode_vti(value, transient, quality) == VTI(value, transient).encode() + QDS(quality).encode()


@given(st.integers(0, 0xFFFFFFFF), value_quality)
def test_encode_bsi_agrees_with_the_elements(bits: int, quality: int) -> None:
    assert encode_bsi(bits, quality) == BSI(bits).encode() + QDS(quality).encode()


@given(st.integers(-32768, 32767), value_quality)
def test_encode_nva_and_sva_agree_with_the_elements(raw: int, quality: int) -> None:
    assert encode_nva(raw, quality) == NVA(raw).encode() + QDS(quality).encode()
    assert encode_sva(raw, quality) == SVA(raw).encode() + QDS(quality).encode()


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), value_quality)
def test_encode_r32_agrees_with_the_elements(value: float, quality: int) -> None:
    assert encode_r32(value, quality) == R32(value).encode() + QDS(quality).encode()


@given(st.integers(-(2**31), 2**31 - 1), st.integers(0, 31), st.booleans(), st.booleans(), st.booleans())
def test_encode_bcr_agrees_with_the_element(
    count: int, sequence: int, carry: bool, adjusted: bool, invalid: bool
) -> None:
    assert (
        encode_bcr(count, sequence, carry, adjusted, invalid)
        == BCR(count, sequence, carry, adjusted, invalid).encode()
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda: encode_vti(64),
        lambda: encode_vti(0, False, EI),
        lambda: encode_bsi(-1),
        lambda: encode_bsi(0, -1),
        lambda: encode_nva(32768),
        lambda: encode_nva(0, 0x02),
        lambda: encode_sva(-32769),
        lambda: encode_sva(0, 0x04),
        lambda: encode_r32(math.nan),
        lambda: encode_r32(1e39),
        lambda: encode_r32(0.0, 0x08),
        lambda: encode_bcr(2**31),
        lambda: encode_bcr(0, 32),
    ],
)
def test_the_plain_functions_never_let_one_value_pass_for_another(call: Callable[[], bytes]) -> None:
    with pytest.raises(ValueError, match=r"must be|has bits|beyond"):
        call()


# Time


def test_the_worked_example() -> None:
    tag = CP56Time2a.decode(WORKED_EXAMPLE)
    assert tag == CP56Time2a(56789, 34, 12, 15, 3, 7, 26, summer=True)
    assert tag.encode() == WORKED_EXAMPLE
    assert tag.to_ns() == int(datetime(2026, 7, 15, 12, 34, 56, tzinfo=UTC).timestamp()) * 10**9 + 789_000_000


@given(tag_times)
def test_a_tag_reads_back_to_the_millisecond_it_was_made_of(unix_ns: int) -> None:
    tag = CP56Time2a.from_ns(unix_ns)
    assert tag.defect() is None
    assert not tag.invalid
    assert tag.to_ns() == unix_ns - unix_ns % 1_000_000
    assert tag.encode() == encode_cp56(unix_ns)


@given(
    tag_times.filter(lambda ns: ns < LAST_NS - 86_400 * 10**9),
    st.integers(0, 840),
    st.booleans(),
    st.booleans(),
)
def test_a_local_tag_reads_back_with_its_offset(
    unix_ns: int, offset: int, summer: bool, invalid: bool
) -> None:
    tag = CP56Time2a.from_ns(unix_ns, invalid=invalid, summer=summer, offset_minutes=offset, weekday=True)
    assert (tag.summer, tag.invalid) == (summer, invalid)
    assert tag.to_ns(offset_minutes=offset) == unix_ns - unix_ns % 1_000_000
    local = datetime.fromtimestamp(unix_ns // 10**9 + offset * 60, UTC)
    assert tag.weekday == local.isoweekday()


def test_milliseconds_are_truncated() -> None:
    before_midnight = int(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()) * 10**9 + 999_999_999
    assert CP56Time2a.from_ns(before_midnight) == CP56Time2a(59_999, 59, 23, 31, 0, 12, 26)
    assert CP56Time2a.from_ns(before_midnight + 1) == CP56Time2a(0, 0, 0, 1, 0, 1, 27)


@pytest.mark.parametrize("year", [1970, 1999, 2100])
def test_a_time_that_two_digits_cannot_tell_carries_iv(year: int) -> None:
    ns = int(datetime(year, 6, 1, tzinfo=UTC).timestamp()) * 10**9
    assert CP56Time2a.from_ns(ns) == CP56Time2a(0, 0, 0, 1, 0, 6, year % 100, invalid=True)


GOOD = CP56Time2a(0, 0, 0, 28, 0, 2, 26)


@pytest.mark.parametrize(
    ("tag", "defect"),
    [
        (replace(GOOD, ms=60_000), "ms must be 0..59999, not 60000"),
        (replace(GOOD, minute=60), "minute must be 0..59, not 60"),
        (replace(GOOD, hour=24), "hour must be 0..23, not 24"),
        (replace(GOOD, day=0), "day must be 1..28 in month 2, not 0"),
        (replace(GOOD, day=29), "day must be 1..28 in month 2, not 29"),
        (replace(GOOD, month=0), "month must be 1..12, not 0"),
        (replace(GOOD, month=13), "month must be 1..12, not 13"),
        (replace(GOOD, year=100), "year must be 0..99, not 100"),
    ],
)
def test_an_impossible_time_is_named_and_never_sent(tag: CP56Time2a, defect: str) -> None:
    assert tag.defect() == f"CP56Time2a.{defect}"
    for attempt in (tag.encode, tag.to_ns):
        with pytest.raises(ValueError, match=defect.replace(".", r"\.")):
            attempt()


def test_the_leap_day_and_a_wrong_day_of_week_are_no_defects() -> None:
    assert replace(GOOD, day=29, year=28).defect() is None
    assert replace(GOOD, weekday=1).defect() is None


@given(st.binary(min_size=7, max_size=7))
def test_any_seven_octets_decode_and_only_a_defect_keeps_them_from_going_out_again(octets: bytes) -> None:
    tag = CP56Time2a.decode(octets)
    if tag.defect() is None:
        again = CP56Time2a.decode(tag.encode())
        assert again == tag
    else:
        with pytest.raises(ValueError, match="CP56Time2a"):
            tag.encode()
