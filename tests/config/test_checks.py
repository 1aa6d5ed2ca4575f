"""What tables must say together: one test for each kind of mistake, with its words and its line."""

from __future__ import annotations

import pytest

# Line numbers: the head of a file (conftest) has 14 lines, the good file's parts follow.


def point(
    type_: str, input_: str = "", more: str = "", address: str = "{ ioa = 100 }", name: str = "p"
) -> str:
    source = f"input = {{ {input_} }}\n" if input_ else "\n"
    return f'[[point]]\nname = "{name}"\ntype = "{type_}"\n{source}address = [ {address} ]\n{more}\n'


def command(type_: str, output: str, more: str = "", address: str = "{ ioa = 200 }", name: str = "c") -> str:
    return f'[[command]]\nname = "{name}"\ntype = "{type_}"\noutput = {{ {output} }}\naddress = [ {address} ]\n{more}\n'


GOOD_LINES = 39
LINE = "device = 'field', line = 33"
ANALOG = "device = 'adc', channel = 'A1'"
COIL = "device = 'field', on = 30"
PAIR = "device = 'field', on = 30, off = 31"
TLS = (
    "[listen.tls]\ncertificate = 's.crt'\nprivate_key = 's.key'\ntrusted = ['ca.crt']\n"
    f"[[master]]\nname = 't'\nidentity = {{ spki_sha256 = '{'0' * 64}' }}\n"
)


@pytest.mark.parametrize(
    "part",
    [
        point("single", LINE),
        point("single", "device = 'field', line = 3, invert = true"),
        point("float", "device = 'adc', channel = 'A0', range_V = 4.096"),
        point("double", "device = 'field', open = 30, closed = 31, transit_ms = 800"),
        point("step", ANALOG + ", from_V = [0, 5], to = [1, 17]"),
        point("float", ANALOG + ", from_mA = [4, 20], shunt_ohm = 100, to = [0, 400], live_zero = true"),
        point("float", ANALOG + ", from_V = [1, 5], to = [0, 400], live_zero = true"),
        point("float", ANALOG, "report = { deadband = 1, at_least_s = 5, keep = 'every', cyclic_s = 1 }"),
        point("scaled", ANALOG, address="{ ioa = 100, resolution = 0.1 }, { ioa = 101, type = 'float' }"),
        point("normalized", ANALOG, address="{ ioa = 100, nominal = 400 }, { ca = 77, ioa = 100 }"),
        point("counter", "device = 'field', channel = 30", address="{ ioa = 100, group = [1, 4] }"),
        point("bitstring", more="").replace("address", 'system = "events.lost"\naddress'),
        point("single").replace("address", 'system = "plain.open"\naddress'),
        *(
            point(type_).replace("address", 'system = "certificate.days_left"\naddress') + TLS
            for type_ in ("float", "scaled", "normalized")
        ),
        command("single", COIL),
        command("single", COIL + ", latched = true"),
        command("single", PAIR),
        command("double", PAIR + ", enable = 32, pulse_ms = { default = 59500 }, active_low = true"),
        command("step", "device = 'field', higher = 30, lower = 31"),
        command("scaled", "device = 'adc', channel = 'S1', min = -1, max = 1", "termination = false"),
        command("double", PAIR, "feedback = { point = 'q0.position' }\nrequire = { remote = 'on' }"),
        command("single", COIL, "feedback = { point = 'remote' }\nrequire = { 'q0.position' = 'open' }"),
        command("single", "device = 'field', on = 30, enable = 6", "lock_group = 'q0.operate'"),
    ],
)
def test_what_is_right_is_left_alone(complaints, good, part):
    assert complaints(good + part) == []


CONTACTS_ONLY = "only for single and double"
MEASURED_ONLY = "only for float, scaled and normalized"


