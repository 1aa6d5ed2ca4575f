"""What is told of the connections: counters always, telegrams while somebody watches."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtu.iec104.catalogue import Cause, TypeID
from rtu.iec104.elements import QOI
from rtu.station.session import Session
from rtu.station.traffic import End, Telegram
from tests.station.conftest import Master, Rig

STARTDT_ACT, STARTDT_CON = bytes.fromhex("680407000000"), bytes.fromhex("68040b000000")
TESTFR_ACT, STOPDT_ACT = bytes.fromhex("680443000000"), bytes.fromhex("680413000000")
PEER, STATION = End("192.0.2.1", 40000), End("192.0.2.9", 19998)


class Watch:
    """Everything that was told."""

    def __init__(self, rig: Rig) -> None:
        self.telegrams: list[Telegram] = []
        self.stop = rig.station.traffic.watch(self.telegrams.append)

    def told(self) -> list[tuple[str, bytes]]:
        return [(one.kind, one.octets) for one in self.telegrams]


def admitted(rig: Rig) -> Master:
    master = rig.connect()
    rig.station.traffic.opened(master.session, "scada-a", PEER, STATION)
    return master


def gone(rig: Rig, session: Session, reason: str = "closed by the master") -> None:
    session.end(reason)
    rig.station.traffic.closed(session)


def test_a_connection_counts_its_apdus_by_format_and_its_octets(rig: Rig) -> None:
    session = admitted(rig).session
    session.receive(STARTDT_ACT + TESTFR_ACT, rig.now)
    out = session.data_to_send(rig.now)
    counters = session.counters
    assert counters.received == (0, 0, 2)
    assert (counters.octets_received, counters.octets_sent) == (12, len(out))
    assert counters.sent.u == 2
    assert counters.sent.i > 0  # end of initialisation, events


def test_a_connection_says_when_it_heard_its_master_last(rig: Rig) -> None:
    session = admitted(rig).session
    began = rig.now
    assert (session.counters.since, session.counters.heard) == (began, began)
    rig.clock.advance(7)
    session.receive(TESTFR_ACT, rig.now)
    assert (session.counters.since, session.counters.heard) == (began, began + 7)


def test_refusals_and_violations_are_counted(rig: Rig) -> None:
    master = admitted(rig).start()
    master.send(TypeID.C_IC_NA_1, Cause.ACT, 0, QOI(20), ca=77)
    assert (master.session.counters.refused, master.session.counters.faults) == (1, 0)
    master.session.receive(b"\x69", rig.now)
    assert master.session.counters.faults == 1


def test_the_counters_of_a_master_go_on_over_its_connections(rig: Rig) -> None:
    for _ in range(3):
        session = admitted(rig).session
        session.receive(TESTFR_ACT, rig.now)
        gone(rig, session)
        rig.clock.advance(1)
    live = admitted(rig).session
    live.receive(TESTFR_ACT, rig.now)
    totals = rig.station.traffic.totals()
    assert list(totals) == ["scada-a"]
    assert totals["scada-a"].received == (0, 0, 4)
    assert totals["scada-a"].connections == 4
    assert totals["scada-a"].heard == rig.now
    assert list(rig.station.traffic.ways) == [live]


def test_nothing_is_looked_at_while_nobody_watches(rig: Rig) -> None:
    session = admitted(rig).session
    assert session.tap is None
    watch = Watch(rig)
    assert session.tap is not None
    watch.stop()
    assert session.tap is None


def test_whoever_watches_sees_a_connection_from_its_beginning_to_its_end(rig: Rig) -> None:
    watch = Watch(rig)
    session = admitted(rig).session
    session.receive(STARTDT_ACT, rig.now)
    session.data_to_send(rig.now)
    gone(rig, session, "enough")
    kinds = [one.kind for one in watch.telegrams]
    assert kinds[:3] == ["opened", "received", "sent"]
    assert watch.told()[1:3] == [("received", STARTDT_ACT), ("sent", STARTDT_CON)]
    assert watch.telegrams[-1].reason == "enough"
    assert {one.way for one in watch.telegrams} == {(1, "scada-a", PEER, STATION)}


def test_each_apdu_is_a_telegram_of_its_own_however_the_octets_come(rig: Rig) -> None:
    watch = Watch(rig)
    session = admitted(rig).session
    stream = STARTDT_ACT + TESTFR_ACT
    for octet in stream:
        session.receive(bytes((octet,)), rig.now)
    session.receive(stream, rig.now)
    received = [octets for kind, octets in watch.told() if kind == "received"]
    assert received == [STARTDT_ACT, TESTFR_ACT] * 2


def test_all_that_is_sent_is_told_apdu_by_apdu(rig: Rig) -> None:
    watch = Watch(rig)
    session = admitted(rig).session
    session.receive(STARTDT_ACT + TESTFR_ACT, rig.now)
    out = session.data_to_send(rig.now)
    sent = [octets for kind, octets in watch.told() if kind == "sent"]
    assert b"".join(sent) == out
    assert all(len(octets) == 2 + octets[1] for octets in sent)


def test_who_begins_to_watch_in_the_middle_of_an_apdu_sees_all_of_it(rig: Rig) -> None:
    session = admitted(rig).session
    session.receive(TESTFR_ACT[:4], rig.now)
    watch = Watch(rig)
    session.receive(TESTFR_ACT[4:], rig.now)
    assert watch.told() == [("received", TESTFR_ACT)]


@pytest.mark.parametrize("wrong", [b"\x69\x04\x01\x02", b"\x68\x03\x01", b"\x68\xff" + b"\x55" * 300])
def test_what_is_no_apdu_is_told_as_it_came(rig: Rig, wrong: bytes) -> None:
    watch = Watch(rig)
    session = admitted(rig).session
    session.receive(TESTFR_ACT + wrong[:1], rig.now)
    session.receive(wrong[1:], rig.now)
    session.data_to_send(rig.now)
    gone(rig, session)
    received = [octets for kind, octets in watch.told() if kind == "received"]
    assert received[0] == TESTFR_ACT
    assert wrong.startswith(received[1])
    assert watch.telegrams[-1].reason.startswith(("start octet", "length octet"))


def test_what_was_left_unfinished_is_told_at_the_end(rig: Rig) -> None:
    watch = Watch(rig)
    session = admitted(rig).session
    session.receive(TESTFR_ACT[:5], rig.now)
    gone(rig, session)
    assert watch.told()[1:] == [("received", TESTFR_ACT[:5]), ("closed", b"")]


def test_one_who_leaves_does_not_keep_others_from_seeing(rig: Rig) -> None:
    first, second = Watch(rig), Watch(rig)
    session = admitted(rig).session
    first.stop()
    session.receive(TESTFR_ACT, rig.now)
    assert first.told() == [("opened", b"")]
    assert second.told() == [("opened", b""), ("received", TESTFR_ACT)]


@settings(max_examples=50)
@given(
    st.lists(st.sampled_from([STARTDT_ACT, TESTFR_ACT, STOPDT_ACT]) | st.binary(max_size=30), max_size=12),
    st.data(),
)
def test_every_octet_is_told_once_and_in_order(parts: list[bytes], data: st.DataObject) -> None:
    """Up to the segment that ends the connection, that one included."""
    rig = Rig().begin()
    watch = Watch(rig)
    session = admitted(rig).session
    stream, taken = b"".join(parts), 0
    while taken < len(stream) and session.closed_reason is None:
        some = data.draw(st.integers(1, 40))
        session.receive(stream[taken : taken + some], rig.now)
        taken = min(len(stream), taken + some)
    gone(rig, session)
    assert b"".join(octets for kind, octets in watch.told() if kind == "received") == stream[:taken]
