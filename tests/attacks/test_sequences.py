"""What known attacks on IEC 60870-5-104 do, done to a whole station: nothing moves, and every attempt is on record.

Who attacks is a master with rights of his own: a viewer, one who may give some commands, an operator who does not know
the station. Whoever is no master at all never gets so far (`test_scanners`).
"""

from __future__ import annotations

import time
from itertools import chain

import pytest

from rtu.station.allowance import BURST
from rtu.station.refusals import RECORDS, SWEEP
from rtu.station.rights import NOT_ALLOWED, TOO_MANY
from tests.attacks.attacker import (
    DEACT,
    SELECT,
    STARTDT_ACT,
    STOPDT_ACT,
    TESTFR_ACT,
    Attacker,
    asdu,
    cause,
    tag,
)

VIEWER, LISTED, OPERATOR, ONE, OTHER = (f"127.0.2.{n}" for n in range(1, 6))
WHO = {"viewer": VIEWER, "listed": LISTED, "operator": OPERATOR}
KNOWN = (5001, 5002, 5003, 5004)
REFUSED = {(7, True), (9, True), (44, True), (45, True), (46, True), (47, True)}


def operate(type_id: int, ioa: int, on: bool, qualifier: int = 0, **how: int) -> bytes:
    """A single, double or step command."""
    value = int(on) if type_id in (45, 58) else 1 + on
    return asdu(type_id, ioa, bytes((value | qualifier,)), **how)


def swept(type_id: int, addresses: range | tuple[int, ...], selects: bool) -> list[bytes]:
    """On and off again at each address; with a select before each execution where that is asked for."""
    return list(
        chain.from_iterable(
            (
                *((operate(type_id, ioa, on, SELECT),) if selects else ()),
                operate(type_id, ioa, on),
            )
            for ioa in addresses
            for on in (True, False)
        )
    )


RANGE, SHIFTED = range(4965, 5005), range(1, 6000, 37)
WAYS = {"range": RANGE, "shift": SHIFTED, "sequence": KNOWN}


