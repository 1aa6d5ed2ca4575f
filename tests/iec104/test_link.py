"""The link of a controlled station, in virtual time; ids are those of the conformance checklist of this project.

Timers are t1 = 3 s, t2 = 1 s, t3 = 4 s unless a test says otherwise, k = 12 and w = 8.
"""

import random
from collections.abc import Callable

import pytest

from rtu.iec104.apci import Frame, FrameSplitter, IFrame, SFrame, UFrame, UFunction, decode_frame
from rtu.iec104.link import (
    Acknowledged,
    AsduReceived,
    Closed,
    Event,
    Link,
    LinkBusy,
    LinkParameters,
    Role,
    Started,
    State,
    Stopped,
    Stopping,
)

FAST = LinkParameters(t1=3, t2=1, t3=4)
STARTDT_ACT, STARTDT_CON = UFrame(UFunction.STARTDT_ACT), UFrame(UFunction.STARTDT_CON)
STOPDT_ACT, STOPDT_CON = UFrame(UFunction.STOPDT_ACT), UFrame(UFunction.STOPDT_CON)
TESTFR_ACT, TESTFR_CON = UFrame(UFunction.TESTFR_ACT), UFrame(UFunction.TESTFR_CON)

EVENT = bytes.fromhex("010103000100640000" + "01")
COMMAND = bytes.fromhex("2d0106000100d00700" + "01")


class Bench:
    """A link, its virtual clock, and all it told and sent so far."""

    def __init__(self, parameters: LinkParameters = FAST, *, started: bool = False) -> None:
        self.now = 1000.0
        self.link = Link(Role.CONTROLLED, parameters, self.now)
        self.events: list[Event] = []
        if started:
            assert self.feed(STARTDT_ACT) == [STARTDT_CON]
            self.events.clear()

    def octets(self, data: bytes) -> list[Frame]:
        """Hand octets over and return the frames that come back."""
        self.events += self.link.receive(data, self.now)
        return self.sent()

    def feed(self, *frames: Frame) -> list[Frame]:
        return self.octets(b"".join(frame.encode() for frame in frames))

    def sent(self) -> list[Frame]:
        return [decode_frame(octets) for octets in FrameSplitter().feed(self.link.data_to_send(self.now))]

    def report(self, count: int = 1) -> list[Frame]:
        """The station has so many events to send."""
        for _ in range(count):
            self.link.send(EVENT, self.now)
        return self.sent()

    def wait(self, seconds: float) -> list[tuple[float, Frame]]:
        """Let time pass, serving the timers; what is sent comes with the seconds since the call."""
        start, end = self.now, self.now + seconds
        seen: list[tuple[float, Frame]] = []
        while (deadline := self.link.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.events += self.link.on_timer(self.now)
            seen += [(round(self.now - start, 6), frame) for frame in self.sent()]
        self.now = end
        return seen

    def closed(self) -> bool:
        """Closed, said so once and last, and silent and deaf from then on."""
        if self.link.state is not State.CLOSED:
            return False
        last = self.events[-1]
        assert isinstance(last, Closed)
        assert last.reason == self.link.closed_reason
        assert sum(isinstance(event, Closed) for event in self.events) == 1
        assert self.link.receive(STARTDT_ACT.encode(), self.now) == []
        assert self.link.on_timer(self.now + 1e6) == []
        assert self.link.data_to_send(self.now) == b""
        assert self.link.next_deadline() is None
        assert (self.link.window, self.link.can_send) == (0, False)
        return True


def stopped() -> Bench:
    return Bench()


def started() -> Bench:
    return Bench(started=True)


def pending() -> Bench:
    """Three events unacknowledged, STOPDT act received."""
    bench = started()
    assert len(bench.report(3)) == 3
    assert bench.feed(STOPDT_ACT) == []
    assert bench.link.state is State.PENDING
    assert bench.events == [Stopping()]
    bench.events.clear()
    return bench


def command(ns: int, nr: int = 0) -> IFrame:
    return IFrame(ns, nr, COMMAND)


def commands(count: int) -> list[IFrame]:
    return [command(ns) for ns in range(count)]


# A. Frame level


def test_a01_a_test_is_confirmed_before_the_start() -> None:
    assert stopped().feed(TESTFR_ACT) == [TESTFR_CON]


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param("690407000000", id="A02_V1_start_octet"),
        pytest.param("6800", id="A04_V2_length_0"),
        pytest.param("6803010000", id="A05_V2_length_3"),
        pytest.param("68fe" + "00" * 254, id="A06_V3_length_254"),
        pytest.param("68ff" + "00" * 255, id="V3_length_255"),
        pytest.param("680447000000", id="A07_V6_two_acts"),
        pytest.param("68040f000000", id="A08_V6_act_and_con"),
        pytest.param("680403000000", id="A09_V7_no_function"),
        pytest.param("680643000000aabb", id="A10_V4_u_with_payload"),
        pytest.param("680601000000aabb", id="A11_V5_s_with_payload"),
        pytest.param("680400000000", id="A13_V15_i_without_asdu"),
        pytest.param("680900000000640106" + "0001", id="V15_asdu_shorter_than_its_header"),
    ],
)
@pytest.mark.parametrize("make", [stopped, started, pending])
def test_A_a_malformed_frame_closes_without_a_reply(make: Callable[[], Bench], octets: str) -> None:
    bench = make()
    assert bench.octets(bytes.fromhex(octets)) == []
    assert bench.closed()


