"""What a master may ask for: every type in control direction, with every role and every kind of command list."""

from __future__ import annotations

from pathlib import Path
from struct import pack

import pytest

from rtu.iec104.asdu import ASDU
from rtu.iec104.catalogue import TYPES
from rtu.iec104.elements import DCO, SCO
from rtu.security.roles import COMMANDS, ROLES
from rtu.station.allowance import BURST, PER_SECOND
from rtu.station.refusals import PERIOD_S, RECORDS, SWEEP
from rtu.station.rights import NOT_ALLOWED, TOO_MANY
from rtu.station.sweep import ADDRESSES
from rtu.station.sweep import PERIOD_S as SWEEP_S

EVERY_TYPE = Path(__file__).parents[1] / "conformance" / "every_type.toml"
CONTROL = sorted(number for number, info in TYPES.items() if info.control_causes and info.selected_in_104)
NOON = bytes.fromhex("00000c0f071a")
VIEW, OPERATE = {100, 102, 107}, {103}
LISTS = {
    "no list": (None, True),
    "its name": (("* command",), True),
    "a pattern": (("?* com*",), True),
    "another name": (("reserve", "q[0-9].*"), False),
    "an empty list": ((), False),
}


def request(type_id: int) -> bytes:
    """An activation to an object of that type, or to none; a command is the one `every_type.toml` has there."""
    info = TYPES[type_id]
    cause = min(info.control_causes)
    ioa = 0 if info.ioa_zero else type_id * 100
    body = bytes(info.size - 7) + b"\x00" + NOON if info.time_tagged else bytes(info.size)
    if type_id == 127:
        body = bytes(2) + 2 * (b"\x00" + NOON)
    if type_id in (46, 47, 59, 60):
        body = b"\x01" + body[1:]
    if type_id == 100:
        body = b"\x14"
    if type_id == 101:
        body = b"\x05"
    if type_id == 125:
        body = b"\x01\x00\x01\x01\x00"
    return bytes((type_id, 1, cause, 0, 1, 0)) + ioa.to_bytes(3, "little") + body


def not_allowed(rig) -> list[str]:
    return [str(record["reason"]) for record in rig.audit.records if record.get("id") == NOT_ALLOWED]


def allowed(type_id: int, role: str, in_list: bool) -> bool:
    if type_id in COMMANDS:
        return role != "viewer" and in_list
    if type_id in VIEW or type_id == 101:
        return True
    return role == "engineer" or (role == "operator" and type_id in OPERATE)


@pytest.mark.parametrize("which", LISTS)
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("type_id", CONTROL)
def test_every_type_with_every_role_and_list(make_rig, type_id, role, which):
    commands, in_list = LISTS[which]
    rig = make_rig(EVERY_TYPE.read_text())
    master = rig.master(role=role, commands=commands)
    master.send_octets(request(type_id))
    assert master.closed is None
    if allowed(type_id, role, in_list):
        assert not_allowed(rig) == []
    else:
        (answer,) = master.take()
        assert (answer.type_id, answer.negative) == (type_id, True)
        assert answer.cause in (7, 13)
        assert len(not_allowed(rig)) == 1
        rig.advance(1)
        assert (rig.relays.history, rig.relays.setpoints) == ([], [])
        assert {record["event"] for record in rig.audit.records} == {"request.refuse"}


@pytest.mark.parametrize("type_id", sorted(COMMANDS - {58, 59, 60, 61, 62, 63, 64}))
def test_what_role_and_list_allow_is_carried_out(make_rig, type_id):
    rig = make_rig(EVERY_TYPE.read_text())
    master = rig.master(role="operator", commands=("nothing", f"{names()[type_id]} command"))
    master.send_octets(request(type_id))
    assert (master.take()[0].cause, rig.audit.events()[0]) == (7, "command.execute")
    assert rig.relays.history or rig.relays.setpoints or type_id == 45  # which was off already


def names() -> dict[int, str]:
    kinds = ("single", "double", "step", "normalized", "scaled", "float", "bitstring")
    return dict(zip(range(45, 52), kinds, strict=True))