@pytest.mark.parametrize(
    ("part", "line", "complaint"),
    [
        # channels by type
        (point("single"), 1, 'point "p": "input" is missing'),
        (point("single", "device = 'field'"), 4, 'point "p": a single point needs "line" in its input'),
        (
            point("double", "device = 'field', open = 30"),
            4,
            'point "p": a double point needs "closed" in its input',
        ),
        (point("float", "device = 'adc'"), 4, 'point "p": a float point needs "channel" in its input'),
        (
            point("double", "device = 'field', open = 30, closed = 30"),
            4,
            'point "p": open and closed are the same channel 30',
        ),
        (
            point("single", LINE + ", open = 31"),
            4,
            'point "p": open has no meaning for a single point, only for double',
        ),
        (
            point("float", ANALOG + ", debounce_ms = 3"),
            4,
            f'point "p": debounce_ms has no meaning for a float point, {CONTACTS_ONLY}',
        ),
        (
            point("bitstring"),
            1,
            'point "p": "input" is missing, or system = "events.lost"',
        ),
        (
            point("single").replace("address", 'system = "events.lost"\naddress'),
            5,
            'point "p": events.lost is a bitstring point, not a single',
        ),
        (
            point("bitstring").replace("address", 'system = "outputs.locked"\naddress'),
            5,
            'point "p": outputs.locked is a single point, not a bitstring',
        ),
        (
            point("single").replace("address", 'system = "certificate.days_left"\naddress') + TLS,
            5,
            'point "p": certificate.days_left is a float, scaled or normalized point, not a single',
        ),
        (
            point("single").replace("address", 'system = "tls.failed"\naddress'),
            5,
            'point "p": tls.failed needs [listen.tls], which is not there',
        ),
        (
            point("bitstring", ANALOG).replace("address", 'system = "events.lost"\naddress'),
            5,
            'point "p": give either `input` or `system`, not both',
        ),
        # periods
        (
            point("float", ANALOG).replace("address", "report = { cyclic_s = 1e-9 }\naddress"),
            5,
            'point "p": report.cyclic_s must be 0 (off) or at least 0.1',
        ),
        # devices
        (
            point("single", "device = 'fild', line = 33"),
            4,
            'point "p": no device "fild", did you mean "field"?',
        ),
        (
            point("float", "device = 'field', channel = 33"),
            4,
            'point "p": a float point needs an analogue input, device "field" (board) has '
            "counters, digital inputs and digital outputs",
        ),
        (
            command("float", "device = 'field', channel = 33, min = 0, max = 1"),
            4,
            'command "c": a float command needs an analogue output, device "field" (board) has '
            "counters, digital inputs and digital outputs",
        ),
        (
            point("float", "device = 'adc', channel = 'A0'"),
            4,
            'point "p": channel "A0" of device "adc" is read by "current" (line 28) too, '
            "with other options of its device",
        ),
        # scaling
        (
            point("float", ANALOG + ", from_mA = [4, 20], to = [0, 1]"),
            4,
            'point "p": from_mA needs shunt_ohm, the resistor that makes the current a voltage',
        ),
        (
            point("float", ANALOG + ", from_mA = [4, 20], shunt_ohm = 100"),
            4,
            'point "p": from_mA needs `to`, the engineering units at both ends',
        ),
        (
            point("float", ANALOG + ", from_V = [0, 5]"),
            4,
            'point "p": from_V needs `to`, the engineering units at both ends',
        ),
        (
            point("float", ANALOG + ", to = [0, 5]"),
            4,
            'point "p": `to` needs from_mA or from_V, what is measured at both ends',
        ),
        (
            point("float", ANALOG + ", from_V = [0, 5], from_mA = [4, 20], to = [0, 5]"),
            4,
            'point "p": give either from_mA or from_V, not both',
        ),
        (
            point("float", ANALOG + ", from_V = [0, 5], shunt_ohm = 1, to = [0, 5]"),
            4,
            'point "p": shunt_ohm has no meaning with from_V',
        ),
        (
            point("float", ANALOG + ", from_V = [5, 5], to = [0, 5]"),
            4,
            'point "p": the two ends of from_V must differ',
        ),
        (
            point("float", ANALOG + ", from_V = [0, 5], to = [5, 5]"),
            4,
            'point "p": the two ends of `to` must differ',
        ),
        (
            point("float", ANALOG + ", from_V = [0, 5], to = [0, 1], live_zero = true"),
            4,
            'point "p": live_zero needs from_mA or from_V with both ends above zero',
        ),
        (
            point("scaled", ANALOG + ", from_V = [0, 5], to = [0, 40000]"),
            5,
            'warning: point "p": the scaled form reaches from -32768 to 32767, the input from 0 to 40000: '
            "give a larger `resolution`",
        ),
        (
            point("normalized", ANALOG + ", from_V = [0, 5], to = [0, 24]", 'unit = "kV"'),
            5,
            'warning: point "p": the normalized form reaches from -1 to 1 kV, the input from 0 to 24: '
            "give a larger `nominal`",
        ),
        # reporting
        (
            point("single", LINE, "report = { deadband = 1 }"),
            6,
            f'point "p": report.deadband has no meaning for a single point, {MEASURED_ONLY}',
        ),
        (
            point("single", LINE, "[point.report]\nkeep = 'every'"),
            7,
            f'point "p": report.keep has no meaning for a single point, {MEASURED_ONLY}',
        ),
        (
            point("counter", "device = 'field', channel = 30", "report = { background_s = 1 }"),
            6,
            'point "p": report.background_s has no meaning for a counter point, only for single, double, step, '
            "bitstring, packed, float, scaled and normalized",
        ),
        # addresses
        (
            point("single", LINE, address="{ ioa = 100, type = 'float' }"),
            5,
            f'point "p": type has no meaning for a single point, {MEASURED_ONLY}',
        ),
        (
            point("float", ANALOG, address="{ ioa = 100, resolution = 1 }"),
            5,
            'point "p": resolution is for scaled values, this is float',
        ),
        (
            point("normalized", ANALOG, address="{ ioa = 100, type = 'scaled', nominal = 1 }"),
            5,
            'point "p": nominal is for normalized values, this is scaled',
        ),
        (
            point("counter", "device = 'field', channel = 30", address="{ ioa = 100, group = [1, 5] }"),
            5,
            'point "p": counters have groups 1 to 4 only',
        ),
        (
            point("single", LINE, address="{ ioa = 1 }"),
            5,
            'point "p": ioa 1 is already used by "q0.position" (line 19)',
        ),
        (
            point("single", LINE, address="{ ioa = 100 },\n{ ca = 12, ioa = 100 }"),
            6,
            'point "p": ioa 100 is already used by "p" (line 44)',
        ),
        (
            point("single", LINE, address="{ ca = 7, ioa = 1 }, { ca = 7, ioa = 1 }"),
            5,
            'point "p": ca 7 ioa 1 is already used by "p" (line 44)',
        ),
        (
            point("single", LINE, address="{ ioa = 11 }"),
            5,
            'point "p": ioa 11 is already used by command "q0.operate" (line 34)',
        ),
        (
            command("single", COIL, address="{ ioa = 1 }"),
            5,
            'command "c": ioa 1 is already used by "q0.position" (line 19)',
        ),
        (
            command("single", COIL, address="{ ioa = 200, resolution = 1 }"),
            5,
            'command "c": resolution is for scaled values, this is single',
        ),
        # names
        (point("single", LINE, name="remote"), 2, 'point "remote": another point has that name (line 20)'),
        (
            command("single", COIL, name="limit"),
            2,
            'command "limit": another command has that name (line 35)',
        ),
        (
            point("single", LINE, name="a\\tb"),
            2,
            'point "a\\tb": name "a\\tb" holds characters that cannot be printed',
        ),
        (
            command("single", COIL, 'lock_group = "\\u0007"'),
            6,
            'command "c": lock_group "\\x07" holds characters that cannot be printed',
        ),
        # outputs by type
        (
            command("single", "device = 'field', off = 31"),
            4,
            'command "c": a single command needs "on" in its output',
        ),
        (command("double", COIL), 4, 'command "c": a double command needs "off" in its output'),
        (
            command("step", "device = 'field', higher = 30"),
            4,
            'command "c": a step command needs "lower" in its output',
        ),
        (
            command("float", "device = 'adc', channel = 'S1', min = 0"),
            4,
            'command "c": a float set-point needs "max" in its output',
        ),
        (
            command("float", "device = 'adc', channel = 'S1', min = 2, max = 1"),
            4,
            'command "c": min (2) must be less than max (1)',
        ),
        (
            command("double", "device = 'field', on = 30, off = 30"),
            4,
            'command "c": on and off are the same line 30',
        ),
        (
            command("double", PAIR + ", enable = 31"),
            4,
            'command "c": off and enable are the same line 31',
        ),
        (
            command("double", PAIR + ", latched = true"),
            4,
            'command "c": latched has no meaning for a double command, only for single',
        ),
        (
            command("float", "device = 'adc', channel = 'S1', min = 0, max = 1, pulse_ms = {}"),
            4,
            'command "c": pulse_ms has no meaning for a float command, only for single, double and step',
        ),
        (command("single", PAIR + ", latched = true"), 4, 'command "c": a latched output is one line, `on`'),
        (
            command("single", COIL + ", latched = true, enable = 31"),
            4,
            'command "c": a latched output cannot have an enable line, which is energised for a pulse only',
        ),
        (
            command("single", COIL + ", latched = true, pulse_ms = { short = 100 }"),
            4,
            'command "c": a latched output has no pulse',
        ),
        (
            command("single", COIL + ", enable = 31, pulse_ms = { long = 60000 }"),
            4,
            'command "c": with an enable line a pulse is at most 59500 ms',
        ),
        # feedback and interlocks
        (
            command("single", COIL, "feedback = { point = 'remte' }"),
            6,
            'command "c": feedback: no point "remte", did you mean "remote"?',
        ),
        (
            command("single", COIL, "feedback = { point = 'current' }"),
            6,
            'command "c": feedback of a single command is a single or double point, "current" is float',
        ),
        (
            command(
                "float",
                "device = 'adc', channel = 'S1', min = 0, max = 1",
                "feedback = { point = 'current' }",
            ),
            6,
            'command "c": a set-point has no feedback',
        ),
        (
            command("single", COIL, "require = { x = 'on' }"),
            6,
            'command "c": require: no point "x"',
        ),
        (
            command("single", COIL, "require = { current = 'on' }"),
            6,
            'command "c": require takes single and double points, "current" is float',
        ),
        (
            command("single", COIL, "require = { remote = 'open' }"),
            6,
            'command "c": "remote" is a single point: require "on" or "off", not "open"',
        ),
        # shared lines
        (
            command("single", "device = 'field', on = 4"),
            4,
            'command "c": line 4 of device "field" is used by "q0.operate" (line 33) too: '
            "put both commands into one lock_group",
        ),
        (
            command("single", "device = 'field', on = 6", "lock_group = 'q0.operate'"),
            4,
            'command "c": line 6 of device "field" is used by "q0.operate" (line 33) too, for another purpose',
        ),
        (
            command("single", "device = 'field', on = 4, latched = true", "lock_group = 'q0.operate'"),
            4,
            'command "c": line 4 of device "field" is used by "q0.operate" (line 33) too, for another purpose',
        ),
        (
            command("single", "device = 'field', on = 4, active_low = true", "lock_group = 'q0.operate'"),
            4,
            'command "c": line 4 of device "field" is used by "q0.operate" (line 33) too, with another active_low',
        ),
        (
            command("single", "device = 'field', on = 4, pull = 'up'", "lock_group = 'q0.operate'"),
            4,
            'command "c": line 4 of device "field" is used by "q0.operate" (line 33) too, '
            "with other options of its device",
        ),
        (
            command("single", "device = 'field', on = 4", "lock_group = 'q0.operate'"),
            4,
            'command "c": line 4 of device "field" is used by "q0.operate" (line 33) too, with another enable line',
        ),
        # the driver
        ("[device.idle]\ndriver = 'board'\n", 1, 'warning: device "idle": no point and no command uses it'),
        # the link and the clock
        ("[protocol]\nt1 = 5\nt2 = 5\nt3 = 6\n", 3, "protocol.t2 (5 s) must be less than t1 (5 s)"),
        ("[protocol]\nt3 = 15\n", 2, "warning: protocol.t3 (15 s) should be more than t1 (15 s)"),
        ("[protocol]\nw = 13\n", 2, "protocol.w (13) must not be more than k (12)"),
        ("[protocol]\nw = 9\n", 2, "warning: protocol.w (9) should be at most two thirds of k (12)"),
        (
            "[clock]\nvalid_for_s = 5\n",
            2,
            'warning: clock.valid_for_s has no effect: it is for source = "master"',
        ),
    ],
)
def test_a_mistake_is_told_once_with_its_line(complaints, good, part, line, complaint):
    found = complaints(good + part)
    if complaint.startswith('point "p": a bitstring'):
        found = found[:1]  # its input has mistakes of its own
    assert found == [f"station.toml:{GOOD_LINES + line}: {complaint}"]