def test_a03_a_valid_frame_before_a_violation_is_processed() -> None:
    bench = started()
    assert bench.octets(command(0).encode() + TESTFR_ACT.encode() + b"\x69") == [TESTFR_CON]
    assert bench.events[0] == AsduReceived(COMMAND)
    assert bench.closed()


def test_a03_nothing_after_a_violation_counts() -> None:
    bench = started()
    assert bench.feed(command(1), TESTFR_ACT, command(0)) == []
    assert bench.closed()
    assert len(bench.events) == 1


def test_a03_what_was_received_before_a_violation_is_not_acknowledged_any_more() -> None:
    bench = started()
    assert bench.octets(b"".join(frame.encode() for frame in commands(8)) + b"\x69") == []
    assert bench.events[:-1] == [AsduReceived(COMMAND)] * 8
    assert bench.closed()


def test_a12_each_undefined_function_closes_without_a_confirmation() -> None:
    for octet in sorted(set(range(3, 256, 4)) - set(UFunction)):
        bench = stopped()
        assert bench.octets(bytes((0x68, 4, octet, 0, 0, 0))) == []
        assert bench.closed()


def test_a14_a16_an_apdu_may_come_octet_by_octet() -> None:
    bench = started()
    for octet in command(0).encode():
        assert bench.octets(bytes((octet,))) == []
    assert bench.events == [AsduReceived(COMMAND)]


def test_a15_ten_apdus_in_one_segment_are_ten_events_in_order() -> None:
    bench = started()
    bench.feed(*(IFrame(ns, 0, COMMAND + bytes((ns,))) for ns in range(10)))
    assert bench.events == [AsduReceived(COMMAND + bytes((ns,))) for ns in range(10)]


def test_a17_the_first_octet_and_then_silence() -> None:
    bench = stopped()
    assert bench.octets(b"\x68") == []
    assert bench.wait(10) == [(4, TESTFR_ACT)]
    assert bench.closed()


def test_a18_the_longest_apdu_passes() -> None:
    bench = started()
    longest = bytes((200, 1)) + bytes(247)
    bench.feed(IFrame(0, 0, longest))
    assert bench.events == [AsduReceived(longest)]
    bench.link.send(longest, bench.now)
    assert bench.sent() == [IFrame(0, 1, longest)]


def test_a19_garbage_closes() -> None:
    bench = started()
    bench.octets(b"\x00" + random.Random(104).randbytes(65_536))
    assert bench.closed()


# B. Start, stop, test


def test_b01_nothing_is_sent_before_the_start_but_the_test() -> None:
    bench = stopped()
    assert bench.link.window == 0
    with pytest.raises(LinkBusy, match="stopped"):
        bench.link.send(EVENT, bench.now)
    assert bench.wait(4) == [(4, TESTFR_ACT)]


def test_b02_startdt_con_comes_first() -> None:
    bench = stopped()
    bench.events += bench.link.receive(STARTDT_ACT.encode(), bench.now)
    assert bench.events == [Started()]
    bench.link.send(EVENT, bench.now)
    bench.link.send(EVENT, bench.now)
    assert bench.sent() == [STARTDT_CON, IFrame(0, 0, EVENT), IFrame(1, 0, EVENT)]


