"""Reading a station file: what comes out of a good one, and what is said of a bad one."""

from __future__ import annotations

import copy
import datetime
import tomllib
from pathlib import Path

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hw import installed
from rtu.config import load as load_module
from rtu.config.load import ConfigError, load

EXAMPLES = Path(__file__).parents[2] / "config"


def test_a_good_file_gives_its_structs(look, good):
    found = look(good)
    assert found.mistakes == ()
    assert found.file.station.common_address == 12
    assert found.file.protocol.t1 == 15
    assert [point.name for point in found.file.point] == ["q0.position", "remote", "current"]
    assert found.file.command[0].output.pulse_ms.default == 500.0
    assert found.file.master[0].from_ == ["10.8.0.1"]


def test_drivers_keys_become_drivers_structs(look, good):
    file = look(good).file
    assert file.device["adc"].driver == "meter"
    assert file.device["adc"].config.bus == 1
    assert file.point[0].input.options.pull == "up"
    assert file.point[1].input.options.pull == "none"
    assert file.point[2].input.options.range_V == 4.096


def test_devices_may_stand_below_the_points_that_use_them(look, good):
    device = '[device.field]\ndriver = "board"\n'
    assert look(good.replace(device, "") + device).mistakes == ()


@pytest.mark.parametrize("name", ["demo.toml", "every-type.toml", "field.toml"])
def test_the_examples_are_right(name):
    file = load(EXAMPLES / name, find_driver=_own_drivers().get)
    assert file.point


def _own_drivers():
    project = tomllib.loads((EXAMPLES.parent / "pyproject.toml").read_text())["project"]
    named = project["entry-points"][installed.ENTRY_POINTS]
    return {name: installed.load(value) for name, value in named.items()}


def test_load_raises_all_mistakes_at_once(tmp_path):
    path = tmp_path / "station.toml"
    path.write_text('format = 2\n[station]\nname = 5\n[events]\ncapacity = "many"\n')
    with pytest.raises(ConfigError) as caught:
        load(path)
    errors = [str(mistake) for mistake in caught.value.mistakes if mistake.severity == "error"]
    assert errors == [
        f"{path}:1: format: must be 1, got 2",
        f'{path}:2: station: "common_address" is missing',
        f"{path}:3: station.name: expected text, got 5",
        f'{path}:5: events.capacity: expected a whole number, got text "many"',
    ]
    assert str(caught.value).splitlines() == [str(mistake) for mistake in caught.value.mistakes]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a = 1\nb = \n", "station.toml:2: not valid TOML: not a value (text goes in quotes) (column 5)"),
        ("a = 1\na = 2\n", "station.toml:2: not valid TOML: this key is given twice (column 6)"),
        ("a = '''x\n\n", "station.toml:3: not valid TOML: expected \"'''\""),
        ("a = " + "[" * 20000, "station.toml: not usable TOML: nested too deeply"),
        ("a = " + "9" * 5000, None),
    ],
)
def test_a_syntax_error_is_one_mistake(complaints, text, complaint):
    found = complaints(text)
    assert len(found) == 1
    assert complaint is None or found == [complaint]


