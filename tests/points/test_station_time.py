"""Time tags in the zone of the station: summer time, the turn of the year, and back again."""

from __future__ import annotations

from datetime import UTC as UTC_ZONE
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtu.clock import WallTime
from rtu.iec104.elements import CP56Time2a, encode_cp56
from rtu.points.station_time import UTC, StationTime

MS = 1_000_000
HOUR = 3_600_000 * MS
FROM_NS = int(datetime(2000, 1, 2, tzinfo=UTC_ZONE).timestamp()) * 10**9
TO_NS = int(datetime(2099, 12, 30, tzinfo=UTC_ZONE).timestamp()) * 10**9

SUMMER_BEGINS = int(datetime(2026, 3, 29, 1, tzinfo=UTC_ZONE).timestamp()) * 10**9  # 02:00 is 03:00 in Berlin
SUMMER_ENDS = int(datetime(2026, 10, 25, 1, tzinfo=UTC_ZONE).timestamp()) * 10**9  # 03:00 is 02:00

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Dublin",
    "Africa/Casablanca",
]


@pytest.fixture
def berlin() -> StationTime:
    return StationTime("Europe/Berlin")


def tag(time: StationTime, unix_ns: int, valid: bool = True) -> CP56Time2a:
    return CP56Time2a.decode(time.tag(WallTime(unix_ns, valid)))


def clock(time: CP56Time2a) -> tuple[int, int, int, bool]:
    return time.hour, time.minute, time.ms, time.summer


def test_L12_summer_time_begins_after_the_last_millisecond_of_standard_time(berlin):
    assert clock(tag(berlin, SUMMER_BEGINS - 1)) == (1, 59, 59_999, False)
    assert clock(tag(berlin, SUMMER_BEGINS)) == (3, 0, 0, True)


def test_L12_the_hour_that_comes_twice_is_told_apart_by_SU(berlin):
    assert clock(tag(berlin, SUMMER_ENDS - 1)) == (2, 59, 59_999, True)
    assert clock(tag(berlin, SUMMER_ENDS)) == (2, 0, 0, False)
    assert clock(tag(berlin, SUMMER_ENDS + HOUR)) == (3, 0, 0, False)


@pytest.mark.parametrize("change", [SUMMER_BEGINS, SUMMER_ENDS])
def test_L12_what_is_read_back_around_the_change_is_in_order(berlin, change):
    stamps = [change + minutes * 60_000 * MS for minutes in range(-180, 181)]
    assert [berlin.unix_ns(tag(berlin, stamp)) for stamp in stamps] == stamps


def test_without_summer_time_tags_keep_to_the_standard_time_of_the_zone():
    time = StationTime("Europe/Berlin", summer_time=False)
    assert clock(tag(time, SUMMER_BEGINS)) == (2, 0, 0, False)
    assert clock(tag(time, SUMMER_ENDS)) == (2, 0, 0, False)
    assert clock(tag(time, SUMMER_ENDS - HOUR)) == (1, 0, 0, False)


def test_ireland_and_morocco_have_their_summer_in_summer():
    """Their laws, and so the database, call it the standard time, and the winter the exception."""
    july = int(datetime(2026, 7, 1, 12, tzinfo=UTC_ZONE).timestamp()) * 10**9
    january = int(datetime(2026, 1, 1, 12, tzinfo=UTC_ZONE).timestamp()) * 10**9
    dublin = StationTime("Europe/Dublin")
    assert clock(tag(dublin, july)) == (13, 0, 0, True)
    assert clock(tag(dublin, january)) == (12, 0, 0, False)
    assert clock(tag(StationTime("Europe/Dublin", summer_time=False), july)) == (12, 0, 0, False)
    assert clock(tag(StationTime("Africa/Casablanca"), july)) == (13, 0, 0, True)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_L13_the_year_changes_between_two_milliseconds(zone):
    time = StationTime(zone, day_of_week=True)
    midnight = int(datetime(2027, 1, 1, tzinfo=ZoneInfo(zone)).timestamp()) * 10**9
    assert tag(time, midnight - 1) == CP56Time2a(59_999, 59, 23, 31, 4, 12, 26)
    assert tag(time, midnight) == CP56Time2a(0, 0, 0, 1, 5, 1, 27)


def test_the_29th_of_february_has_its_day():
    noon = int(datetime(2028, 2, 29, 12, tzinfo=UTC_ZONE).timestamp()) * 10**9
    assert tag(UTC, noon) == CP56Time2a(0, 0, 12, 29, 0, 2, 28)
    assert UTC.unix_ns(CP56Time2a(0, 0, 12, 29, 0, 2, 28)) == noon


