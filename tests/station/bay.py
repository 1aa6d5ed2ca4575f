"""A bay with every kind of command, and how a master speaks of it."""

from __future__ import annotations

from rtu.clock import SECOND
from rtu.config.channels import ChannelMap
from rtu.iec104.elements import CP56Time2a

BAY = """
format = 1
[station]
name = "bay"
common_address = 1
[device.field]
driver = "recorded"
config = {}
[[point]]
name = "remote"
type = "single"
address = [ { ioa = 110 } ]
[[point]]
name = "fan.running"
type = "single"
address = [ { ioa = 120 } ]
[[point]]
name = "q0.position"
type = "double"
address = [ { ioa = 200 } ]
[[point]]
name = "q8.position"
type = "double"
address = [ { ioa = 210 } ]
[[point]]
name = "q1.position"
type = "double"
address = [ { ioa = 220 } ]
[[point]]
name = "tap"
type = "step"
address = [ { ioa = 300 } ]
[[command]]
name = "horn"
type = "single"
output = { device = "field", on = 1, pulse_ms = { default = 500, short = 100, long = 2000 } }
time_tag = "either"
address = [ { ioa = 2000 } ]
[[command]]
name = "lamp"
type = "single"
output = { device = "field", on = 2, latched = true }
address = [ { ioa = 2010 } ]
[[command]]
name = "fan"
type = "single"
output = { device = "field", on = 3, off = 4 }
feedback = { point = "fan.running", within_s = 2 }
address = [ { ioa = 2020 } ]
[[command]]
name = "siren"
type = "single"
output = { device = "field", on = 5 }
time_tag = "yes"
address = [ { ioa = 2030 } ]
[[command]]
name = "q1.operate"
type = "double"
output = { device = "field", on = 6, off = 7 }
feedback = { point = "q1.position", within_s = 5 }
require = { "remote" = "on" }
time_tag = "either"
address = [ { ioa = 2120 } ]
[[command]]
name = "q0.operate"
type = "double"
lock_group = "q0"
output = { device = "field", on = 8, off = 9 }
select = { timeout_s = 10 }
feedback = { point = "q0.position", within_s = 5 }
require = { "remote" = "on", "q8.position" = "open" }
time_tag = "either"
address = [ { ioa = 2001 } ]
[[command]]
name = "q0.spring"
type = "single"
lock_group = "q0"
output = { device = "field", on = 10 }
select = { required = false, timeout_s = 10 }
address = [ { ioa = 2002 } ]
[[command]]
name = "tap.step"
type = "step"
output = { device = "field", higher = 11, lower = 12 }
feedback = { point = "tap", within_s = 5 }
time_tag = "either"
address = [ { ioa = 2200 } ]
[[command]]
name = "power"
type = "float"
output = { device = "field", channel = "p", min = 0, max = 100 }
time_tag = "either"
address = [ { ioa = 2500 } ]
[[command]]
name = "voltage"
type = "scaled"
output = { device = "field", channel = "u", min = -10, max = 10 }
time_tag = "either"
termination = false
address = [ { ioa = 2510, resolution = 0.1 } ]
[[command]]
name = "frequency"
type = "normalized"
output = { device = "field", channel = "f", min = -50, max = 50 }
time_tag = "either"
address = [ { ioa = 2520, nominal = 100 } ]
[[command]]
name = "word"
type = "bitstring"
output = { device = "field", channel = "w", max = 0xFFFF }
time_tag = "either"
address = [ { ioa = 2600 } ]
"""

HORN, Q0, SPRING, LAMP, FAN, SIREN, Q1, TAP = 2000, 2001, 2002, 2010, 2020, 2030, 2120, 2200
POWER, VOLTAGE, FREQUENCY, WORD = 2500, 2510, 2520, 2600


def line(rig, command, role):
    """The output of a command as the relays count it."""
    return ChannelMap(rig.file).output(command, role)[1]


def energised(rig):
    """Every output that was energised, in order."""
    return [output for _, output, level in rig.relays.history if level]


def tag(rig, age_s=0.0, **more):
    """A time tag of so many seconds ago, by the clock of the station."""
    wall = rig.clock.wall(rig.clock.now_ns()).unix_ns
    return CP56Time2a.from_ns(wall - round(age_s * SECOND), **more)


def answers(master, *type_ids):
    """Cause and P/N of what came of these types (all of control direction when none is named)."""
    wanted = type_ids or range(45, 65)
    return [(asdu.cause, asdu.negative) for asdu in master.take() if asdu.type_id in wanted]


def refusals(rig):
    """Why something was refused or ended, in order, as the audit trail says it."""
    return [
        record["reason"]
        for record in rig.audit.records
        if record["event"] in ("command.refuse", "command.cancel")
    ]


def follow(rig, name, value, after_s=0.1):
    """The plant answers after a while."""
    rig.clock.call_at(rig.clock.now_ns() + round(after_s * SECOND), lambda: rig.set(name, value))


def begin(make_rig, protocol=""):
    """The bay, switched to remote, and its plant at rest; with more `[protocol]` keys if wanted."""
    rig = make_rig(BAY + (f"[protocol]\n{protocol}\n" if protocol else ""))
    rig.set("remote", 1)
    rig.audit.records.clear()
    return rig


def start(rig, **how):
    """A master that has heard all there was."""
    master = rig.master(**how)
    rig.settle()
    master.take()
    return master
