"""Points that are made of others, are told twice, are frozen, or are there for others only."""

from __future__ import annotations

import pytest

HEAD_LINES = 14


def single(name: str, line: int, address: str = "") -> str:
    """Four lines and one that says where it comes from."""
    return f'[[point]]\nname = "{name}"\ntype = "single"\ninput = {{ device = "field", line = {line} }}\naddress = [{address}]\n'


METER = '[[point]]\nname = "m"\ntype = "float"\ninput = { device = "adc", channel = "A0" }\naddress = [{ ioa = 4 }]\n'
MEMBERS = METER + single("a", 1) + single("b", 2) + single("c", 3, "{ ioa = 3 }")
AFTER = HEAD_LINES + 20


def made(type_: str, of: str, more: str = "", address: str = "{ ioa = 100 }") -> str:
    return f'[[point]]\nname = "p"\ntype = "{type_}"\nof = {of}\naddress = [ {address} ]\n{more}\n'


def measured(type_: str, address: str, more: str = "") -> str:
    return f'[[point]]\nname = "p"\ntype = "{type_}"\ninput = {{ device = "adc", channel = "A1" }}\naddress = [ {address} ]\n{more}\n'


COUNTER = '[[point]]\nname = "p"\ntype = "counter"\ninput = { device = "field", channel = 9 }\naddress = [ { ioa = 100 } ]\n'
WORD = '[[point]]\nname = "p"\ntype = "bitstring"\ninput = { device = "adc", channel = "W" }\naddress = [ { ioa = 100 } ]\n'
BOTH = '["a", "b"]'


@pytest.mark.parametrize(
    "part",
    [
        made("packed", BOTH, "report = { background_s = 60 }", "{ ioa = 100, group = [1, 2] }"),
        made("packed", '["", "a"' + ', ""' * 13 + ', "b"]'),
        made("protection", '"a"', 'since = "b"'),
        made("protection_start", '{ general = "a", reverse = "b" }'),
        made("protection_trip", '{ general = "a" }', 'since = "b"'),
        measured("float", "{ ioa = 100, time_tag = 'both' }", "report = { keep = 'every' }")
        + made("packed", BOTH, address="{ ioa = 101 }").replace('"p"', '"q"'),
        measured("normalized", "{ ioa = 100, quality = false }, { ioa = 101, type = 'float' }")
        + made("packed", BOTH, address="{ ioa = 102 }").replace('"p"', '"q"'),
        COUNTER
        + "freeze = { by = 'clock', every_s = 900, reset = true, tell = true }\n"
        + made("packed", BOTH, address="{ ioa = 101 }").replace('"p"', '"q"'),
        WORD + made("packed", BOTH, address="{ ioa = 101 }").replace('"p"', '"q"'),
    ],
)
def test_what_is_right_is_left_alone(complaints, head, part):
    assert complaints(head + MEMBERS + part) == []


