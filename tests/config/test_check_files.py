"""Files and disturbance records; and what the tables of the whole station say of events and the clock."""

from __future__ import annotations

import pytest

FILES = """\
[files]
event_log = { ioa = 4000 }
[[files.inbox]]
ioa = 4001
file = "settings.bin"
"""
RECORD = """\
[[record]]
name = "fault"
trigger = { remote = "on", "q0.position" = "open" }
points = ["current", "q0.position"]
keep = 8
address = { ioa = 5000 }
"""
AFTER = 39  # lines of the good file
AFTER_FILES = AFTER + 5


def test_what_is_right_is_left_alone(complaints, good):
    other = RECORD.replace("fault", "fault 2").replace("5000", "5008")
    assert complaints(good + FILES + RECORD + other) == []


@pytest.mark.parametrize(
    ("part", "line", "complaint"),
    [
        (
            RECORD.replace("5000", "3994"),
            AFTER_FILES + 6,
            'record "fault": ioa 4000, of its 8 addresses, is already used by files.event_log (line 41)',
        ),
        (
            RECORD.replace("5000", "3994").replace("8", "7"),
            AFTER_FILES + 6,
            'record "fault": ioa 4000, of its 7 addresses, is already used by files.event_log (line 41)',
        ),
        (
            RECORD + RECORD.replace("fault", "other").replace("5000", "5007"),
            AFTER_FILES + 12,
            'record "other": ioa 5007, of its 8 addresses, is already used by record "fault" (line 50)',
        ),
        (
            RECORD.replace("5000", "16777210"),
            AFTER_FILES + 6,
            'record "fault": the last of its 8 addresses would be 16777217, the highest is 16777215',
        ),
        (
            RECORD.replace("remote", "remot"),
            AFTER_FILES + 3,
            'record "fault": trigger: no point "remot", did you mean "remote"?',
        ),
        (
            RECORD.replace('remote = "on"', 'remote = "closed"'),
            AFTER_FILES + 3,
            'record "fault": "remote" is a single point: trigger "on" or "off", not "closed"',
        ),
        (
            RECORD.replace('remote = "on"', 'current = "on"'),
            AFTER_FILES + 3,
            'record "fault": trigger takes single and double points, "current" is float',
        ),
        (
            RECORD.replace('["current"', '["curent"'),
            AFTER_FILES + 4,
            'record "fault": points: no point "curent", did you mean "current"?',
        ),
        (
            RECORD.replace('["current"', '["q0.position"'),
            AFTER_FILES + 4,
            'record "fault": points: "q0.position" is named twice',
        ),
        (
            RECORD + RECORD.replace("5000", "5100"),
            AFTER_FILES + 8,
            'record "fault": another record has that name (line 45)',
        ),
        (
            '[[files.inbox]]\nioa = 4002\nfile = "settings.bin"\n',
            AFTER_FILES + 3,
            'files.inbox: file "settings.bin" is the one of another inbox (line 44)',
        ),
        (
            '[[files.inbox]]\nioa = 1\nfile = "b"\n',
            AFTER_FILES + 2,
            'files.inbox: ioa 1 is already used by "q0.position" (line 19)',
        ),
    ],
)
def test_a_mistake_is_told_once_with_its_line(complaints, good, part, line, complaint):
    assert complaints(good + FILES + part) == [f"station.toml:{line}: {complaint}"]


def test_a_counter_is_not_recorded(complaints, good):
    counter = (
        '[[point]]\nname = "energy"\ntype = "counter"\ninput = { device = "field", channel = 9 }\n'
        "address = [ { ioa = 8 } ]\n"
    )
    text = good + FILES + RECORD.replace('["current"', '["energy"') + counter
    assert complaints(text) == [
        f'station.toml:{AFTER_FILES + 4}: record "fault": points: "energy" is a counter, which is not recorded'
    ]


def test_records_need_file_transfer(complaints, good):
    assert complaints(good + RECORD) == [
        f'station.toml:{AFTER + 1}: record "fault": records are fetched by file transfer: add a [files] table'
    ]


def test_files_of_another_station_have_addresses_of_their_own(complaints, good):
    assert complaints(good + "[files]\nevent_log = { ca = 77, ioa = 1 }\n") == []


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        (
            '[clock]\nzone = "Europe/Berlim"',
            'clock.zone: no time zone "Europe/Berlim" on this machine, did you mean "Europe/Berlin"?',
        ),
        ('[clock]\nzone = "../etc/passwd"', 'clock.zone: no time zone "../etc/passwd" on this machine'),
        ('[clock]\nzone = "Europe"', 'clock.zone: no time zone "Europe" on this machine'),
        ('[events]\nfirst = ["single", "double", "single"]', 'events.first: "single" is named twice'),
        (
            '[events]\nfirst = ["float"]',
            "events.first: float values are no events, they always go after these",
        ),
        ('[events]\nfirst = ["step"]', "warning: events.first: no point is of type step"),
    ],
)
def test_the_clock_and_what_goes_first(complaints, good, table, complaint):
    (told,) = complaints(good + table + "\n")
    assert told.startswith(f"station.toml:{AFTER + 2}: {complaint}")


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/St_Johns"])
def test_a_zone_of_this_machine_is_right(complaints, good, zone):
    assert complaints(good + f'[clock]\nzone = "{zone}"\n') == []