def test_b02_frames_behind_startdt_act_in_the_same_segment_are_processed() -> None:
    bench = stopped()
    assert bench.feed(STARTDT_ACT, command(0)) == [STARTDT_CON]
    assert bench.events == [Started(), AsduReceived(COMMAND)]


def test_b03_startdt_act_again_is_confirmed_and_changes_nothing() -> None:
    bench = started()
    bench.report(2)
    bench.feed(command(0))
    bench.events.clear()
    assert bench.feed(STARTDT_ACT) == [STARTDT_CON]
    assert bench.events == []
    assert bench.report() == [IFrame(2, 1, EVENT)]


def test_b04_stopdt_act_while_stopped_is_confirmed() -> None:
    bench = stopped()
    assert bench.feed(STOPDT_ACT) == [STOPDT_CON]
    assert bench.link.state is State.STOPPED


def test_b05_V9_an_i_frame_before_the_start_closes_and_is_not_delivered() -> None:
    bench = stopped()
    assert bench.feed(command(0)) == []
    assert bench.closed()
    assert bench.events == [Closed("INFORMATION frame while stopped")]


def test_b06_V10_an_s_frame_before_the_start_closes() -> None:
    bench = stopped()
    assert bench.feed(SFrame(0)) == []
    assert bench.closed()


def test_b07_a_stop_with_nothing_outstanding_is_confirmed_at_once() -> None:
    bench = started()
    assert bench.feed(STOPDT_ACT) == [STOPDT_CON]
    assert bench.events == [Stopping(), Stopped()]
    assert bench.link.state is State.STOPPED


def test_b08_what_was_received_is_acknowledged_before_the_stop_is_confirmed() -> None:
    bench = started()
    assert bench.feed(command(0), STOPDT_ACT) == [SFrame(1), STOPDT_CON]
    bench = started()
    bench.feed(command(0))
    assert bench.report(2) == [IFrame(0, 1, EVENT), IFrame(1, 1, EVENT)]
    assert bench.feed(SFrame(2), STOPDT_ACT) == [STOPDT_CON]


def test_b09_a_stop_waits_for_the_acknowledgement_of_all_events() -> None:
    bench = pending()
    assert bench.wait(1) == []
    assert bench.feed(SFrame(2)) == []
    assert bench.feed(SFrame(3)) == [STOPDT_CON]
    assert bench.events == [Acknowledged(2), Acknowledged(3), Stopped()]
    assert bench.link.state is State.STOPPED


def test_b10_a_stop_with_one_event_unacknowledged_closes_at_t1() -> None:
    bench = pending()
    assert bench.feed(SFrame(2)) == []
    assert bench.wait(2.9) == []
    assert bench.link.state is State.PENDING
    assert bench.wait(0.1) == []
    assert bench.closed()


def test_b11_a_stop_without_any_acknowledgement_closes_at_t1_of_the_oldest() -> None:
    bench = started()
    bench.report()
    bench.wait(2)
    bench.report()
    bench.feed(STOPDT_ACT)
    assert bench.wait(1) == []
    assert bench.closed()
    assert "I frame 1 not acknowledged" in (bench.link.closed_reason or "")


def test_b12_an_i_frame_after_stopdt_act_closes() -> None:
    bench = pending()
    assert bench.feed(command(0, nr=3)) == []
    assert bench.closed()
    assert AsduReceived(COMMAND) not in bench.events


def test_b13_a_test_is_confirmed_while_the_stop_is_pending() -> None:
    bench = pending()
    assert bench.feed(TESTFR_ACT) == [TESTFR_CON]
    assert bench.link.state is State.PENDING


def test_b14_numbers_continue_after_a_stop() -> None:
    bench = started()
    bench.report(2)
    bench.feed(command(0), SFrame(2))
    bench.feed(STOPDT_ACT)
    assert bench.feed(STARTDT_ACT) == [STARTDT_CON]
    assert bench.report() == [IFrame(2, 1, EVENT)]
    assert bench.feed(command(1, nr=3)) == []
    assert bench.link.received == 2


def test_b15_an_i_frame_after_the_stop_closes() -> None:
    bench = started()
    bench.feed(STOPDT_ACT)
    bench.feed(command(0))
    assert bench.closed()


def test_b16_a_new_event_waits_for_the_next_start() -> None:
    bench = pending()
    assert bench.link.window == 0
    with pytest.raises(LinkBusy, match="pending unconfirmed stopped"):
        bench.link.send(EVENT, bench.now)


