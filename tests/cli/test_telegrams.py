"""Telegrams in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtu.cli.telegrams import apdu, line
from rtu.iec104.apci import IFrame, SFrame, UFrame, UFunction
from rtu.iec104.asdu import ASDU, InformationObject
from rtu.iec104.catalogue import Cause, TypeID
from rtu.iec104.elements import DCO, DIQ, IV, QOI, SIQ, CP56Time2a

TAG = CP56Time2a(ms=1123, minute=0, hour=12, day=22, weekday=0, month=11, year=26)
ITEM = {
    "time": 1_784_116_801_123_000_000,
    "connection": 3,
    "master": "scada-a",
    "peer": ["192.0.2.1", 40000],
    "station": ["192.0.2.9", 19998],
    "octets": "680443000000",
    "reason": "",
}


def i_frame(type_id: int, cause: int, *objects: InformationObject, **header: object) -> bytes:
    return IFrame(5, 7, ASDU(type_id, cause, 12, objects, **header).encode()).encode()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (UFrame(UFunction.STARTDT_ACT).encode(), "U        STARTDT act"),
        (UFrame(UFunction.TESTFR_CON).encode(), "U        TESTFR con"),
        (SFrame(32767).encode(), "S 32767"),
        (
            i_frame(TypeID.M_DP_TB_1, Cause.SPONT, InformationObject(1001, (DIQ(2, 0), TAG))),
            "I 5/7    M_DP_TB_1 SPONT ca 12 ioa 1001 ON 2026-11-22 12:00:01.123",
        ),
        (
            i_frame(
                TypeID.M_SP_NA_1,
                Cause.INROGEN,
                InformationObject(100, (SIQ(True, 0),)),
                InformationObject(101, (SIQ(False, IV),)),
                sequence=True,
            ),
            "I 5/7    M_SP_NA_1 INROGEN ca 12 ioa 100 ON; 101 OFF invalid",
        ),
        (
            i_frame(
                TypeID.C_DC_NA_1,
                Cause.ACTCON,
                InformationObject(5001, (DCO(1, 0, True),)),
                negative=True,
                test=True,
                originator=4,
            ),
            "I 5/7    C_DC_NA_1 ACTCON NEGATIVE TEST oa 4 ca 12 ioa 5001 OFF select",
        ),
        (
            i_frame(TypeID.C_IC_NA_1, Cause.ACT, InformationObject(0, (QOI(20),))),
            "I 5/7    C_IC_NA_1 ACT ca 12 ioa 0 station",
        ),
        (b"\x69\x04", "no APDU: a frame has at least 6 octets, not 2: 69 04"),
        (b"\x69\x04\0\0\0\0", "no APDU: start octet 0x69 instead of 0x68: 69 04 00 00 00 00"),
        (
            IFrame(5, 7, bytes.fromhex("c80103000c00010000")).encode(),
            "I 5/7    not understood: type identification 200 is not defined in 104: c8 01 03 00 0c 00 01 00 00",
        ),
    ],
)
def test_an_apdu_in_words(octets, words):
    assert apdu(octets) == words


@given(
    st.binary(max_size=300) | st.binary(min_size=9, max_size=60).map(lambda asdu: IFrame(1, 2, asdu).encode())
)
def test_whatever_came_is_one_line_of_printable_words(octets):
    assert apdu(octets).isprintable()


def test_a_line_says_when_whose_and_which_way():
    assert line(ITEM | {"kind": "received"}) == (
        "2026-07-15 12:00:01.123  scada-a#3             in   U        TESTFR act"
    )
    assert line(ITEM | {"kind": "sent"}, octets=True) == (
        "2026-07-15 12:00:01.123  scada-a#3             out  U        TESTFR act  [68 04 43 00 00 00]"
    )


def test_the_beginning_and_the_end_of_a_connection_are_lines_too():
    assert line(ITEM | {"kind": "opened"}).endswith("opened from 192.0.2.1:40000 to 192.0.2.9:19998")
    v6 = ITEM | {"kind": "opened", "peer": ["2001:db8::1", 1], "station": ["2001:db8::9", 2]}
    assert line(v6).endswith("opened from [2001:db8::1]:1 to [2001:db8::9]:2")
    closed = ITEM | {"kind": "closed", "reason": "N(S) = 3 instead of 2"}
    assert line(closed).endswith("scada-a#3             ended: N(S) = 3 instead of 2")


def test_what_was_left_out_is_said():
    assert line({"lost": 17}) == "... 17 telegrams left out: this output is too slow for them"