@pytest.mark.parametrize("selects", [False, True], ids=["at once", "selected"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("who", ["viewer", "listed"])
def test_a_sweep_over_addresses(station, good, who, way, selects):
    """Industroyer's module for 104: a range, steps over the whole of them, or a list; on and off at each, again and again."""
    requests = [each for type_id in (45, 46, 47) for each in swept(type_id, WAYS[way], selects)]
    with Attacker(station.port, WHO[who]).start() as attacker:
        answers = attacker.ask(requests)
    station.until(lambda: station.ends(who))
    assert station.moved == []
    assert {cause(each) for each in answers} == {(7, True)}
    assert len(answers) == len(requests) == station.accounted(who)
    lines = [each for each in station.of(who) if each["event"] == "request.refuse"]
    assert len(lines) <= 2 * RECORDS
    assert {each["id"] for each in lines} == {NOT_ALLOWED}
    assert len([each for each in station.of(who) if each.get("id") == SWEEP]) == (
        0 if way == "sequence" else 1
    )


def test_an_operators_sweep_finds_breakers_and_moves_none(station, good):
    """Direct execution by somebody who may: the breakers want to be selected first, and soon it is too much."""
    requests = swept(46, range(4900, 5003), False)
    with Attacker(station.port, OPERATOR).start() as attacker:
        answers = attacker.ask(requests)
    station.until(lambda: station.ends("operator"))
    assert station.moved == []
    assert {cause(each) for each in answers} == {(7, True), (47, True)}
    assert station.accounted("operator") == len(requests)
    events = [each.get("id") for each in station.of("operator")]
    assert events.count(SWEEP) == 1
    assert 1 <= events.count(TOO_MANY) <= RECORDS


def test_a_program_with_a_list_of_addresses(station, good):
    """Industroyer2: TESTFR, STARTDT, an interrogation, then its own list of objects, each off and on, with select and without."""
    with Attacker(station.port, LISTED) as attacker:
        attacker.socket.sendall(TESTFR_ACT)
        attacker.take_until(lambda: attacker.confirmed_tests)
        attacker.start()
        attacker.ask([asdu(100, 0, b"\x14")])
        requests = [
            operate(type_id, ioa, on, qualifier)
            for ioa in (1101, 1102, 1103, *KNOWN)
            for type_id in (45, 46)
            for on in (False, True)
            for qualifier in (SELECT, 0)
        ]
        attacker.ask(requests)
    station.until(lambda: station.ends("listed"))
    assert station.moved == []
    assert station.accounted("listed") == len(requests)


@pytest.mark.parametrize(("type_id", "ioa", "value"), [(46, 5, 5), (46, 5001, 5), (45, 5003, 1)])
def test_a_client_that_sends_one_command_and_leaves(station, good, type_id, ioa, value):
    """Metasploit's auxiliary/client/iec104: STARTDT, one ASDU with common address 1 and originator 0, STOPDT."""
    with Attacker(station.port, VIEWER).start() as attacker:
        (answer,) = attacker.ask([asdu(type_id, ioa, bytes((value,)))])
        attacker.socket.sendall(STOPDT_ACT)
    station.until(lambda: station.ends("viewer"))
    assert cause(answer) == (7, True)
    assert station.moved == []
    assert [each["event"] for each in station.of("viewer")] == [
        "plain.accept",
        "request.refuse",
        "session.close",
    ]


@pytest.mark.parametrize("who", ["viewer", "operator"])
def test_time_is_not_set_by_who_may_not(make_station, who):
    """The viewer never; the operator not where another source sets the clock."""
    station = make_station(lambda text: text.replace('source = "master"', 'source = "none"'))
    moments = [time.time() + shift for shift in (0, 3600, -3600)] + [4_070_908_800.0]
    with Attacker(station.port, WHO[who]).start() as attacker:
        answers = attacker.ask([asdu(103, 0, tag(moment)) for moment in moments])
    station.until(lambda: station.ends(who))
    assert [cause(each) for each in answers] == [(7, True)] * 4
    event = "request.refuse" if who == "viewer" else "clock.refuse"
    assert len([each for each in station.of(who) if each["event"] == event]) == 4
    assert station.events("clock.set") == []


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize(
    "requests",
    [
        [asdu(105, 0, bytes((qualifier,)), ca=ca) for qualifier in range(256) for ca in (1, 65535)],
        [
            asdu(110, 1005, bytes(2) + b"\x01"),
            asdu(111, 1005, bytes(2) + b"\x01"),
            asdu(112, 1005, bytes(4) + b"\x01"),
            asdu(113, 1005, b"\x03"),
            asdu(113, 1005, b"\x03", cause=DEACT),
        ],
        [
            asdu(122, 9002, bytes(3) + b"\x01", cause=13),
            asdu(120, 9002, b"\x01\x00\x04\x00\x00\x00", cause=13),
            asdu(121, 9002, b"\x01\x00\x01\x04\x00\x00\x00", cause=13),
            asdu(125, 9002, b"\x01\x00\x01\x04evil", cause=13),
            asdu(123, 9002, b"\x01\x00\x01\x03\x00", cause=13),
            asdu(124, 9002, b"\x01\x00\x01\x04", cause=13),
            asdu(122, 0, bytes(4), cause=5),
        ],
    ],
    ids=["reset process", "parameters", "files"],
)
def test_what_is_for_engineers_is_for_nobody_else(station, good, tmp_path, who, requests):
    with Attacker(station.port, WHO[who]).start() as attacker:
        answers = attacker.ask(requests)
    station.until(lambda: station.ends(who))
    assert len(answers) == station.accounted(who) == len(requests)
    assert all(negative for _, negative in map(cause, answers))
    assert not (tmp_path / "settings").exists()
    assert {each["event"] for each in station.of(who)} <= {
        "plain.accept",
        "request.refuse",
        "session.close",
        "security.sweep",
    }


def test_selects_from_two_sides(station, good):
    """Two masters reserve the same breaker as fast as they can: neither moves it, and the third is served."""
    select = operate(46, 5001, True, SELECT)
    with (
        Attacker(station.port, OPERATOR).start() as first,
        Attacker(station.port, ONE).start() as second,
    ):
        for _ in range(10):
            first.ask([select] * 30)
            second.ask([select] * 30)
    station.until(lambda: station.ends("operator") and station.ends("one"))
    assert station.moved == []
    for who in ("operator", "one"):
        assert station.accounted(who) == 300
        lines = [each for each in station.of(who) if each["event"].startswith("command.")]
        # Besides the burst what was refilled meanwhile; a machine that is held up for long has more of it.
        assert BURST <= len(lines) < 300


def test_a_recorded_command_is_worth_nothing(station, good):
    """Frames of a time-tagged command, octet by octet but for the numbers, on a connection of their own."""
    with Attacker(station.port, OPERATOR).start() as master:
        master.ask([asdu(103, 0, tag(time.time()))])
        fresh = asdu(58, 5003, b"\x01" + tag(time.time()))
        stale = [asdu(58, 5003, b"\x01" + tag(time.time() - age)) for age in (11, 60, 86_400)]
        assert cause(master.ask([fresh])[0]) == (7, False)
    station.until(lambda: station.ends("operator"))
    moved = list(station.moved)
    assert moved
    with Attacker(station.port, OPERATOR).start() as replayed:
        answers = replayed.ask([fresh, *stale, fresh])
    station.until(lambda: station.ends("operator") == 2)
    assert station.moved == moved
    assert [cause(each) for each in answers] == [(7, True)] * 2  # late ones get no answer at all
    refused = [str(each["reason"]) for each in station.of("operator") if each["event"] == "command.refuse"]
    assert refused[0] == refused[4] == "the same command with the same time tag was carried out already"
    assert [reason.endswith(" s old") for reason in refused[1:4]] == [True] * 3


def test_frames_of_another_connection_end_the_one_they_are_played_into(station, good):
    """With the numbers they had: nobody who listened can go on where another stopped."""
    with Attacker(station.port, OPERATOR).start() as master:
        master.ask([asdu(102, 1001, cause=5)] * 3)
        recorded = master.frame(operate(45, 5003, True))
    with Attacker(station.port, OPERATOR).start() as replayed:
        replayed.socket.sendall(recorded)
        replayed.until_closed()
    station.until(lambda: station.ends("operator") == 2)
    assert station.moved == []


@pytest.mark.parametrize("who", WHO)
def test_commands_to_everybody_are_commands_to_nobody(station, good, who):
    requests = [
        operate(type_id, ioa, True, qualifier, ca=65535)
        for type_id in (45, 46, 47)
        for ioa in KNOWN
        for qualifier in (0, SELECT)
    ]
    with Attacker(station.port, WHO[who]).start() as attacker:
        answers = attacker.ask(requests)
    station.until(lambda: station.ends(who))
    assert {cause(each) for each in answers} == {(46, True)}
    assert station.moved == []
    assert station.accounted(who) == len(requests)


def test_floods_of_tests(station, good):
    """TESTFR and C_TS_TA_1 without end: each is answered, nobody else notices."""
    with Attacker(station.port, VIEWER).start() as attacker:
        for _ in range(50):
            attacker.socket.sendall(TESTFR_ACT * 200)
            attacker.ask([asdu(107, 0, b"\xff\xff" + tag(0))] * 40)
        attacker.take_until(lambda: attacker.confirmed_tests == 50 * 200)
        assert len([each for each in attacker.answers if each[9:11] == b"\xff\xff"]) == 50 * 40
    station.until(lambda: station.ends("viewer"))
    assert station.moved == []


def test_a_second_address_that_starts_gets_its_groups_place_and_it_is_on_record(station, good):
    """The newest STARTDT of a group wins (5.3); what its first master had selected is gone."""
    with Attacker(station.port, ONE).start() as first, Attacker(station.port, OTHER) as second:
        assert cause(first.ask([operate(46, 5001, True, SELECT)])[0]) == (7, False)
        second.start()
        first.until_closed()
        assert cause(second.ask([operate(46, 5001, True)])[0]) == (7, True)
    station.until(lambda: station.ends("one"))
    assert station.moved == []
    (end,) = [each for each in station.of("one") if each["event"] == "session.close"]
    assert end["reason"] == "another connection of its group was started"
    (accepted,) = [each for each in station.of("other") if each["event"] == "plain.accept"]
    assert accepted["peer"] == OTHER


def test_an_address_that_is_no_masters_starts_nothing(station, good):
    with Attacker(station.port, "127.0.3.1") as stranger:
        try:
            stranger.socket.sendall(STARTDT_ACT)
        except ConnectionError:
            pass
        stranger.until_closed()
    station.until(lambda: station.events("plain.refuse"))
    (refused,) = station.events("plain.refuse")
    assert (refused["peer"], refused["reason"]) == ("127.0.3.1", "no master may come from this address")