def test_what_the_driver_finds_is_told_at_its_device(complaints, good):
    found = complaints(good.replace("line = 3", "line = 99"))
    assert found == ['station.toml:10: device "field": remote: there is no line 99']


def test_mistakes_of_all_parts_come_in_one_go_and_in_order(complaints, good):
    text = (
        good.replace('type = "single"', 'type = "singel"')
        .replace("ioa = 3 ", "ioa = 1 ")
        .replace("enable = 6", "enable = 5")
        .replace('name = "s"', "name = 1")
    )
    assert complaints(text + "[protocol]\nw = 13\n") == [
        "station.toml:3: station.name: expected text, got 1",
        'station.toml:22: point "remote": type: must be "bitstring", "counter", "double", "float", "normalized", '
        '"packed", "protection", "protection_start", "protection_trip", "scaled", "single" or "step", got text "singel", did you mean "single"?',
        'station.toml:29: point "current": ioa 1 is already used by "q0.position" (line 19)',
        'station.toml:33: command "q0.operate": off and enable are the same line 5',
        "station.toml:41: protocol.w (13) must not be more than k (12)",
    ]


def test_addresses_of_a_broken_point_are_still_compared(complaints, good):
    part = point("single", LINE, address="{ ioa = 1 }").replace('"single"', "1")
    assert complaints(good + part)[-1] == (
        'station.toml:44: point "p": ioa 1 is already used by "q0.position" (line 19)'
    )


def test_a_broken_point_can_be_referred_to(complaints, good):
    text = good.replace('type = "single"', "type = 1") + command(
        "single", COIL, "require = { remote = 'on' }"
    )
    assert len(complaints(text)) == 1