@pytest.mark.parametrize(
    ("part", "line", "complaint"),
    [
        # one source
        (
            made("single", '"a"'),
            4,
            "of has no meaning for a single point, only for packed, protection, protection_start and protection_trip",
        ),
        (
            made("packed", BOTH).replace("of =", 'system = "events.lost"\nof ='),
            4,
            "system has no meaning for a packed point, only for bitstring, single, float, scaled and normalized",
        ),
        (
            made("packed", BOTH).replace("of = " + BOTH + "\n", ""),
            1,
            'a packed point is made of single points: `of` is missing, a list of names, such as ["door", "", "fire"]',
        ),
        # of
        (made("packed", '"a"'), 4, '`of` of a packed point is a list of names, such as ["door", "", "fire"]'),
        (made("protection", '["a"]'), 4, "`of` of a protection point is one name"),
        (
            made("protection_trip", '"a"'),
            4,
            '`of` of a protection_trip point is names by what they are, such as { l1 = "relay.l1" }',
        ),
        (made("packed", '["a", "b", "door"]'), 4, 'of: no point "door"'),
        (made("protection", '"aa"'), 4, 'of: no point "aa", did you mean "a"?'),
        (made("packed", '["a", "a"]'), 4, 'of: "a" is named twice'),
        (made("packed", '["", ""]'), 4, "of: not one point is named"),
        (made("packed", "[]"), 4, "of: not one point is named"),
        (made("packed", '["a"' + ', ""' * 16 + "]"), 4, "of: 17 names, a packed point has 16 bits"),
        (made("protection_trip", '{ earth = "a" }'), 4, 'of: no "earth": there are general, l1, l2 and l3'),
        (made("protection_start", '{ revers = "a" }'), 4, 'of: no "revers", did you mean "reverse"?'),
        (made("packed", '["a", "p"]'), 4, 'of: "p" is packed, not a single point'),
        # since
        (
            made("protection_start", '{ l1 = "a" }', 'since = "b"'),
            6,
            "since has no meaning for a protection_start point, only for protection and protection_trip",
        ),
        (made("protection", '"a"', 'since = "x"'), 6, 'since: no point "x"'),
        (made("protection", '"a"', 'since = "a"'), 6, 'since: "a" is named twice'),
        # their addresses
        (
            made("packed", BOTH, address="{ ioa = 100, time_tag = true }"),
            5,
            "time_tag has no meaning for a packed point, only for single, double, float, scaled, normalized, step, "
            "bitstring and counter",
        ),
        (
            made("protection", '"a"', address="{ ioa = 100, group = 1 }"),
            5,
            "group has no meaning for a protection point, only for single, double, float, scaled, normalized, step, "
            "bitstring, counter and packed",
        ),
        (
            made("protection", '"a"', "report = { background_s = 60 }"),
            6,
            "report.background_s has no meaning for a protection point, only for single, double, step, bitstring, "
            "packed, float, scaled and normalized",
        ),
        # double transmission
        (
            measured("float", "{ ioa = 100, time_tag = 'both' }"),
            5,
            'time_tag = "both" needs report = { keep = "every" }: else one newest value is kept of each address',
        ),
        (
            COUNTER.replace("ioa = 100", "ioa = 100, time_tag = 'both'"),
            5,
            'time_tag = "both" is not for counters: give true or false',
        ),
        # quality
        (
            measured("float", "{ ioa = 100, quality = false }"),
            5,
            "quality is for normalized values, this is float",
        ),
        # bitstrings
        (WORD.replace('"W"', '"W", from_V = [0, 1], to = [0, 1]'), 4, None),
        (
            WORD.replace('device = "adc"', 'device = "field"'),
            4,
            'a bitstring point needs an analogue input, device "field" (board) has counters, digital inputs and '
            "digital outputs",
        ),
        # freezes
        (
            measured("float", "{ ioa = 100 }", "freeze = { by = 'clock' }"),
            6,
            "freeze has no meaning for a float point, only for counter",
        ),
        (
            COUNTER + "freeze = { reset = true }\n",
            6,
            'freeze.reset is for by = "clock": a master says so in its command',
        ),
        (
            COUNTER + "freeze = { by = 'clock', every_s = 7000 }\n",
            6,
            "warning: freeze.every_s: a day is no multiple of 7000 s, so its last period is shorter",
        ),
        # points without addresses
        (
            measured("float", ""),
            5,
            "it has no address and nothing refers to it: give it an address, or remove it",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(complaints, head, part, line, complaint):
    # `a` and `b` are needed by something that is right, so that they are no mistakes themselves.
    right = '[[point]]\nname = "z"\ntype = "packed"\nof = ["a", "b"]\naddress = [ { ioa = 999 } ]\n'
    told = complaints(head + MEMBERS + part + right)
    if complaint is None:
        assert len(told) == 2
        return
    severity, text = (
        ("warning: ", complaint.removeprefix("warning: ")) if "warning" in complaint else ("", complaint)
    )
    assert told == [f'station.toml:{AFTER + line}: {severity}point "p": {text}']


def test_a_point_without_addresses_may_be_there_for_a_command_or_a_record(complaints, head):
    text = head + METER + single("a", 1) + single("b", 2) + single("c", 3) + single("d", 4)
    text += (
        '[[command]]\nname = "x"\ntype = "single"\noutput = { device = "field", on = 30 }\n'
        'require = { a = "on" }\nfeedback = { point = "b" }\naddress = [ { ioa = 200 } ]\n'
        "[files]\n"
        '[[record]]\nname = "fault"\ntrigger = { c = "on" }\npoints = ["d"]\naddress = { ioa = 5000 }\n'
    )
    assert complaints(text) == []


def test_nobody_says_that_a_point_is_not_needed_while_something_is_broken(complaints, head):
    text = head + METER + single("a", 1) + made("packed", "1")
    (told,) = complaints(text)
    assert "of:" in told