def test_a_file_that_is_not_there_is_a_mistake(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.toml: cannot be read: No such file or directory"):
        load(tmp_path / "gone.toml")


def test_a_file_in_another_encoding_is_a_mistake(tmp_path):
    path = tmp_path / "station.toml"
    path.write_bytes(b"format = 1\nname = '\xe4'\n")
    with pytest.raises(ConfigError, match=r":2: not UTF-8 text: save the file with that encoding$"):
        load(path)


def test_a_byte_order_mark_does_no_harm(look, good):
    assert look("\ufeff" + good).mistakes == ()


def test_a_file_that_is_far_too_long_is_not_even_read(look, good, monkeypatch):
    monkeypatch.setattr(load_module, "LARGEST_FILE", len(good))
    assert look(good).mistakes == ()
    (mistake,) = look(good + "#").mistakes
    assert mistake.text.startswith("cannot be read: larger than")


def test_a_number_beyond_all_measure_is_a_mistake_on_its_line(complaints, good):
    point = good.count("\n") + 1
    text = f"""{good}[[point]]
name = "u"
type = "float"
report = {{ deadband = 1{"0" * 400}, at_least_s = 1e300 }}
input = {{ device = "adc", channel = "A1", scan_ms = 1e308 }}
address = [ {{ ioa = 20 }} ]
"""
    assert complaints(text) == [
        f'station.toml:{point + 3}: point "u": report.deadband: expected a finite number, got a huge number',
        f'station.toml:{point + 3}: point "u": report.at_least_s: must be from 0 to 31536000, got 1e+300',
        f'station.toml:{point + 4}: point "u": input.scan_ms: must be from 10 to 86400000, got 1e+308',
    ]


def test_an_empty_file_says_what_is_missing(complaints):
    assert complaints("")[:2] == [
        'station.toml:1: "format" is missing',
        'station.toml:1: "station" is missing',
    ]


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ("[protocl]", '15: protocl: unknown key, did you mean "protocol"?'),
        ("[protocol]\nt1 = true", "16: protocol.t1: expected a number, got true"),
        ("[protocol]\nt1 = 256", "16: protocol.t1: must be from 1 to 255, got 256"),
        ("[protocol]\nt1 = nan", "16: protocol.t1: expected a finite number, got nan"),
        ("[protocol]\nk = 5.0", "16: protocol.k: expected a whole number, got 5.0"),
        ("[protocol]\nk = 1979-05-27", "16: protocol.k: expected a whole number, got a date or time"),
        ("[clock]\nmax_error_ms = 0", "16: clock.max_error_ms: must be more than 0 and at most 16000, got 0"),
        (
            '[clock]\nsource = "mastre"',
            '16: clock.source: must be "master", "none" or "ntp", got text "mastre", did you mean "master"?',
        ),
        ("[events]\ndirectory = ''", "16: events.directory: must not be empty"),
        ("[listen]\ntls = 1", "16: listen.tls: expected a table, got 1"),
        (
            "[point]\nname = 'p'",
            "15: point: expected an array of tables, got one table: put it in double brackets, [[ ]] or [ { } ]",
        ),
        ("[[point]]\ninput = {}\n", '15: point 1: "name" is missing'),
        (
            "[[point]]\nname = 'p'\ninput = { device = 'field', line = 1.5 }",
            '17: point "p": input.line: expected a whole number or text, got 1.5',
        ),
        (
            "[[point]]\nname = 'p'\ninput = { device = 'adc', from_mA = [4] }",
            '17: point "p": input.from_mA: expected an array of 2 values, got an array of 1 value',
        ),
        (
            "[[point]]\nname = 'p'\ninput = { device = 'adc', from_ma = [4, 20] }",
            '17: point "p": input.from_ma: unknown key, did you mean "from_mA"?',
        ),
        (
            "[[point]]\nname = 'p'\ninput = { device = 'field', pul = 'up' }",
            '17: point "p": input.pul: unknown key, did you mean "pull"?',
        ),
        (
            "[[point]]\nname = 'p'\ninput = { device = 'field', options = {} }",
            '17: point "p": input.options: unknown key',
        ),
        (
            "[[point]]\nname = 'p'\ninput = { device = 'field', pull = 'upp' }",
            '17: point "p": input.pull: must be "down", "none" or "up", got text "upp", did you mean "up"?',
        ),
        (
            "[[point]]\nname = 'p'\naddress = [\n {},\n { ioa = 0 } ]",
            '18: point "p": address: "ioa" is missing',
        ),
        (
            "[[point]]\nname = 'p'\naddress = [\n {},\n { ioa = 0 } ]",
            '19: point "p": address.ioa: must be from 1 to 16777215, got 0',
        ),
        (
            "[[point]]\nname = 'p'\naddress = [ { ioa = 1, group = 17 } ]",
            '17: point "p": address.group: must be from 1 to 16, got 17',
        ),
        (
            "[[point]]\nname = 'p'\naddress = [ { ioa = 1, group = [\n1,\n0] } ]",
            '19: point "p": address.group: must be from 1 to 16, got 0',
        ),
        (
            "[[command]]\nname = 'c'\nrequire = { 'a.b' = 'shut' }",
            '17: command "c": require."a.b": must be "closed", "off", "on" or "open", got text "shut"',
        ),
        ("[device.x]\nchip = ''", '15: device "x": "driver" is missing'),
        (
            "[device.x]\ndriver = 'bord'",
            '16: device "x": driver: no driver "bord", did you mean "board"? (installed: "board" and "meter")',
        ),
        ("[device.x]\ndriver = 'meter'", '15: device "x": "bus" is missing'),
        (
            "[device.x]\ndriver = 'meter'\nbus = '1'",
            '17: device "x": bus: expected a whole number, got text "1"',
        ),
        ("[device.x]\ndriver = 'meter'\nbus = 1\nrate = 9", '18: device "x": rate: must be 8 or 16, got 9'),
        ("[device.x]\ndriver = 'meter'\nbuss = 1", '17: device "x": buss: unknown key, did you mean "bus"?'),
        ("[device.x]\ndriver = 'meter'\nconfig = 1", '17: device "x": config: unknown key'),
    ],
)
def test_a_wrong_value_is_told_with_its_line(complaints, head, wrong, complaint):
    assert f"station.toml:{complaint}" in complaints(head + wrong)