def test_b17_b18_silence_is_tested_after_t3_and_closed_t1_later() -> None:
    bench = stopped()
    assert bench.wait(6.9) == [(4, TESTFR_ACT)]
    assert bench.link.state is State.STOPPED
    assert bench.wait(0.1) == []
    assert bench.closed()
    assert bench.link.closed_reason == "no TESTFR CON within t1 = 3 s"


def test_b19_a_confirmed_test_is_repeated_t3_later() -> None:
    bench = stopped()
    assert bench.wait(5) == [(4, TESTFR_ACT)]
    assert bench.feed(TESTFR_CON) == []
    assert bench.wait(5) == [(4, TESTFR_ACT)]


def test_b20_a_peer_that_talks_is_not_tested() -> None:
    bench = started()
    for _ in range(10):
        assert bench.wait(2) == []
        bench.feed(SFrame(0))


def test_b21_a_peer_that_acknowledges_is_not_tested() -> None:
    bench = started()
    for number in range(1, 20):
        bench.report()
        bench.feed(SFrame(number))
        assert bench.wait(1) == []


def test_sending_does_not_put_off_the_test_of_a_silent_peer() -> None:
    bench = Bench(LinkParameters(t1=10, t2=1, t3=4), started=True)
    bench.report()
    bench.wait(3)
    bench.report()
    assert bench.wait(1) == [(1, TESTFR_ACT)]


def test_V14_another_frame_does_not_replace_the_confirmation_of_a_test() -> None:
    bench = started()
    assert bench.wait(4) == [(4, TESTFR_ACT)]
    bench.feed(SFrame(0))
    assert bench.wait(3) == []
    assert bench.closed()


def test_only_one_test_is_outstanding() -> None:
    bench = Bench(LinkParameters(t1=100, t2=1, t3=4), started=True)
    assert bench.wait(4) == [(4, TESTFR_ACT)]
    bench.feed(SFrame(0))
    assert bench.wait(50) == []
    assert bench.link.on_timer(bench.now) == []
    assert bench.sent() == []


@pytest.mark.parametrize("make", [stopped, started, pending])
def test_b22_V8_confirmations_nobody_asked_for_are_ignored(make: Callable[[], Bench]) -> None:
    bench = make()
    before = bench.link.state
    assert bench.feed(STARTDT_CON, STOPDT_CON, TESTFR_CON) == []
    assert bench.events == []
    assert bench.link.state is before


def test_b23_a_hundred_tests_are_a_hundred_confirmations() -> None:
    assert started().feed(*[TESTFR_ACT] * 100) == [TESTFR_CON] * 100


def test_T16_a_test_is_confirmed_while_the_window_is_full() -> None:
    bench = started()
    bench.report(12)
    assert bench.feed(TESTFR_ACT) == [TESTFR_CON]


# The rows of the state table that the checklist does not touch


def test_1_7_startdt_act_takes_a_pending_stop_back() -> None:
    bench = pending()
    assert bench.feed(STARTDT_ACT) == [STARTDT_CON]
    assert bench.events == [Started()]
    assert bench.link.window == 9
    assert bench.feed(SFrame(3)) == []
    assert bench.link.state is State.STARTED


def test_1_7_a_second_stopdt_act_is_not_confirmed_twice() -> None:
    bench = pending()
    assert bench.feed(STOPDT_ACT) == []
    assert bench.feed(SFrame(3)) == [STOPDT_CON]


def test_1_7_an_invalid_acknowledgement_closes_a_pending_stop() -> None:
    bench = pending()
    bench.feed(SFrame(4))
    assert bench.closed()


def test_1_7_a_stop_leaves_no_timer_but_t3() -> None:
    bench = started()
    bench.feed(command(0), STOPDT_ACT)
    assert bench.wait(3.9) == []
    assert bench.wait(0.1) == [(0.1, TESTFR_ACT)]


def test_V17_the_owner_closes_and_nothing_more_goes_out() -> None:
    bench = started()
    bench.link.send(EVENT, bench.now)
    bench.link.close("closed by peer")
    assert bench.link.state is State.CLOSED
    assert bench.link.closed_reason == "closed by peer"
    assert bench.link.data_to_send(bench.now) == b""
    bench.link.close("again")
    assert bench.link.closed_reason == "closed by peer"


def test_V16_a_malformed_asdu_is_delivered_for_the_owner_to_judge() -> None:
    bench = started()
    bench.octets(bytes.fromhex("681000000000640106000100000000140000"))
    assert bench.events == [AsduReceived(bytes.fromhex("640106000100000000140000"))]


