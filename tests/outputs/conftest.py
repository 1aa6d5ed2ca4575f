"""A bay on the bench: real point table, fake relays whose faults can be programmed, and one timeline of what happened."""

import itertools
from collections import deque

import msgspec
import pytest

from hw.interface import DeviceFault, Kind
from rtu.clock import SECOND, VirtualClock
from rtu.config.channels import ChannelMap
from rtu.config.schema import Protocol, StationFile
from rtu.outputs.build import build_commands
from rtu.outputs.outputs import Outputs
from rtu.outputs.ports import make_ports
from rtu.outputs.request import Request
from rtu.points.build import build_signals
from rtu.points.model import Value
from rtu.points.table import PointTable

BAY = """
format = 1
[station]
name = "bay"
common_address = 1
[device.field]
driver = "fake"
config = {}
[device.dac]
driver = "fake"
config = {}

[[point]]
name = "q0.position"
type = "double"
address = [ { ioa = 1001 } ]
[[point]]
name = "q8.position"
type = "double"
address = [ { ioa = 1002 } ]
[[point]]
name = "bay.remote"
type = "single"
address = [ { ioa = 1003 } ]
[[point]]
name = "tap"
type = "step"
address = [ { ioa = 1004 } ]
[[point]]
name = "fan.running"
type = "single"
address = [ { ioa = 1005 } ]

[[command]]
name = "q0.operate"
type = "double"
lock_group = "q0"
output = { device = "field", on = 22, off = 23, enable = 24, pulse_ms = { default = 500, short = 200, long = 2000 } }
select = { required = true, timeout_s = 20 }
feedback = { point = "q0.position", within_s = 10 }
require = { "bay.remote" = "on", "q8.position" = "open" }
time_tag = "either"
address = [ { ioa = 5001 } ]
[[command]]
name = "q0.spring"
type = "single"
lock_group = "q0"
output = { device = "field", on = 25 }
address = [ { ioa = 5002 } ]
[[command]]
name = "lamp"
type = "single"
output = { device = "field", on = 26, latched = true, active_low = true }
address = [ { ioa = 5003 } ]
[[command]]
name = "horn"
type = "single"
output = { device = "field", on = 27, pulse_ms = { default = 500, short = 200, long = 2000 } }
time_tag = "either"
address = [ { ioa = 5004 } ]
[[command]]
name = "tap.step"
type = "step"
output = { device = "field", higher = 5, lower = 6 }
feedback = { point = "tap", within_s = 10 }
address = [ { ioa = 5005 } ]
[[command]]
name = "power"
type = "float"
output = { device = "dac", channel = 0, min = 0, max = 0.1 }
select = { required = false }
address = [ { ioa = 5006 } ]
[[command]]
name = "voltage"
type = "scaled"
output = { device = "dac", channel = 1, min = -10, max = 0.3 }
termination = false
address = [ { ioa = 5007, resolution = 0.1 } ]
[[command]]
name = "frequency"
type = "normalized"
output = { device = "dac", channel = 2, min = -100, max = 100 }
address = [ { ioa = 5008, nominal = 100 } ]
[[command]]
name = "fan"
type = "single"
output = { device = "field", on = 7, latched = true }
feedback = { point = "fan.running", within_s = 2 }
address = [ { ioa = 5009 } ]
[[command]]
name = "word"
type = "bitstring"
output = { device = "dac", channel = 3, max = 4_000_000_000 }
address = [ { ioa = 5010 } ]
"""

STANDS = {"bay.remote": 1, "q8.position": 1, "q0.position": 1, "tap": 3, "fan.running": 0}
TYPES = {5001: 46, 5002: 45, 5003: 45, 5004: 45, 5005: 47, 5006: 50, 5007: 49, 5008: 48, 5009: 45, 5010: 51}


