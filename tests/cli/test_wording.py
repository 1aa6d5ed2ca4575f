"""Objects in words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtu.cli.wording import reports
from rtu.iec104 import ASDU, Cause, InformationObject, TypeID
from rtu.iec104.asdu import pack_header
from rtu.iec104.catalogue import TYPES
from rtu.iec104.elements import (
    AFQ,
    BCR,
    CHS,
    DIQ,
    FRQ,
    IV,
    LOF,
    LSQ,
    NOF,
    NOS,
    NT,
    NVA,
    OCI,
    QCC,
    QDP,
    QDS,
    QOS,
    QPA,
    QPM,
    QRP,
    R32,
    SCD,
    SCO,
    SCQ,
    SEP,
    SIQ,
    SOF,
    SPE,
    SRQ,
    SVA,
    VTI,
    CP16Time2a,
    CP56Time2a,
    Segment,
)  # fmt: skip

TIME = CP56Time2a(ms=1500, minute=30, hour=12, day=15, weekday=0, month=7, year=26)


def only(type_id, *elements, cause=Cause.SPONT, **header):
    (report,) = reports(ASDU(type_id, cause, 1, (InformationObject(7, elements),), **header))
    return report


@pytest.mark.parametrize(
    ("type_id", "elements", "value"),
    [
        (1, (SIQ(True),), "ON"),
        (1, (SIQ(False),), "OFF"),
        (3, (DIQ(0),), "intermediate"),
        (3, (DIQ(3),), "indeterminate"),
        (5, (VTI(0), QDS()), 0),
        (5, (VTI(-3, True), QDS()), "-3 moving"),
        (9, (NVA(16384), QDS()), 0.5),
        (11, (SVA(-7), QDS()), -7),
        (15, (BCR(99),), 99),
        (20, (SCD(0b1001, 0b1000), QDS()), "ON 1,4 changed 4"),
        (20, (SCD(0, 0), QDS()), "all OFF"),
        (38, (SEP(2), CP16Time2a(73), TIME), "ON 73 ms"),
        (39, (SPE(0b010001), QDP(), CP16Time2a(0), TIME), "general earth 0 ms"),
        (40, (OCI(0b1110), QDP(), CP16Time2a(73), TIME), "l1 l2 l3 73 ms"),
        (50, (R32(12.5), QOS()), 12.5),
        (101, (QCC(5, 1),), "all freeze"),
        (105, (QRP(2),), "events"),
        (110, (NVA(16384), QPM(1)), "0.5 threshold"),
        (111, (SVA(30), QPM(2)), "30 smoothing"),
        (112, (R32(0.0), QPM(4, pop=True)), "0.0 high limit, not in operation"),
        (113, (QPA(3),), "cyclic transmission"),
        (120, (NOF(2), LOF(1237), FRQ()), "file 2, 1237 octets, ready"),
        (121, (NOF(2), NOS(1), LOF(426), SRQ(True)), "file 2, section 1, 426 octets, not ready"),
        (122, (NOF(2), NOS(0), SCQ(1)), "file 2, select file"),
        (122, (NOF(0), NOS(0), SCQ(0)), "directory"),
        (123, (NOF(2), NOS(1), LSQ(3), CHS(114)), "file 2, section 1, end of section, checksum 114"),
        (124, (NOF(2), NOS(1), AFQ(4, 2)), "file 2, section 1, section refused: checksum failed"),
        (125, (NOF(2), NOS(1), Segment(b"12")), "file 2, section 1, 2 octets"),
        (
            126,
            (NOF(3), LOF(9), SOF(last=True, active=True), TIME),
            "file 3, 9 octets, being transferred, last",
        ),
        (127, (NOF(3), TIME, TIME), "file 3, from 2026-07-15 12:30:01.500"),
    ],
)
def test_values_are_words_or_numbers(type_id, elements, value):
    assert only(type_id, *elements).value == value


def test_zero_is_a_value_and_nothing_is_a_dash():
    assert only(11, SVA(0), QDS()).line().split()[3] == "0"
    assert only(102).line().split()[3] == "-"


def test_single_precision_shows_no_more_digits_than_it_has():
    stored = ASDU.decode(ASDU(13, 3, 1, (InformationObject(7, (R32(12.3), QDS())),)).encode())
    assert next(reports(stored)).value == 12.3


def test_quality_is_told_in_words():
    assert only(1, SIQ(True, NT | IV)).quality == ("not topical", "invalid")
    assert only(13, R32(1.0), QDS(IV)).quality == ("invalid",)
    assert only(15, BCR(1, invalid=True)).quality == ("invalid",)
    assert only(1, SIQ(True)).quality == ()


def test_a_time_that_cannot_be_trusted_is_marked():
    tag = CP56Time2a(ms=59_999, minute=59, hour=23, day=31, weekday=0, month=12, year=99, invalid=True)
    report = only(30, SIQ(True), tag)
    assert (report.time, report.time_valid) == ("2099-12-31 23:59:59.999", False)
    assert "23:59:59.999 ?" in report.line()


def test_summer_time_is_marked():
    tag = CP56Time2a(ms=0, minute=0, hour=14, day=15, weekday=0, month=7, year=26, invalid=True, summer=True)
    report = only(30, SIQ(True), tag)
    assert report.summer
    assert "14:00:00.000 S?" in report.line()


def test_negative_and_test_are_seen_at_once():
    line = only(45, SCO(True, select=True), cause=Cause.ACTCON, negative=True, test=True).line()
    assert line.endswith("NEGATIVE activation confirmation (test)")
    assert "ON select" in line


@given(data=st.data())
def test_whatever_a_station_sends_can_be_shown(data):
    type_id = data.draw(st.sampled_from(sorted(set(TYPES) - {TypeID.F_SG_NA_1})))
    size = TYPES[type_id].size
    body = data.draw(st.binary(min_size=3 + size, max_size=3 + size))
    cause = data.draw(st.integers(0, 63))
    octets = pack_header(type_id, TYPES[type_id].number == 126, 1, cause, 0, 1, True, True) + body
    (report,) = reports(ASDU.decode(octets))
    assert json.loads(report.json())["ca"] == 1
    assert report.line().isprintable()