@pytest.mark.parametrize("asdu", [b"", bytes(5), bytes(250)])
def test_an_asdu_of_impossible_length_is_not_sent(asdu: bytes) -> None:
    bench = started()
    with pytest.raises(ValueError, match=r"6\.\.249 octets"):
        bench.link.send(asdu, bench.now)
    assert bench.report() == [IFrame(0, 0, EVENT)]


def test_a_controlled_station_never_starts_or_stops() -> None:
    bench = stopped()
    with pytest.raises(RuntimeError, match="STARTDT act cannot be sent by a controlled station"):
        bench.link.start(bench.now)
    with pytest.raises(RuntimeError, match="STOPDT act cannot be sent by a controlled station"):
        bench.link.stop(bench.now)


# C. Sequence numbers, windows, timers


def full() -> Bench:
    """k = 12 events sent, none acknowledged."""
    bench = started()
    assert bench.report(12) == [IFrame(ns, 0, EVENT) for ns in range(12)]
    return bench


def test_c01_k_frames_and_then_silence_until_t1() -> None:
    bench = full()
    assert not bench.link.can_send
    with pytest.raises(LinkBusy, match="started, 12 unacknowledged"):
        bench.link.send(EVENT, bench.now)
    assert bench.wait(3) == []
    assert bench.closed()


@pytest.mark.parametrize(("nr", "window"), [(12, 12), (2, 2)])
def test_c02_c03_an_acknowledgement_opens_the_window_by_as_much(nr: int, window: int) -> None:
    bench = full()
    bench.feed(SFrame(nr))
    assert bench.events == [Acknowledged(nr)]
    assert bench.link.window == window


def test_c04_an_old_acknowledgement_repeated_changes_nothing() -> None:
    bench = full()
    assert bench.feed(SFrame(0), SFrame(0)) == []
    assert bench.events == []
    assert bench.link.window == 0


def test_c05_w_frames_are_acknowledged_at_once() -> None:
    bench = started()
    assert bench.feed(*commands(7)) == []
    assert bench.feed(command(7)) == [SFrame(8)]
    assert bench.feed(command(8)) == []


def test_c05_a_reply_in_the_same_turn_saves_the_s_frame() -> None:
    bench = started()
    bench.events += bench.link.receive(b"".join(frame.encode() for frame in commands(8)), bench.now)
    bench.link.send(EVENT, bench.now)
    assert bench.sent() == [IFrame(0, 8, EVENT)]


def test_c06_a_single_frame_is_acknowledged_after_t2() -> None:
    bench = started()
    bench.feed(command(0))
    assert bench.wait(2) == [(1, SFrame(1))]


def test_c07_t2_counts_from_the_first_unacknowledged_frame() -> None:
    bench = started()
    bench.feed(command(0))
    bench.wait(0.8)
    bench.feed(command(1))
    assert bench.wait(2) == [(0.2, SFrame(2))]


def test_c07_t2_starts_anew_after_an_acknowledgement() -> None:
    bench = started()
    bench.feed(command(0))
    bench.wait(0.5)
    bench.report()
    bench.wait(0.4)
    bench.feed(command(1))
    assert bench.wait(1.5) == [(1, SFrame(2))]


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(command(2), id="C08_V11_gap"),
        pytest.param(command(0), id="C09_V11_repetition"),
        pytest.param(command(2, nr=3), id="V11_gap_acknowledges_nothing"),
        pytest.param(command(1, nr=4), id="C10_V12_i_acknowledges_what_was_not_sent"),
        pytest.param(command(1, nr=0), id="V12_i_takes_an_acknowledgement_back"),
        pytest.param(SFrame(4), id="C11_V12_s_acknowledges_what_was_not_sent"),
        pytest.param(SFrame(0), id="C12_V12_s_takes_an_acknowledgement_back"),
        pytest.param(SFrame(32767), id="V12_far_away"),
    ],
)
def test_C_a_wrong_number_closes_and_nothing_is_delivered(frame: Frame) -> None:
    bench = started()
    bench.report(3)
    bench.feed(command(0, nr=1))
    bench.events.clear()
    assert bench.feed(frame) == []
    assert bench.closed()
    assert len(bench.events) == 1