def test_a_name_means_itself_though_it_looks_like_a_pattern(make_rig):
    text = EVERY_TYPE.read_text().replace("single command", "q[0]")
    rig = make_rig(text)
    master = rig.master(role="operator", commands=("q[0]",))
    master.send_octets(request(45))
    assert rig.audit.events() == ["command.execute", "command.result"]


@pytest.mark.parametrize(("ioa", "deact"), [(2000, False), (2000, True), (4711, False), (2100, False)])
@pytest.mark.parametrize("how", [{"role": "viewer"}, {"role": "operator", "commands": ("power",)}])
def test_who_may_not_command_does_not_learn_what_there_is(rig, how, ioa, deact):
    """An object that exists, one that does not, and one of another type: the same answer."""
    master = rig.master(**how)
    master.send(45, 8 if deact else 6, ioa, SCO(True))
    (answer,) = master.take()
    assert (answer.cause, answer.negative) == (9 if deact else 7, True)
    assert rig.audit.events() == ["request.refuse"]


def test_a_list_is_told_apart_in_the_record(rig):
    master = rig.master(role="operator", commands=("power",))
    master.send(45, 6, 2000, SCO(True))
    master.send(45, 6, 4711, SCO(True))
    assert not_allowed(rig) == [
        '"lamp" is none of the commands its master may give',
        "there is no such command, and its master may give only some",
    ]


# How often


def recorded(rig, id_: str) -> list[dict[str, object]]:
    return [record for record in rig.audit.records if record.get("id") == id_]


def counted(rig, event: str) -> int:
    return rig.audit.events().count(event)


def storm(master, type_id: int, *elements: object, ioa: int, times: int) -> list[ASDU]:
    answers = []
    for _ in range(times):
        master.send(type_id, 6, ioa, *elements)
        answers += master.take()
    return answers


def test_a_storm_of_selects_moves_nothing_and_its_records_are_bounded(rig):
    """10,000 selects in 100 s, each in vain but the first."""
    good = rig.master(group="other")
    master = rig.master()
    for _ in range(100):
        storm(master, 46, DCO(1, 0, True), ioa=2100, times=100)
        rig.advance(1)
        rig.set("door", 1 - int(rig.table.value(rig.table.index("door")).value))
    taken = BURST + 100 * PER_SECOND
    assert rig.relays.history == []
    kinds = counted(rig, "command.select") + counted(rig, "command.refuse")
    assert taken - PER_SECOND <= kinds <= taken
    assert counted(rig, "command.cancel") <= 100 / 10 + 1  # one for each selection that timed out
    too_many = recorded(rig, TOO_MANY)
    assert len(too_many) <= RECORDS * (100 / PERIOD_S + 1)
    assert master.session.refusals.total == 10_000 - kinds
    assert master.closed is None
    assert {record["reason"] for record in too_many} == {"too many commands"}
    assert len([asdu for asdu in good.take() if asdu.type_id == 30]) >= 100
    good.send(45, 6, 2000, SCO(True))
    assert [a.negative for a in good.take() if a.type_id == 45] == [False]


def test_beyond_the_burst_a_command_is_refused_until_time_has_passed(rig):
    master = rig.master()
    storm(master, 46, DCO(1, 0, True), ioa=2100, times=BURST)
    master.send(45, 6, 2000, SCO(True))
    (answer,) = master.take()
    assert (answer.cause, answer.negative) == (7, True)
    assert rig.relays.history == []
    rig.advance(1 / PER_SECOND)
    master.send(45, 6, 2000, SCO(True))
    assert [a.negative for a in master.take() if a.type_id == 45] == [False]
    assert rig.relays.history


def test_addresses_that_do_not_exist_count_too(rig):
    master = rig.master()
    answers = []
    for ioa in range(BURST + 1):
        master.send(45, 6, 5000 + ioa, SCO(True))
        answers += master.take()
    assert [(answer.cause, answer.negative) for answer in answers] == [(47, True)] * BURST + [(7, True)]


def test_what_was_not_allowed_costs_nothing(rig):
    """A viewer of the same group cannot use up what belongs to its operator."""
    viewer = rig.master(role="viewer")
    storm(viewer, 45, SCO(True), ioa=2000, times=10 * BURST)
    viewer.disconnect()
    operator = rig.master(role="operator")
    operator.send(45, 6, 2000, SCO(True))
    assert [a.negative for a in operator.take() if a.type_id == 45] == [False]


