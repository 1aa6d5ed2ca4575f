"""From the file to commands, and the mistakes that are found on the way."""

from dataclasses import replace

import msgspec
import pytest

from hw.interface import Kind
from rtu.config.channels import ChannelMap
from rtu.config.check_commands import ENABLED_MS, LONGEST_PULSE_MS
from rtu.config.schema import StationFile
from rtu.outputs.build import build_commands
from rtu.outputs.commands import OVERLAP_S, Line, SetPoint
from rtu.outputs.validate import MAX_PULSE_S, device_mistakes, mistakes
from rtu.points.build import build_signals


def parse(commands):
    text = f"""
format = 1
station = {{ name = "s", common_address = 7 }}
point = [
  {{ name = "pos", type = "double", address = [ {{ ioa = 1 }} ] }},
  {{ name = "amps", type = "float", address = [ {{ ioa = 2 }} ] }},
]
{commands}
"""
    file = msgspec.toml.decode(text, type=StationFile)
    return build_commands(file, ChannelMap(file), build_signals(file))


def single(name, ioa, output, more=""):
    return f"""
[[command]]
name = "{name}"
type = "single"
output = {{ device = "d", {output} }}
address = [ {{ ioa = {ioa} }} ]
{more}
"""


def test_lines_are_counted_as_the_device_is_opened(bench):
    channels = [c for c in ChannelMap(bench.file).channels("field") if c.kind is Kind.DIGITAL_OUTPUT]
    assert sorted(channel.ref for channel in channels) == [5, 6, 7, 22, 23, 24, 25, 26, 27]
    for command in bench.commands:
        for line in command.lines:
            if line.device == "field":
                assert channels[line.output].ref == line.ref
                assert channels[line.output].safe == line.rest


def test_an_active_low_line_rests_high(bench):
    assert bench.command("lamp").coils[1].rest == 1
    assert bench.command("lamp").coils[1].energised == 0


def test_digital_and_analogue_outputs_of_one_device_are_counted_apart():
    commands = parse(
        single("a", 10, "on = 1")
        + """
[[command]]
name = "b"
type = "float"
output = { device = "d", channel = 9, min = 0, max = 1 }
address = [ { ioa = 11 } ]
"""
        + single("c", 12, "on = 2")
    )
    assert [command.coils[1].output for command in (commands[0], commands[2])] == [0, 1]
    assert commands[1].setpoint == SetPoint("d", 0, 0, 1)


def test_the_stations_common_address_is_the_default():
    (command,) = parse(single("a", 10, "on = 1"))
    assert [(target.ca, target.ioa) for target in command.targets] == [(7, 10)]
    assert command.lock_group == "a"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('feedback = { point = "amps" }', '"amps" cannot be the feedback of a single command'),
        ('feedback = { point = "nope" }', '"nope" cannot be the feedback of a single command'),
        ('require = { amps = "on" }', '`require` takes single and double points; "amps" is none'),
        ('require = { nope = "on" }', '`require` takes single and double points; "nope" is none'),
    ],
)
def test_points_that_do_not_fit_are_named(more, said):
    with pytest.raises(ValueError, match="command") as caught:
        parse(single("a", 10, "on = 1", more))
    assert str(caught.value) == f'command "a": {said}'


def test_a_set_point_without_limits_is_a_mistake():
    with pytest.raises(ValueError, match="needs `channel`, `min` and `max`"):
        parse("""
[[command]]
name = "b"
type = "float"
output = { device = "d", channel = 9, min = 0 }
address = [ { ioa = 11 } ]
""")


def test_the_bay_has_no_mistakes(bench):
    assert mistakes(bench.commands) == []
    assert device_mistakes(bench.commands, bench.devices) == []


@pytest.mark.parametrize(
    ("commands", "said"),
    [
        (single("a", 10, "on = 1, latched = true, enable = 2"), "cannot have an enable line"),
        (single("a", 10, "on = 1, off = 2, latched = true"), "has one line"),
        (single("a", 10, "on = 1, off = 1"), "share one line"),
        (single("a", 10, "on = 1, enable = 1"), "coil and enable line at once"),
        (single("a", 10, "enable = 1"), "no output line"),
        (
            single("a", 10, "on = 1, enable = 2, pulse_ms = { long = 60000 }"),
            "must not be longer than 59.5 s",
        ),
        (single("a", 10, "on = 1") + single("b", 11, "on = 1"), "put both in one lock_group"),
        (
            single("a", 10, "on = 1, enable = 3") + single("b", 11, "on = 2, enable = 3"),
            "put both in one lock_group",
        ),
        (
            single("a", 10, "on = 1", 'lock_group = "g"')
            + single("b", 11, "on = 1, active_low = true", 'lock_group = "g"'),
            "another `active_low`",
        ),
        (
            single("a", 10, "on = 1", 'lock_group = "g"')
            + single("b", 11, "on = 1, latched = true", 'lock_group = "g"'),
            "for another purpose",
        ),
        (
            single("a", 10, "on = 1, enable = 3", 'lock_group = "g"')
            + single("b", 11, "on = 3, enable = 1", 'lock_group = "g"'),
            "for another purpose",
        ),
        (
            single("a", 10, "on = 1, enable = 3", 'lock_group = "g"')
            + single("b", 11, "on = 1", 'lock_group = "g"'),
            "with another enable line",
        ),
        (single("a", 10, "on = 1") + single("b", 10, "on = 2"), 'ca 7 ioa 10 is already used by "a"'),
    ],
)
def test_unsafe_wiring_is_a_mistake(commands, said):
    assert any(said in each for each in mistakes(parse(commands)))


def test_commands_of_one_lock_group_may_share_an_enable_line():
    commands = parse(
        single("a", 10, "on = 1, enable = 3", 'lock_group = "g"')
        + single("b", 11, "on = 2, enable = 3", 'lock_group = "g"')
    )
    assert mistakes(commands) == []


def test_a_pulse_that_nothing_ends_by_itself_is_a_mistake_an_enable_line_of_the_same_device_or_not(
    make_bench,
):
    bench = make_bench(bus="i2c-1", self_timed=False)
    named = {line.split('"')[1] for line in device_mistakes(bench.commands, bench.devices)}
    assert named == {"q0.operate", "q0.spring", "horn", "tap.step"}  # the others are latched or set-points


def test_an_enable_line_of_a_device_that_times_itself_ends_every_pulse(make_bench):
    bench = make_bench(bus="i2c-1", self_timed=False)
    bench.devices["timed"] = make_bench().relays
    enabled = replace(bench.command("horn"), enable=Line("timed", 0, 0, 1))
    assert device_mistakes([enabled], bench.devices) == []


def test_a_device_without_outputs_is_named(bench):
    said = device_mistakes(bench.commands, {"field": bench.converter, "dac": bench.relays})
    assert any('device "field" has no digital outputs' in line for line in said)
    assert any('device "dac" has no analogue outputs' in line for line in said)


def test_one_wrong_limit_is_a_mistake(bench):
    power = replace(bench.command("power"), setpoint=SetPoint("dac", 0, 1, 1))
    assert mistakes([power]) == ['command "power": `min` must be less than `max`']


def test_a_line_says_what_the_configuration_calls_it():
    assert str(Line("field", 0, 0, "DO3")) == "field DO3"


def test_the_last_door_takes_what_the_check_of_the_file_took():
    assert MAX_PULSE_S * 1000 == LONGEST_PULSE_MS
    assert OVERLAP_S * 1000 == ENABLED_MS