def test_c13_V13_an_unacknowledged_frame_closes_at_t1() -> None:
    bench = started()
    bench.wait(1)
    bench.report()
    bench.wait(2.9)
    assert bench.link.state is State.STARTED
    bench.wait(0.1)
    assert bench.closed()
    assert bench.link.closed_reason == "I frame 1 not acknowledged within t1 = 3 s"


def test_c14_t1_is_that_of_the_oldest_unacknowledged_frame() -> None:
    bench = started()
    bench.report()
    bench.wait(1)
    bench.report()
    bench.wait(1.5)
    bench.feed(SFrame(1))
    bench.wait(1.4)
    assert bench.link.state is State.STARTED
    bench.wait(0.1)
    assert bench.closed()


def test_c15_numbers_wrap_both_ways() -> None:
    bench = started()
    for count in range(32_770):
        number, after = count & 0x7FFF, (count + 1) & 0x7FFF
        assert bench.report() == [IFrame(number, number, EVENT)]
        assert bench.feed(command(number, nr=after)) == []
    assert (bench.link.sent, bench.link.acknowledged, bench.link.received) == (32_770,) * 3
    assert bench.events[-2:] == [Acknowledged(32_770), AsduReceived(COMMAND)]


def test_c16_frames_on_both_sides_of_the_wrap_are_acknowledged_together() -> None:
    bench = started()
    for count in range(32_766):
        bench.report()
        bench.feed(SFrame(count + 1))
    assert [frame.ns for frame in bench.report(3) if isinstance(frame, IFrame)] == [32_766, 32_767, 0]
    bench.feed(SFrame(1))
    assert bench.events[-1] == Acknowledged(32_769)
    assert bench.link.window == 12


def test_c15_the_largest_window_is_unambiguous() -> None:
    bench = Bench(LinkParameters(k=32_767), started=True)
    bench.report(32_767)
    assert bench.feed(SFrame(0)) == []
    assert bench.link.window == 0
    bench.feed(SFrame(32_767))
    assert bench.link.window == 32_767


def test_c17_an_i_frame_acknowledges_all_that_was_received() -> None:
    bench = started()
    bench.feed(*commands(3))
    assert bench.report() == [IFrame(0, 3, EVENT)]
    assert bench.wait(2) == []


def test_c18_k_and_w_of_one_alternate() -> None:
    bench = Bench(LinkParameters(k=1, w=1), started=True)
    for number in range(5):
        assert bench.report() == [IFrame(number, number, EVENT)]
        assert not bench.link.can_send
        assert bench.feed(command(number, nr=number + 1)) == [SFrame(number + 1)]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"t1": 10, "t2": 10}, "t2 must be less than t1, not 10 s against 10 s"),
        ({"k": 8, "w": 9}, r"w must not be greater than k \(9 > 8\)"),
        ({"k": 0}, r"k must be 1\.\.32767, not 0"),
        ({"k": 32_768}, r"k must be 1\.\.32767"),
        ({"w": 0}, r"w must be 1\.\.32767"),
        ({"t1": 256}, r"t1 must be 1\.\.255, not 256"),
        ({"t2": 0.5}, r"t2 must be 1\.\.255"),
        ({"t3": 172_801}, r"t3 must be 1\.\.172800"),
        ({"t3": float("nan")}, r"t3 must be 1\.\.172800, not nan"),
    ],
)
def test_c19_parameters_that_cannot_work_are_refused(parameters: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LinkParameters(**parameters)  # type: ignore[arg-type]


def test_c20_a_peer_that_never_acknowledges_is_closed_at_t1_however_much_it_sends() -> None:
    bench = full()
    for number in range(100):
        bench.feed(command(number))
    assert not bench.link.can_send
    bench.wait(3)
    assert bench.closed()


def test_the_deadline_is_the_earliest_of_all_timers() -> None:
    bench = Bench(LinkParameters(t1=10, t2=5, t3=20), started=True)
    start = bench.now
    assert bench.link.next_deadline() == start + 20
    bench.report()
    assert bench.link.next_deadline() == start + 10
    bench.feed(command(0))
    assert bench.link.next_deadline() == start + 5
    assert bench.link.on_timer(start + 4.9) == []
    assert bench.sent() == []


def test_frames_are_counted_by_format() -> None:
    bench = started()
    bench.report(2)
    bench.feed(command(0), SFrame(2), TESTFR_ACT)
    assert bench.link.frames_received == (1, 1, 2)
    assert bench.link.frames_sent == (2, 0, 2)
