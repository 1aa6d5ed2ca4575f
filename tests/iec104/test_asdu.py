"""ASDUs: every type of the catalogue both ways, exact lengths, and the mirror."""

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rtu.iec104.asdu import (
    ASDU,
    GLOBAL_CA,
    MAX_ASDU,
    MAX_IOA,
    ASDUError,
    Header,
    InformationObject,
    UnknownType,
    mirror,
    pack_header,
    pack_ioa,
)
from rtu.iec104.catalogue import TAGGED, TYPES, UNTAGGED, Cause, TypeID, TypeInfo
from rtu.iec104.element import BitElement, Field
from rtu.iec104.elements import QDS, QOI, R32, SCO, SIQ, SVA, CP16Time2a, CP56Time2a, Element, Segment


def values(field: Field) -> st.SearchStrategy[Any]:
    most = field.mask >> field.shift
    if field.single:
        return st.booleans()
    if field.signed:
        return st.integers(-(most + 1) // 2, most // 2)
    if most & (most + 1):
        return st.integers(0, most).map(lambda word: word & most)
    return st.integers(0, most)


def elements(kind: type[Element]) -> st.SearchStrategy[Element]:
    if kind is R32:
        return st.floats(width=32, allow_nan=False, allow_infinity=False).map(R32)
    if kind is Segment:
        return st.binary(max_size=236).map(Segment)
    if kind is CP16Time2a:
        return st.integers(0, 59_999).map(CP16Time2a)
    if kind is CP56Time2a:
        return st.integers(946_684_800_000, 4_102_444_799_999).map(
            lambda ms: CP56Time2a.from_ns(ms * 1_000_000)
        )
    assert issubclass(kind, BitElement)
    return st.builds(kind, **{field.name: values(field) for field in kind.FIELDS})


@st.composite
def asdus(draw: st.DrawFn, info: TypeInfo) -> ASDU:
    sequence = info.sq_allowed and draw(st.booleans())
    count = 1 if info.single_object else draw(st.integers(1, min(8, (MAX_ASDU - 9) // (info.size + 3))))
    bodies = draw(
        st.lists(st.tuples(*(elements(kind) for kind in info.layout)), min_size=count, max_size=count)
    )
    if sequence:
        first = draw(st.integers(0, MAX_IOA - count + 1))
        addresses = list(range(first, first + count))
    else:
        addresses = draw(st.lists(st.integers(0, MAX_IOA), min_size=count, max_size=count))
    return ASDU(
        info.number,
        draw(st.integers(0, 63)),
        draw(st.integers(0, 65535)),
        tuple(InformationObject(ioa, body) for ioa, body in zip(addresses, bodies, strict=True)),
        originator=draw(st.integers(0, 255)),
        negative=draw(st.booleans()),
        test=draw(st.booleans()),
        sequence=sequence,
    )


@pytest.mark.parametrize("info", TYPES.values(), ids=lambda info: info.name)
@settings(max_examples=25)
@given(data=st.data())
def test_every_type_reads_back_as_it_was_written(info: TypeInfo, data: st.DataObject) -> None:
    asdu = data.draw(asdus(info))
    octets = asdu.encode()
    assert ASDU.decode(octets) == asdu
    assert Header.decode(octets).count == len(asdu.objects)


@pytest.mark.parametrize("info", TYPES.values(), ids=lambda info: info.name)
@settings(max_examples=10)
@given(data=st.data())
def test_one_octet_more_or_less_is_refused(info: TypeInfo, data: st.DataObject) -> None:
    octets = data.draw(asdus(info)).encode()
    for wrong in (octets + b"\x00", octets[:-1]):
        with pytest.raises(ASDUError):
            ASDU.decode(wrong)


@settings(max_examples=200)
@given(st.binary(max_size=260))
def test_random_octets_raise_nothing_but_asdu_errors(octets: bytes) -> None:
    try:
        asdu = ASDU.decode(octets)
    except ASDUError:
        return
    assert asdu.objects


@settings(max_examples=200)
@given(st.sampled_from(sorted(TYPES)), st.integers(0, 255), st.binary(max_size=60))
def test_random_contents_of_known_types_raise_nothing_but_asdu_errors(
    number: int, vsq: int, rest: bytes
) -> None:
    info, count = TYPES[number], vsq & 0x7F
    fits = 3 + count * info.size if vsq & 0x80 else count * (info.size + 3)
    assume(fits <= 240)
    body = (rest * (fits // max(1, len(rest)) + 1) + bytes(fits))[:fits]
    try:
        asdu = ASDU.decode(bytes((number, vsq, 3, 0, 1, 0)) + body)
    except ASDUError:
        assert count == 0 or info.single_object or info.variable or vsq & 0x80
    else:
        assert len(asdu.objects) == count


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


@pytest.mark.parametrize(
    ("asdu", "message"),
    [
        ("", "an ASDU has at least 6 octets, not 0"),
        ("2d01060001", "an ASDU has at least 6 octets, not 5"),
        ("640006000100", "C_IC_NA_1 without an information object"),
        ("2d0206000100d0070001d1070001", "C_SC_NA_1 carries one object with SQ = 0, not 2"),
        ("2d8106000100d0070001", "C_SC_NA_1 carries one object with SQ = 0, not 1 with SQ = 1"),
        ("1e8103000100640000" + "01d5dd228c6f071a", "M_SP_TB_1 does not exist with SQ = 1"),
        ("018203000100ffffff0101", "2 consecutive addresses from 16777215 go beyond 16777215"),
        ("7d010d000100b80b000100010361", "F_SG_NA_1 with 1 objects"),
    ],
)
def test_what_does_not_fit_its_header_is_malformed(asdu: str, message: str) -> None:
    with pytest.raises(ASDUError, match=message) as caught:
        ASDU.decode(octets(asdu))
    assert not isinstance(caught.value, UnknownType)


def test_the_length_is_checked_before_anything_is_read() -> None:
    with pytest.raises(ASDUError, match="M_SP_NA_1 with 127 objects and SQ = 0 has 514 octets, not 7"):
        ASDU.decode(octets("017f0300010000"))


def test_more_than_249_octets_are_refused_both_ways() -> None:
    points = tuple(InformationObject(i, (SIQ(True),)) for i in range(61))
    asdu = ASDU(TypeID.M_SP_NA_1, Cause.INROGEN, 1, points)
    with pytest.raises(ASDUError, match="an ASDU has at most 249 octets, not 250"):
        asdu.encode()
    with pytest.raises(ASDUError):
        ASDU.decode(pack_header(1, False, 61, 20, 0, 1) + bytes(61 * 4))


@pytest.mark.parametrize(
    ("asdu", "message"),
    [
        (ASDU(99, 3, 1, (InformationObject(1, ()),)), "type identification 99 is not defined"),
        (ASDU(1, 3, 1, ()), "without an information object"),
        (
            ASDU(1, 3, 1, (InformationObject(1, (SVA(1), QDS())),)),
            r"M_SP_NA_1 carries \(SIQ\), not \(SVA, QDS\)",
        ),
        (ASDU(1, 3, 1, (InformationObject(MAX_IOA + 1, (SIQ(True),)),)), "address must be 0..16777215"),
        (ASDU(1, 64, 1, (InformationObject(1, (SIQ(True),)),)), "cause of transmission must be 0..63"),
        (ASDU(1, 3, 65536, (InformationObject(1, (SIQ(True),)),)), "common address 65536 0..65535"),
        (
            ASDU(1, 3, 1, (InformationObject(1, (SIQ(True),)),) * 2, sequence=True),
            "the address after 1 cannot be 1",
        ),
        (
            ASDU(1, 3, 1, tuple(InformationObject(MAX_IOA + i, (SIQ(True),)) for i in (0, 1)), sequence=True),
            "cannot be 16777216",
        ),
        (ASDU(45, 6, 1, (InformationObject(1, (SCO(True),)),), sequence=True), "one object with SQ = 0"),
    ],
)
def test_an_asdu_that_cannot_be_sent_is_refused(asdu: ASDU, message: str) -> None:
    with pytest.raises(ASDUError, match=message):
        asdu.encode()


@pytest.mark.parametrize("number", sorted(set(range(256)) - set(TYPES)))
def test_a_type_that_is_in_no_table_is_told_apart(number: int) -> None:
    with pytest.raises(UnknownType):
        ASDU.decode(bytes((number, 1, 6, 0, 1, 0, 1, 0, 0, 0)))


# The catalogue


def test_types_of_101_with_short_time_tags_do_not_exist() -> None:
    assert not {2, 4, 6, 8, 10, 12, 14, 16, 17, 18, 19} & set(TYPES)
    assert set(TYPES) == {int(number) for number in TypeID}


def test_tests_and_delays_of_101_are_known_but_not_selected() -> None:
    assert [info.number for info in TYPES.values() if not info.selected_in_104] == [104, 106]


def test_only_four_types_may_be_sent_to_everybody() -> None:
    assert [info.number for info in TYPES.values() if info.global_ca] == [100, 101, 103, 105]
    assert GLOBAL_CA == 65535


def test_a_tagged_type_is_its_untagged_twin_and_a_time() -> None:
    for untagged, tagged in TAGGED.items():
        assert TYPES[tagged].layout == (*TYPES[untagged].layout, CP56Time2a)
        assert TYPES[tagged].time_tagged
        assert not TYPES[untagged].time_tagged
        assert (TYPES[untagged].tagged, TYPES[tagged].untagged) == (tagged, untagged)
        assert UNTAGGED[tagged] == untagged


def test_types_in_monitor_direction_have_no_cause_in_control_direction() -> None:
    for info in TYPES.values():
        assert info.name.startswith("M_") <= (not info.control_causes)
        assert info.control_causes or info.monitor_causes
        assert (info.control_causes | info.monitor_causes) <= frozenset(range(1, 64))


def test_nothing_interrogated_carries_a_time() -> None:
    assert not [info.name for info in TYPES.values() if info.time_tagged and 20 in info.monitor_causes]


@pytest.mark.parametrize(
    ("number", "size"),
    [
        (1, 1),
        (5, 2),
        (13, 5),
        (15, 5),
        (30, 8),
        (36, 12),
        (37, 12),
        (40, 11),
        (63, 12),
        (102, 0),
        (126, 13),
        (127, 16),
    ],
)
def test_an_object_has_this_size(number: int, size: int) -> None:
    assert TYPES[number].size == size


# Mirrors and headers


@given(st.binary(min_size=6, max_size=249), st.integers(0, 63), st.booleans())
def test_a_mirror_changes_cause_and_pn_only(request: bytes, cause: int, negative: bool) -> None:
    reply = mirror(request, cause, negative=negative)
    assert reply[:2] + reply[3:] == request[:2] + request[3:]
    header = Header.decode(reply)
    assert (header.cause, header.negative) == (cause, negative)
    assert header.test == Header.decode(request).test


def test_a_mirror_may_answer_for_one_of_several_stations() -> None:
    request = ASDU(TypeID.C_IC_NA_1, Cause.ACT, GLOBAL_CA, (InformationObject(0, (QOI(20),)),), originator=3)
    reply = ASDU.decode(mirror(request.encode(), Cause.ACTCON, negative=False, ca=7))
    assert (reply.ca, reply.cause, reply.originator, reply.objects) == (7, 7, 3, request.objects)


@pytest.mark.parametrize(
    ("request_", "cause", "ca"),
    [(b"12345", 7, None), (b"123456", 64, None), (b"123456", -1, None), (b"123456", 7, 65536)],
)
def test_a_mirror_that_cannot_be_made_is_refused(request_: bytes, cause: int, ca: int | None) -> None:
    with pytest.raises(ASDUError):
        mirror(request_, cause, negative=True, ca=ca)


def test_the_header_packs_and_reads_back() -> None:
    packed = pack_header(13, True, 48, 20, 9, 0x1234, negative=True, test=True)
    assert packed.hex() == "0db0d4093412"
    assert Header.decode(packed) == Header(13, True, 48, 20, True, True, 9, 0x1234)


@pytest.mark.parametrize(
    "arguments",
    [(1, False, 0, 3, 0, 1), (1, False, 128, 3, 0, 1), (1, False, 1, 64, 0, 1), (256, False, 1, 3, 0, 1)],
)
def test_a_header_out_of_range_is_refused(arguments: tuple[int, bool, int, int, int, int]) -> None:
    with pytest.raises(ASDUError):
        pack_header(*arguments)


def test_an_address_is_three_octets() -> None:
    assert pack_ioa(0x010203) == b"\x03\x02\x01"
    for wrong in (-1, MAX_IOA + 1):
        with pytest.raises(ASDUError, match=r"0\.\.16777215"):
            pack_ioa(wrong)
