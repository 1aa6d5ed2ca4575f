"""What a foreign master gets told when it asks: interrogation, read, integrated totals, test, time."""

import json
import subprocess
import sys
import time

import pytest

EXPECTED = {
    1001: 0,
    1002: 1,
    1005: 0,
    1011: 0,
    1101: 2,
    1102: 1,
    1201: 0,
    1301: "00000000",
    2001: 4.0,
    2002: 40,
    2012: 4,
}
GOOD = 0
ON, OFF = 2, 1


def signal_list(station):
    """What the engineer of the control centre imports: `rtu points`."""
    command = [sys.executable, "-m", "rtu", "points", str(station.file), "--format", "json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def points(station, *, ca=1, group=0):
    """Address and type of every point an interrogation answers with."""
    return sorted(
        (row["ioa"], row["type_ids"][0])
        for row in signal_list(station)
        if row["kind"] == "point"
        and row["ca"] == ca
        and row["type"] != "counter"
        and (not group or group in row["groups"])
    )


def told(asdus):
    return [one for asdu in asdus for one in asdu.objects]


def test_an_interrogation_tells_every_point_of_the_signal_list_once(master, station):
    master.ask("interrogate")
    confirmation, *data, termination = master.until(type="C_IC_NA_1", cause=10)
    assert (confirmation.type, confirmation.cause, confirmation.negative) == ("C_IC_NA_1", 7, False)
    assert not termination.negative
    assert {asdu.cause for asdu in data} == {20}
    assert sorted((one.ioa, asdu.type) for asdu in data for one in asdu.objects) == points(station)


def test_the_values_are_those_of_the_bay(master):
    master.ask("interrogate")
    values = {one.ioa: one for one in told(master.until(type="C_IC_NA_1", cause=10))}
    assert {one.quality for one in values.values()} == {GOOD}
    assert {one.ms for one in values.values()} == {None}
    assert {ioa: values[ioa].value for ioa in EXPECTED} == EXPECTED
    assert values[2003].value == pytest.approx(0.4, abs=2**-15)
    assert values[2023].value == pytest.approx(0.4, abs=2**-15)
    assert 49 < values[2101].value < 51


@pytest.mark.parametrize("group", [1, 2, 3])
def test_a_group_is_told_with_the_cause_of_its_number(master, station, group):
    master.ask("interrogate", group=group)
    confirmation, *data, _ = master.until(type="C_IC_NA_1", cause=10)
    assert not confirmation.negative
    assert {asdu.cause for asdu in data} == {20 + group}
    assert sorted((one.ioa, asdu.type) for asdu in data for one in asdu.objects) == points(
        station, group=group
    )


def test_a_group_without_members_is_refused(master):
    master.ask("interrogate", group=9)
    (refusal,) = master.until(type="C_IC_NA_1")
    assert (refusal.cause, refusal.negative) == (7, True)


def test_each_common_address_is_a_station_of_its_own(master, station):
    master.ask("interrogate", ca=2)
    _, *data, _ = master.until(type="C_IC_NA_1", cause=10, ca=2)
    assert sorted((one.ioa, asdu.type) for asdu in data for one in asdu.objects) == points(station, ca=2)


def test_all_stations_answer_a_request_to_the_global_address_one_by_one(master, station):
    master.ask("interrogate", ca=65535)
    first = master.until(type="C_IC_NA_1", cause=10)
    answers = first + master.until(type="C_IC_NA_1", cause=10)
    for ca in (1, 2):
        mine = [asdu for asdu in answers if asdu.ca == ca]
        assert [(asdu.cause, asdu.negative) for asdu in mine if asdu.type == "C_IC_NA_1"] == [
            (7, False),
            (10, False),
        ]
        assert sorted(one.ioa for one in told(mine)) == [ioa for ioa, _ in points(station, ca=ca)]


def test_an_unknown_common_address_is_named_as_such(master):
    master.ask("interrogate", ca=77)
    (refusal,) = master.until(type="C_IC_NA_1", ca=77)
    assert (refusal.cause, refusal.negative) == (46, True)


def test_a_point_is_read_by_its_address(master):
    master.ask("read", ioa=1101)
    (asdu,) = master.until(cause=5)
    assert asdu.type == "M_DP_NA_1"
    assert [(one.ioa, one.value, one.quality) for one in asdu.objects] == [(1101, ON, GOOD)]


def test_reading_what_is_not_there_is_answered_with_unknown_address(master):
    master.ask("read", ioa=9999)
    (asdu,) = master.until(type="C_RD_NA_1")
    assert (asdu.cause, asdu.negative, asdu.ioa) == (47, True, 9999)


def test_totals_are_frozen_then_read(master):
    """The sequence number counts the freezes; both counters freeze at one time, which is their time tag."""
    master.ask("count", freeze="FREEZE_WITHOUT_RESET")
    before = time.time() * 1000
    assert [(asdu.cause, asdu.negative) for asdu in master.until(type="C_CI_NA_1", cause=10)] == [
        (7, False),
        (10, False),
    ]
    master.ask("count")
    confirmation, *data, _ = master.until(type="C_CI_NA_1", cause=10)
    assert (confirmation.cause, confirmation.negative) == (7, False)
    assert {(asdu.type, asdu.cause) for asdu in data} == {("M_IT_TB_1", 37)}
    energy, energy2 = sorted(told(data), key=lambda one: one.ioa)
    assert (energy.ioa, energy2.ioa) == (3001, 3002)
    assert energy.quality == energy2.quality == GOOD
    assert energy.ms == energy2.ms
    assert abs(energy.ms - before) < 1000
    master.ask("count", freeze="FREEZE_WITHOUT_RESET")
    master.until(type="C_CI_NA_1", cause=10)
    master.ask("count", group=1)
    _, *data, _ = master.until(type="C_CI_NA_1", cause=10)
    assert {asdu.cause for asdu in data} == {38}
    (again,) = told(data)
    assert (again.ioa, again.sequence) == (3001, energy.sequence + 1)
    assert again.value >= energy.value


def test_a_test_command_comes_back(master):
    master.ask("test")
    (asdu,) = master.until(type="C_TS_TA_1")
    assert (asdu.cause, asdu.negative) == (7, False)


def test_a_clock_another_source_sets_is_left_alone(master):
    master.ask("synchronise")
    (asdu,) = master.until(type="C_CS_NA_1")
    assert (asdu.cause, asdu.negative) == (7, True)
