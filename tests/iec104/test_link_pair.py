"""Both ends of a connection: the controlling role, and two links that talk through any chunking and never disagree."""

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rtu.iec104.link import (
    Acknowledged,
    AsduReceived,
    Closed,
    Event,
    Link,
    LinkParameters,
    Role,
    Started,
    State,
    Stopped,
)

FAST = LinkParameters(t1=3, t2=1, t3=4)
ASDU = bytes.fromhex("2d0106000100d00700" + "01")


def hexes(link: Link, now: float = 0.0) -> str:
    return link.data_to_send(now).hex()


def master(parameters: LinkParameters = FAST) -> Link:
    return Link(Role.CONTROLLING, parameters, 0.0)


def started_master() -> Link:
    link = master()
    link.start(0.0)
    assert hexes(link) == "680407000000"
    assert link.receive(bytes.fromhex("68040b000000"), 0.0) == [Started()]
    return link


def test_a_start_is_a_question_until_it_is_confirmed() -> None:
    link = master()
    link.start(0.0)
    assert link.state is State.STARTING
    assert not link.can_send
    link = started_master()
    assert link.state is State.STARTED
    assert link.window == 12


@pytest.mark.parametrize("what", ["start", "stop"])
def test_an_unconfirmed_start_or_stop_closes_at_t1(what: str) -> None:
    link = master() if what == "start" else started_master()
    getattr(link, what)(0.0)
    hexes(link)
    assert link.next_deadline() == 3.0
    (closed,) = link.on_timer(3.0)
    assert closed == Closed(f"no {what.upper()}DT CON within t1 = 3 s")


def test_a_stop_acknowledges_first_and_then_acknowledges_each_late_frame() -> None:
    link = started_master()
    event = bytes.fromhex("680e0000000001010300010064000001")
    late = bytes.fromhex("680e0200000001010300010064000001")
    link.receive(event, 0.0)
    assert hexes(link) == ""
    link.stop(0.0)
    assert hexes(link) == "680401000200" + "680413000000"
    assert [type(answer) for answer in link.receive(late, 0.0)] == [AsduReceived]
    assert hexes(link) == "680401000400"
    assert link.receive(bytes.fromhex("680423000000"), 0.0) == [Stopped()]
    assert link.state is State.STOPPED


@pytest.mark.parametrize("state", ["stopped", "starting", "stopping"])
def test_start_and_stop_are_possible_only_in_their_state(state: str) -> None:
    link = master() if state != "stopping" else started_master()
    if state == "starting":
        link.start(0.0)
    if state == "stopping":
        link.stop(0.0)
    with pytest.raises(RuntimeError, match="STOPDT act cannot be sent by a controlling station while"):
        link.stop(0.0)
    if state != "stopped":
        with pytest.raises(RuntimeError, match="STARTDT act cannot be sent"):
            link.start(0.0)


@pytest.mark.parametrize(
    "octets", ["680407000000", "680413000000", "680401000000", "680e0000000001010300010064000001"]
)
def test_a_controlling_station_that_is_stopped_is_sent_nothing_but_tests(octets: str) -> None:
    link = master()
    (closed,) = link.receive(bytes.fromhex(octets), 0.0)
    assert isinstance(closed, Closed)
    assert hexes(link) == ""


def test_confirmations_that_were_not_asked_for_are_ignored() -> None:
    link = master()
    assert link.receive(bytes.fromhex("68040b000000" + "680423000000" + "680483000000"), 0.0) == []
    assert link.state is State.STOPPED


class End:
    """One link with what its owner would remember of it."""

    def __init__(self, role: Role, parameters: LinkParameters) -> None:
        self.link = Link(role, parameters, 0.0)
        self.wire: deque[bytes] = deque()
        self.sent: list[bytes] = []
        self.received: list[bytes] = []
        self.acknowledged = 0

    def note(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case AsduReceived(octets):
                    self.received.append(octets)
                case Acknowledged(upto):
                    assert upto > self.acknowledged
                    self.acknowledged = upto
                case Closed(reason):
                    raise AssertionError(reason)


class TwoEnds(RuleBasedStateMachine):
    """A controlled and a controlling station that both obey the protocol and a network that is not too slow."""

    @initialize(k=st.integers(1, 14), share=st.integers(1, 100))
    def connect(self, k: int, share: int) -> None:
        parameters = LinkParameters(k=k, w=max(1, k * share // 100), t1=30, t2=10, t3=20)
        self.now = 0.0
        self.master = End(Role.CONTROLLING, parameters)
        self.station = End(Role.CONTROLLED, parameters)
        self.ends = (self.master, self.station)
        self.serial = 0

    def flush(self) -> None:
        for end in self.ends:
            if octets := end.link.data_to_send(self.now):
                end.wire.append(octets)

    def carry(self, source: End, target: End, octets: bytes) -> None:
        target.note(target.link.receive(octets, self.now))
        self.flush()

    @rule(from_master=st.booleans(), count=st.integers(1, 20))
    def send(self, from_master: bool, count: int) -> None:
        end = self.ends[not from_master]
        for _ in range(min(count, end.link.window)):
            self.serial += 1
            asdu = ASDU + self.serial.to_bytes(4, "little")
            end.sent.append(asdu)
            assert end.link.send(asdu, self.now) == len(end.sent)
        self.flush()

    @rule(from_master=st.booleans(), size=st.integers(1, 300))
    def transport(self, from_master: bool, size: int) -> None:
        source, target = self.ends if from_master else self.ends[::-1]
        if source.wire:
            octets = source.wire.popleft()
            if octets[size:]:
                source.wire.appendleft(octets[size:])
            self.carry(source, target, octets[:size])

    @rule(from_master=st.booleans())
    def transport_all(self, from_master: bool) -> None:
        source, target = self.ends if from_master else self.ends[::-1]
        octets = b"".join(source.wire)
        source.wire.clear()
        self.carry(source, target, octets)

    @precondition(lambda self: self.master.link.state is State.STOPPED)
    @rule()
    def start(self) -> None:
        self.master.link.start(self.now)
        self.flush()

    @precondition(lambda self: self.master.link.state is State.STARTED)
    @rule()
    def stop(self) -> None:
        self.master.link.stop(self.now)
        self.flush()

    @rule(seconds=st.floats(0.1, 25))
    def time_passes(self, seconds: float) -> None:
        """All that is on the way arrives before the time passes; timers fire when they are due."""
        end = self.now + seconds
        while True:
            self.settle()
            deadlines = [link.link.next_deadline() for link in self.ends]
            due = min(deadline for deadline in deadlines if deadline is not None)
            if due > end:
                break
            self.now = max(self.now, due)
            for one in self.ends:
                one.note(one.link.on_timer(self.now))
            self.flush()
        self.now = end

    def settle(self) -> None:
        while any(end.wire for end in self.ends):
            self.transport_all(True)
            self.transport_all(False)

    @invariant()
    def nothing_is_lost_repeated_or_reordered(self) -> None:
        if not hasattr(self, "ends"):
            return
        for source, target in (self.ends, self.ends[::-1]):
            assert target.received == source.sent[: len(target.received)]
            assert source.acknowledged <= len(target.received)
            assert source.acknowledged == source.link.acknowledged
            assert len(source.sent) - source.acknowledged <= source.link.parameters.k

    def teardown(self) -> None:
        if not hasattr(self, "ends"):
            return
        self.settle()
        for source, target in (self.ends, self.ends[::-1]):
            assert target.received == source.sent
        self.time_passes(25)
        for end in self.ends:
            assert end.acknowledged == len(end.sent)


TestTwoEnds = TwoEnds.TestCase
TestTwoEnds.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
