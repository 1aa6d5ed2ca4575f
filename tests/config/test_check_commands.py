"""Bitstrings and time-tagged commands: what their tables may say."""

import pytest

WORD = """\
[[command]]
name = "word"
type = "bitstring"
output = {{ device = "adc", channel = "S1"{limits} }}
{more}
address = [ {{ ioa = 200 }} ]
"""


def word(limits: str = "", more: str = "") -> str:
    return WORD.format(limits=limits, more=more)


@pytest.mark.parametrize(
    "part",
    [
        word(),
        word(", min = 0, max = 4294967295"),
        word(", min = 1"),
        word(", max = 65535", "termination = false"),
        word(more='time_tag = "yes"'),
        word(more='time_tag = "either"'),
    ],
)
def test_a_bitstring_needs_a_channel_and_nothing_else(complaints, good, part):
    assert complaints(good + part) == []


@pytest.mark.parametrize(
    ("part", "complaint"),
    [
        (word(", min = -1"), "min of a bitstring is a whole number from 0 to 4294967295"),
        (word(", max = 4294967296"), "max of a bitstring is a whole number from 0 to 4294967295"),
        (word(", max = 0.5"), "max of a bitstring is a whole number from 0 to 4294967295"),
        (word(", max = 0"), "min (0) must be less than max (0)"),
        (word(", min = 4294967295"), "min (4294967295) must be less than max (4294967295)"),
        (word(more="select = {}"), "a bitstring has no select: the telegram has no place for it"),
        (word(more="feedback = { point = 'remote' }"), "a bitstring has no feedback"),
        (
            word(", latched = true"),
            "latched has no meaning for a bitstring command, only for single",
        ),
        (
            word().replace("channel", "on").replace('"adc"', '"field"').replace('"S1"', "30"),
            'a bitstring command needs "channel" in its output',
        ),
        (
            word().replace('"adc"', '"field"').replace('"S1"', "33"),
            'a bitstring command needs an analogue output, device "field" (board) has '
            "counters, digital inputs and digital outputs",
        ),
    ],
)
def test_what_a_bitstring_cannot_have_is_a_mistake(complaints, good, part, complaint):
    assert any(found.endswith(f'command "word": {complaint}') for found in complaints(good + part))


def test_a_time_tag_that_cannot_be_judged_is_warned_of(complaints, good):
    text = good.replace("[listen.plain]", '[clock]\nsource = "none"\n[listen.plain]')
    (warning,) = complaints(text + word(more='time_tag = "either"'))
    assert 'command "word": with clock.source = "none" no time-tagged command is carried out' in warning
