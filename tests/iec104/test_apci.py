"""Frames and the splitter: what is no frame is refused, however it is cut."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtu.iec104.apci import (
    MAX_APDU,
    APCIError,
    FrameSplitter,
    IFrame,
    SFrame,
    UFrame,
    UFunction,
    decode_frame,
)

TESTFR_ACT = bytes.fromhex("680443000000")
GI = bytes.fromhex("680e0000000064010600010000000014")

sequence_numbers = st.integers(0, 32767)
frames = st.one_of(
    st.builds(IFrame, sequence_numbers, sequence_numbers, st.binary(min_size=6, max_size=249)),
    st.builds(SFrame, sequence_numbers),
    st.sampled_from(UFunction).map(UFrame),
)


@given(frames)
def test_a_frame_reads_back_as_it_was_written(frame: IFrame | SFrame | UFrame) -> None:
    octets = frame.encode()
    assert len(octets) <= MAX_APDU
    assert decode_frame(octets) == frame


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        ("690407000000", "start octet 0x69 instead of 0x68"),
        ("6804010000", "at least 6 octets, not 5"),
        ("680301000000", "length octet 3 is not 4..253"),
        ("68fe01000000", "length octet 254 is not 4..253"),
        ("680501000000", "length octet 5, but 4 octets follow it"),
        ("680643000000aabb", "U frame with length octet 6 instead of 4"),
        ("680601000000aabb", "S frame with length octet 6 instead of 4"),
        ("680447000000", "undefined control octets of a U frame: 47 00 00 00"),
        ("680403000000", "undefined control octets of a U frame"),
        ("680443010000", "undefined control octets of a U frame"),
        ("680443000002", "undefined control octets of a U frame"),
        ("680405000000", "undefined bits in the control octets of an S frame"),
        ("680401010000", "undefined bits in the control octets of an S frame"),
        ("680401000100", "undefined bits in the control octets of an S frame"),
        ("680400000000", "I frame with 0 octets of ASDU"),
        ("68090000000064010600" + "01", "I frame with 5 octets of ASDU"),
        ("680e0000010064010600010000000014", "bit 1 of octet 4 of an I frame is set"),
    ],
)
def test_what_is_no_frame_is_refused_with_its_reason(octets: str, message: str) -> None:
    with pytest.raises(APCIError, match=message):
        decode_frame(bytes.fromhex(octets))


def test_a12_exactly_six_unnumbered_functions_exist() -> None:
    undefined = [octet for octet in range(3, 256, 4) if octet not in set(UFunction)]
    assert len(undefined) == 58
    for octet in undefined:
        with pytest.raises(APCIError):
            decode_frame(bytes((0x68, 4, octet, 0, 0, 0)))


@pytest.mark.parametrize(
    "frame",
    [
        IFrame(32768, 0, bytes(9)),
        IFrame(0, -1, bytes(9)),
        IFrame(0, 0, bytes(250)),
        IFrame(0, 0, b""),
        SFrame(32768),
    ],
)
def test_a_frame_out_of_range_is_not_sent(frame: IFrame | SFrame) -> None:
    with pytest.raises(APCIError):
        frame.encode()


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_random_octets_raise_nothing_but_apci_errors(octets: bytes) -> None:
    try:
        frame = decode_frame(octets)
    except APCIError:
        return
    assert frame.encode() == octets


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


@given(st.lists(frames, max_size=8), st.lists(st.integers(0, 4000), max_size=12))
def test_any_chunking_gives_the_same_frames(sent: list[IFrame | SFrame | UFrame], places: list[int]) -> None:
    splitter = FrameSplitter()
    received = []
    for chunk in cut(b"".join(frame.encode() for frame in sent), places):
        received += [decode_frame(octets) for octets in splitter.feed(chunk)]
    assert received == sent
    assert splitter.unfinished == b""


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=400), max_size=6), st.lists(frames, max_size=4))
def test_the_splitter_never_keeps_a_whole_frame(
    chunks: list[bytes], start: list[IFrame | SFrame | UFrame]
) -> None:
    splitter = FrameSplitter()
    for chunk in [*(frame.encode() for frame in start), *chunks]:
        try:
            for octets in splitter.feed(chunk):
                assert 6 <= len(octets) <= MAX_APDU
        except APCIError:
            pass
        assert len(splitter.unfinished) < MAX_APDU


def test_frames_before_a_wrong_octet_come_first() -> None:
    stream = FrameSplitter().feed(GI + TESTFR_ACT + b"\x69")
    assert next(stream) == GI
    assert next(stream) == TESTFR_ACT
    with pytest.raises(APCIError, match="start octet 0x69"):
        next(stream)


@pytest.mark.parametrize("wrong", [b"\x00", b"\x68\x00", b"\x68\x03", b"\x68\xfe", b"\x68\xff"])
def test_a_wrong_octet_is_refused_at_once_and_for_ever(wrong: bytes) -> None:
    splitter = FrameSplitter()
    for octets in (wrong, TESTFR_ACT, b"\x68"):
        with pytest.raises(APCIError):
            list(splitter.feed(octets))
    assert len(splitter.unfinished) <= 2


def test_an_incomplete_frame_is_no_error() -> None:
    splitter = FrameSplitter()
    for octet in GI[:-1]:
        assert list(splitter.feed(bytes((octet,)))) == []
    assert splitter.unfinished == GI[:-1]
    assert list(splitter.feed(GI[-1:])) == [GI]
