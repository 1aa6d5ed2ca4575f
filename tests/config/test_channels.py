"""Channels of devices: one list per device, and everyone's place in it."""

from __future__ import annotations

from hw.interface import Kind
from rtu.config.channels import ChannelMap


def test_channels_come_in_the_order_of_the_file(look, good):
    channels = ChannelMap(look(good).file).channels("field")
    assert [(c.kind, c.ref, c.user) for c in channels] == [
        (Kind.DIGITAL_INPUT, 1, "q0.position"),
        (Kind.DIGITAL_INPUT, 2, "q0.position"),
        (Kind.DIGITAL_INPUT, 3, "remote"),
        (Kind.DIGITAL_OUTPUT, 4, "q0.operate"),
        (Kind.DIGITAL_OUTPUT, 5, "q0.operate"),
        (Kind.DIGITAL_OUTPUT, 6, "q0.operate"),
    ]
    assert channels[0].options.pull == "up"


def test_places_are_counted_among_channels_of_one_kind(look, good):
    found = ChannelMap(look(good).file)
    assert found.input("q0.position", "closed") == ("field", 1)
    assert found.input("remote", "line") == ("field", 2)
    assert found.input("current", "channel") == ("adc", 0)
    assert found.output("q0.operate", "on") == ("field", 0)
    assert found.output("q0.operate", "enable") == ("field", 2)
    assert found.output("limit", "channel") == ("adc", 0)


def test_a_line_used_twice_is_one_channel(look, good):
    second = (
        "[[command]]\nname = 'again'\ntype = 'single'\nlock_group = 'q0.operate'\n"
        "output = { device = 'field', on = 5, enable = 6 }\naddress = [ { ioa = 99 } ]\n"
    )
    found = ChannelMap(look(good + second).file)
    assert found.output("again", "on") == found.output("q0.operate", "off")
    assert found.output("again", "enable") == found.output("q0.operate", "enable")
    assert len(found.channels("field")) == 6


def test_a_contact_read_by_two_points_is_one_channel(look, good):
    second = (
        "[[point]]\nname = 'local'\ntype = 'single'\naddress = [ { ioa = 97 } ]\n"
        "input = { device = 'field', line = 3, invert = true }\n"
    )
    found = ChannelMap(look(good + second).file)
    assert found.input("local", "line") == found.input("remote", "line")
    assert len(found.channels("field")) == 6


def test_the_safe_level_of_an_active_low_output_is_high(look, good):
    file = look(good.replace("enable = 6", "enable = 6, active_low = true")).file
    outputs = [c for c in ChannelMap(file).channels("field") if c.kind is Kind.DIGITAL_OUTPUT]
    assert [c.safe for c in outputs] == [1, 1, 1]


def test_an_unused_device_has_no_channels(look, good):
    file = look(good + "[device.spare]\ndriver = 'board'\n").file
    assert ChannelMap(file).channels("spare") == ()