class Relays:
    """Digital outputs that pulse by the virtual clock, and fail as told."""

    def __init__(self, clock, rests, timeline, bus, self_timed):
        self.clock, self.rests, self.timeline = clock, rests, timeline
        self.bus, self.self_timed = bus, self_timed
        self.levels = list(rests)
        self.faults = {}  # "write", "pulse", "read_back" -> the exception to raise
        self.dead = set()  # outputs that do not switch
        self.welded = set()  # outputs that do not return to rest
        self.ganged = {}  # output -> another that switches with it
        self.lies = {}  # output -> the level that is read back
        self.commanded = set()  # outputs told to leave rest, and not yet back by order or by time
        self._ends = {}

    def _set(self, output, level):
        for each in (output, self.ganged.get(output)):
            if each is None or each in self.dead or (each in self.welded and level == self.rests[output]):
                continue
            self.levels[each] = level if self.rests[each] == self.rests[output] else 1 - level

    def _raise(self, operation):
        if operation in self.faults:
            raise self.faults[operation]

    def write(self, output, level):
        self.timeline.append(("drive", "write", output, level))
        self._raise("write" if level != self.rests[output] else "release")
        self._end(output)
        (self.commanded.discard if level == self.rests[output] else self.commanded.add)(output)
        self._set(output, level)

    def pulse(self, output, level, seconds):
        self.timeline.append(("drive", "pulse", output, level, seconds))
        self._raise("pulse")
        if output in self._ends:
            raise DeviceFault("in the middle of a pulse")
        self.commanded.add(output)
        self._set(output, level)
        when = self.clock.now_ns() + round(seconds * SECOND)
        self._ends[output] = self.clock.call_at(when, lambda: self._over(output))

    def _end(self, output):
        if output in self._ends:
            self._ends.pop(output).cancel()

    def _over(self, output):
        del self._ends[output]
        self.commanded.discard(output)
        self._set(output, self.rests[output])

    def read_back(self):
        self._raise("read_back")
        return [self.lies.get(output, level) for output, level in enumerate(self.levels)]

    def safe(self):
        self.timeline.append(("drive", "safe"))
        for output, rest in enumerate(self.rests):
            self._end(output)
            self.commanded.discard(output)
            self._set(output, rest)

    def close(self):
        self.safe()

    @property
    def on(self):
        return {output for output, level in enumerate(self.levels) if level != self.rests[output]}


class Converter:
    """Analogue outputs that note what they were set to."""

    def __init__(self, timeline, bus):
        self.timeline, self.bus, self.fault = timeline, bus, None

    def set(self, output, value):
        if self.fault:
            raise self.fault
        self.timeline.append(("drive", "set", output, value))

    def close(self):
        pass


class Bus:
    """The thread of a bus, by hand: jobs wait until `run`."""

    def __init__(self):
        self.jobs = deque()
        self.full = False
        self.automatic = False

    def submit(self, bus, job, done, *, must=False):
        if self.full and not must:
            raise RuntimeError("too many jobs wait")
        self.jobs.append((job, done))
        if self.automatic:
            self.run()

    def run(self, count=1000):
        while self.jobs and count:
            count -= 1
            job, done = self.jobs.popleft()
            job()
            done()


class Reply:
    """Notes the verdicts on a request."""

    def __init__(self, timeline, number, request):
        self.timeline, self.number, self.request = timeline, number, request
        self.confirmed, self.terminated, self.discarded, self.reasons = [], [], [], []

    def confirm(self, positive, reason):
        self.confirmed.append(positive)
        self.reasons.append(reason)
        self.timeline.append(("confirm", self.number, positive))

    def terminate(self, positive, reason):
        self.terminated.append(positive)
        self.reasons.append(reason)
        self.timeline.append(("terminate", self.number, positive))

    def discard(self, reason):
        self.discarded.append(reason)
        self.timeline.append(("discard", self.number))

    @property
    def verdicts(self):
        """(confirmation, termination), None for what was not given; never more than one of each."""
        assert len(self.confirmed) <= 1
        assert len(self.terminated) <= 1
        return (*self.confirmed, None)[0], (*self.terminated, None)[0]