def test_a_new_connection_does_not_renew_the_allowance(rig):
    master = rig.master()
    storm(master, 45, SCO(True), ioa=4711, times=BURST)
    master.disconnect()
    again = rig.master()
    again.send(45, 6, 2000, SCO(True))
    assert [(a.cause, a.negative) for a in again.take()] == [(7, True)]


def test_what_only_reads_is_not_limited(rig):
    master = rig.master(role="viewer")
    for _ in range(3 * BURST):
        master.send(102, 5, 100)
    assert len(master.take()) == 3 * BURST


# Sweeps


def test_trying_address_after_address_is_an_alarm_and_the_connection_is_kept(rig):
    master = rig.master(role="viewer")
    for ioa in range(5000, 5000 + 10 * ADDRESSES):
        master.send(45, 6, ioa, SCO(True))
    (alarm,) = recorded(rig, SWEEP)
    assert alarm["event"] == "security.sweep"
    assert (alarm["master"], alarm["peer"], alarm["ioa"]) == ("master of main", "192.0.2.1", 5000 + ADDRESSES)
    assert master.closed is None


def test_a_sweep_that_goes_on_is_told_again_each_period(rig):
    master = rig.master()
    for second in range(3 * SWEEP_S):
        master.send(102, 5, 10_000 + second)
        rig.advance(1)
    assert 2 <= len(recorded(rig, SWEEP)) <= 3


@pytest.mark.parametrize("times", [1, 100])
def test_the_same_few_addresses_are_no_sweep(rig, times):
    master = rig.master(role="viewer")
    for _ in range(times):
        for ioa in range(ADDRESSES):
            master.send(45, 6, 5000 + ioa, SCO(True))
    assert recorded(rig, SWEEP) == []


def test_slow_mistakes_are_no_sweep(rig):
    master = rig.master()
    for ioa in range(3 * ADDRESSES):
        master.send(45, 6, 5000 + ioa, SCO(True))
        rig.advance(SWEEP_S / ADDRESSES + 0.1)
    assert recorded(rig, SWEEP) == []


def test_a_sweep_goes_on_over_a_new_connection(rig):
    for ioa in range(5000, 5000 + ADDRESSES + 1):
        master = rig.master()
        master.send(45, 6, ioa, SCO(True))
        master.disconnect()
    assert len(recorded(rig, SWEEP)) == 1


def test_common_addresses_are_swept_like_objects(rig):
    master = rig.master()
    for ca in range(100, 100 + ADDRESSES + 1):
        master.send_octets(pack("<BBBBHBBBB", 100, 1, 6, 0, ca, 0, 0, 0, 20))
    assert len(recorded(rig, SWEEP)) == 1


def test_refused_commands_of_the_outputs_are_part_of_a_sweep(make_rig):
    """Direct execution of what has to be selected first, one breaker after the other."""
    command = (
        '[[command]]\nname = "q{0}"\ntype = "double"\noutput = {{ device = "field", on = {1}, off = {2} }}\n'
        "select = {{}}\naddress = [ {{ ioa = {3} }} ]\n"
    )
    text = 'format = 1\n[station]\nname = "bay"\ncommon_address = 1\n[device.field]\ndriver = "recorded"\nconfig = {}\n'
    swept = range(ADDRESSES + 1)
    rig = make_rig(text + "".join(command.format(q, 2 * q, 2 * q + 1, 5000 + q) for q in swept))
    master = rig.master()
    for q in swept:
        master.send(46, 6, 5000 + q, DCO(2))
    assert counted(rig, "command.refuse") == ADDRESSES + 1
    assert len(recorded(rig, SWEEP)) == 1
    assert rig.relays.history == []


def test_one_kind_of_refusal_does_not_hide_behind_another(rig):
    master = rig.master(role="viewer")
    for _ in range(100):
        master.send(102, 5, 4711)
    master.send(45, 6, 2000, SCO(True))
    assert not_allowed(rig) == ["the role of viewer does not allow it"]
