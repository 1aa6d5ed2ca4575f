"""Objects in words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtu.cli.wording import reports
from rtu.iec104 import ASDU, Cause, InformationObject, TypeID
from rtu.iec104.asdu import pack_header
from rtu.iec104.catalogue import TYPES
from rtu.iec104.elements import BCR, DIQ, IV, NT, NVA, QDS, R32, SCO, SIQ, SVA, VTI, CP56Time2a


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