class Bench:
    def __init__(self, *, bus="", self_timed=True, scanned=True, protocol=Protocol(), locked=()):  # noqa: B008 - frozen
        self.clock = VirtualClock()
        self.timeline = []
        self.audit_fails = False
        self.alarms = []
        file = msgspec.toml.decode(BAY, type=StationFile)
        self.file = file
        signals = build_signals(file)
        self.table = PointTable(signals, self.clock, self)
        channels = ChannelMap(file)
        self.commands = build_commands(file, channels, signals)
        outputs = [c for c in channels.channels("field") if c.kind is Kind.DIGITAL_OUTPUT]
        rests = [channel.safe for channel in outputs]
        self.relays = Relays(self.clock, rests, self.timeline, bus, self_timed)
        self.converter = Converter(self.timeline, bus)
        self.bus = Bus()
        self.devices = {"field": self.relays, "dac": self.converter}
        ports = make_ports(self.commands, self.devices, self.clock, self.bus.submit)
        self.outputs = Outputs(
            self.commands,
            ports,
            self.table,
            self.clock,
            self,
            alarm=lambda *alarm: self.alarms.append(alarm),
            protocol=protocol,
            locked=dict(locked),
        )
        self._numbers = itertools.count()
        self.replies = []
        self.table.finish_start()
        if scanned:
            for name, value in STANDS.items():
                self.see(name, value)
        self.timeline.clear()

    # The plant

    def see(self, name, value, quality=0):
        self.table.update(self.table.index(name), Value(value, quality, self.clock.now_ns()))

    def line(self, name, value=1):
        command = self.command(name)
        return (command.enable if value == "enable" else command.coils[value]).output

    def command(self, name):
        return next(command for command in self.commands if command.name == name)

    # What the outputs speak to

    def record(self, event, **fields):
        if self.audit_fails:
            return False
        self.timeline.append(("audit", event, fields))
        return True

    def changed(self, signal, value):
        pass

    def state(self, address, octets, cause):
        self.timeline.append(("report", address.ioa, cause))

    def measured(self, address, octets, cause, every):
        pass

    # A control centre

    def ask(self, ioa, value, *, qualifier=0, owner="a", **more):
        request = Request(
            **{
                "owner": owner,
                "group": "main",
                "originator": 3,
                "type_id": TYPES.get(ioa, 45),
                "ca": 1,
                "ioa": ioa,
                "value": value,
                "qualifier": qualifier,
                "select": False,
                "deactivate": False,
                "test": False,
                **more,
            }
        )
        reply = Reply(self.timeline, next(self._numbers), request)
        self.replies.append(reply)
        self.timeline.append(("ask", request))
        self.outputs.request(request, reply)
        return reply

    def unlock(self, group, by="fitter"):
        """Why not, or ""; None while that is not known yet."""
        said = [None]
        self.outputs.unlock(group, by, said.append)
        return said[-1]

    def select(self, ioa, value, **more):
        return self.ask(ioa, value, select=True, **more)

    # What happened

    @property
    def audits(self):
        return [entry[1] for entry in self.timeline if entry[0] == "audit"]

    @property
    def energised(self):
        """Calls that bring a line away from rest, or set a set-point."""
        return [
            entry
            for entry in self.timeline
            if entry[0] == "drive"
            and entry[1] != "safe"
            and (entry[1] == "set" or entry[3] != self.relays.rests[entry[2]])
        ]

    def state_of(self, group):
        return next(each.state.value for each in self.outputs.status() if each.name == group)


@pytest.fixture(scope="session")
def make_bench():
    return Bench


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
def slow_bench():
    """The same bay on a bus whose jobs run when the test says so."""
    return Bench(bus="i2c-1")