@pytest.mark.parametrize(("date", "day"), [((2026, 7, 13), 1), ((2026, 7, 19), 7)])
def test_the_day_of_the_week_begins_on_monday_and_is_0_where_it_is_not_used(date, day):
    unix_ns = int(datetime(*date, tzinfo=UTC_ZONE).timestamp()) * 10**9
    assert tag(StationTime(day_of_week=True), unix_ns).weekday == day
    assert tag(UTC, unix_ns).weekday == 0


def test_the_day_of_the_week_is_that_of_the_zone():
    sunday = int(datetime(2026, 7, 19, 23, tzinfo=UTC_ZONE).timestamp()) * 10**9
    assert tag(StationTime("Europe/Berlin", day_of_week=True), sunday).weekday == 1


def test_UTC_is_what_the_codec_makes_of_it():
    assert UTC.tag(WallTime(SUMMER_BEGINS, False)) == encode_cp56(SUMMER_BEGINS, True)


@pytest.mark.parametrize(
    "time",
    [
        CP56Time2a(0, 30, 2, 29, 0, 3, 26),  # skipped
        CP56Time2a(0, 30, 2, 29, 0, 3, 26, summer=True),
        CP56Time2a(0, 0, 12, 1, 0, 7, 26),  # July, and no summer time
        CP56Time2a(0, 0, 12, 1, 0, 1, 26, summer=True),
    ],
)
def test_a_time_the_zone_does_not_have_is_none(berlin, time):
    with pytest.raises(ValueError, match=r"no such (standard|summer) time in Europe/Berlin"):
        berlin.unix_ns(time)


def test_an_impossible_date_is_no_time(berlin):
    with pytest.raises(ValueError, match=r"day must be 1\.\.28"):
        berlin.unix_ns(CP56Time2a(0, 0, 0, 29, 0, 2, 26))


def test_SU_is_not_looked_at_where_it_is_not_used():
    assert UTC.unix_ns(CP56Time2a(0, 0, 12, 1, 0, 1, 26, summer=True)) == UTC.unix_ns(
        CP56Time2a(0, 0, 12, 1, 0, 1, 26)
    )


def test_a_zone_nobody_knows_is_named():
    with pytest.raises(ValueError, match='"Europe/Berlln" is not known'):
        StationTime("Europe/Berlln")


@given(
    zone=st.sampled_from(ZONES),
    summer_time=st.booleans(),
    unix_ms=st.integers(FROM_NS // MS, TO_NS // MS),
    valid=st.booleans(),
)
def test_reading_is_the_inverse_of_writing(zone, summer_time, unix_ms, valid):
    time = StationTime(zone, summer_time=summer_time)
    read = tag(time, unix_ms * MS, valid)
    assert read.defect() is None
    assert read.ms <= 59_999
    assert read.invalid is not valid
    assert time.unix_ns(read) == unix_ms * MS


@given(unix_ms=st.integers(FROM_NS // MS, TO_NS // MS), zone=st.sampled_from(ZONES))
def test_the_local_time_is_that_of_the_zone(unix_ms, zone):
    local = datetime.fromtimestamp(unix_ms // 1000, ZoneInfo(zone))
    told = tag(StationTime(zone), unix_ms * MS)
    assert (told.year + 2000, told.month, told.day, told.hour, told.minute) == local.timetuple()[:5]


def test_a_tag_made_before_the_synchronisation_moves_over_the_change_of_summer_time(berlin):
    early = berlin.tag(WallTime(SUMMER_ENDS - 10 * 60_000 * MS, False))
    assert clock(CP56Time2a.decode(early)) == (2, 50, 0, True)
    resolved = CP56Time2a.decode(berlin.resolved(early, 20 * 60_000 * MS))
    assert clock(resolved) == (2, 10, 0, False)
    assert not resolved.invalid


def test_a_tag_that_was_valid_is_not_moved(berlin):
    right = berlin.tag(WallTime(SUMMER_ENDS, True))
    assert berlin.resolved(right, HOUR) is right


@given(
    unix_ns=st.integers(FROM_NS, TO_NS),
    correction=st.timedeltas(timedelta(days=-3650), timedelta(days=3650)),
    zone=st.sampled_from(ZONES),
)
def test_a_resolved_tag_is_the_one_the_right_clock_would_have_made(unix_ns, correction, zone):
    """To the millisecond: what a tag cut off is not there to be added."""
    time, ns = StationTime(zone), correction // timedelta(milliseconds=1) * MS
    if FROM_NS <= unix_ns + ns <= TO_NS:
        assert time.resolved(time.tag(WallTime(unix_ns, False)), ns) == time.tag(WallTime(unix_ns + ns, True))