def test_a_driver_that_cannot_be_imported_is_a_mistake_of_its_device(tmp_path):
    def broken(name):
        raise ImportError("No module named 'pymodbus'")

    path = tmp_path / "station.toml"
    path.write_text('format = 1\n[station]\nname = "s"\ncommon_address = 1\n[device.m]\ndriver = "modbus"\n')
    with pytest.raises(
        ConfigError, match=r"""driver "modbus" cannot be loaded: No module named 'pymodbus'"""
    ):
        load(path, find_driver=broken)


def test_a_broken_device_makes_no_mistakes_of_the_points_that_use_it(complaints, good):
    assert complaints(good.replace('driver = "meter"', 'driver = "metre"')) == [
        'station.toml:13: device "adc": driver: no driver "metre", did you mean "meter"?'
        ' (installed: "board" and "meter")'
    ]


def test_what_is_quoted_cannot_move_the_cursor(complaints, head):
    text = head + '[[point]]\nname = "p\\u001b[2J"\ntype = "\\u202Efloat\\u0007"\n'
    found = "\n".join(complaints(text))
    assert all(letter.isprintable() or letter == "\n" for letter in found)
    assert 'point "p\\x1b[2J"' in found
    assert 'got text "\\u202efloat\\x07"' in found


def test_long_values_are_cut(complaints, head):
    found = complaints(f"{head}[clock]\nsource = '{'x' * 1000}'")
    assert len(max(found, key=len)) < 200


def _places(value, path=()):
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _places(below, (*path, key))


NUMBERS = [0, -1, 1, 5, 1.5, float("nan"), 2**40, True, datetime.date(2000, 1, 1)]
TEXTS = ["", "on", "q0.position", "field", "::1", "\x00"]
TABLES = [[], [1], [{}], [{"name": "p"}], [["x"]], {}, {"ioa": 1}, {"x": {}}]
WRONG = st.sampled_from([None, *NUMBERS, *TEXTS, *TABLES])


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_in_a_file_there_is_an_answer(data, look, good):
    """Replace or remove any two values of a good file: every complaint has words and a line of the file."""
    document = tomllib.loads(good)
    for _ in range(2):
        *path, last = data.draw(st.sampled_from(list(_places(document))))
        table = document
        for key in path:
            table = table[key]
        value = data.draw(WRONG)
        if value is None:
            del table[last]
        else:
            table[last] = copy.deepcopy(value)
    text = tomli_w.dumps(document)
    found = look(text, check_files=True)
    assert (found.file is None) == bool(found.errors)
    for mistake in found.mistakes:
        assert mistake.text.isprintable()
        assert 1 <= mistake.line <= text.count("\n") + 1
