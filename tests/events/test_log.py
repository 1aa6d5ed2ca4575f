"""What the event log promises to a redundancy group, on one lease and over several."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rtu.iec104.asdu import ASDU, Header
from rtu.points.model import SPONTANEOUS, Cause


def add(log, points, octets, *numbers, at=0, cause=SPONTANEOUS):
    for number in numbers:
        log.state(points.q[at], octets(number), cause)


def drain(group):
    """Everything there is to tell, unacknowledged."""
    batches = []
    while (batch := group.next_states()) is not None:
        batches.append(batch)
    return batches


@pytest.fixture
def told(tell):
    """The octets of all objects in these batches, in order."""

    def read(batches):
        return [octets for batch in batches for _, octets in tell(batch.asdu)]

    return read


def test_events_come_in_the_order_they_were_made(make_log, points, octets, told):
    log = make_log()
    add(log, points, octets, *range(50))
    assert told(drain(log.groups["main"])) == [octets(n) for n in range(50)]


def test_an_asdu_is_filled_but_never_beyond_249_octets(make_log, points, octets):
    log = make_log()
    add(log, points, octets, *range(50))
    batches = drain(log.groups["main"])
    counts = [Header.decode(batch.asdu).count for batch in batches]
    assert counts == [22, 22, 6]
    assert max(len(batch.asdu) for batch in batches) <= 249
    assert not Header.decode(batches[0].asdu).sequence


def test_only_neighbours_of_one_type_cause_and_common_address_share_an_asdu(make_log, points, octets):
    log = make_log()
    add(log, points, octets, 1, at=0)
    add(log, points, octets, 2, at=3)  # another common address
    add(log, points, octets, 3, at=1)
    add(log, points, octets, 4, at=1, cause=Cause(11))
    headers = [Header.decode(batch.asdu) for batch in drain(log.groups["main"])]
    assert [(h.ca, h.cause, h.count) for h in headers] == [(1, 3, 1), (2, 3, 1), (1, 3, 1), (1, 11, 1)]


def test_return_information_names_the_originator_only_to_its_own_group(make_log, points, octets):
    log = make_log("a", "b")
    add(log, points, octets, 1, cause=Cause(11, 7, "a"))
    mine, other = (log.groups[name].next_states().asdu for name in ("a", "b"))
    assert (Header.decode(mine).cause, Header.decode(mine).originator) == (11, 7)
    assert (Header.decode(other).cause, Header.decode(other).originator) == (11, 0)
    assert mine[6:] == other[6:]


def test_every_group_gets_every_event(make_log, points, octets, told):
    log = make_log("a", "b")
    add(log, points, octets, 1, 2)
    assert told(drain(log.groups["a"])) == told(drain(log.groups["b"])) == [octets(1), octets(2)]


def test_what_was_not_acknowledged_comes_back_with_the_same_octets(make_log, points, octets):
    log = make_log()
    group = log.groups["main"]
    add(log, points, octets, *range(50))
    first, second, third = drain(group)
    group.acknowledge(first.token)
    group.release()
    assert [batch.asdu for batch in drain(group)] == [second.asdu, third.asdu]


def test_an_acknowledgement_covers_what_was_sent_before(make_log, points, octets):
    log = make_log()
    group = log.groups["main"]
    add(log, points, octets, *range(50))
    _, second, third = drain(group)
    group.acknowledge(second.token)
    assert group.pending == 6
    group.acknowledge(third.token)
    assert group.pending == 0


def test_a_token_of_an_earlier_lease_changes_nothing(make_log, points, octets):
    log = make_log()
    group = log.groups["main"]
    add(log, points, octets, 1)
    old = group.next_states()
    group.release()
    group.acknowledge(old.token)
    again = group.next_states()
    group.acknowledge(old.token)
    assert again.asdu == old.asdu
    assert group.pending == 1


def test_a_reply_can_wait_for_the_rows_before_it(make_log, points, octets):
    log = make_log()
    group = log.groups["main"]
    add(log, points, octets, 1, 2)
    position = log.position
    assert not group.passed(position)
    assert group.next_before(position) is not None
    assert group.passed(position)
    assert group.next_before(position) is None
    add(log, points, octets, 3)
    assert group.passed(position)
    group.release()
    assert not group.passed(position)


def test_rows_leave_memory_when_every_group_has_them(make_log, points, octets):
    log = make_log("a", "b")
    add(log, points, octets, 1, 2)
    for name in ("a", "b"):
        assert len(log._states.rows) == 2
        for batch in drain(log.groups[name]):
            log.groups[name].acknowledge(batch.token)
    assert len(log._states.rows) == 0


def test_without_groups_nothing_is_kept(clock, points, octets):
    from rtu.events.log import EventLog

    log = EventLog([], clock, points.all)
    add(log, points, octets, 1)
    assert log.head == 1
    assert len(log._states.rows) == 0


def test_subscribers_are_woken_until_they_unsubscribe(make_log, points, octets, measured_octets):
    log = make_log()
    woken = []
    unsubscribe = log.subscribe(lambda: woken.append(log.head))
    add(log, points, octets, 1)
    log.groups["main"].next_measured()
    log.measured(points.u[0], measured_octets(1), SPONTANEOUS, every=False)
    log.groups["main"].next_states()
    unsubscribe()
    add(log, points, octets, 2)
    assert woken == [1, 1]


def test_subscribers_are_woken_once_until_somebody_pulls(make_log, points, octets):
    log = make_log("a", "b")
    woken = []
    log.subscribe(lambda: woken.append(log.head))
    add(log, points, octets, 1, 2, 3)
    assert woken == [1]
    log.groups["a"].next_states()
    add(log, points, octets, 4, 5)
    assert woken == [1, 4]


def test_a_subscriber_that_fails_costs_neither_the_event_nor_the_others(make_log, points, octets):
    reports = []
    log = make_log(report=lambda event, **details: reports.append((event, details)))
    woken = []

    def broken():
        raise RuntimeError("a session")

    log.subscribe(broken)
    log.subscribe(lambda: woken.append(log.head))
    add(log, points, octets, 1)
    assert woken == [1]
    assert reports == [("events.subscriber_failed", {"reason": "RuntimeError: a session"})]


# Overflow


def lost_word(asdu, index=0):
    return ASDU.decode(asdu).objects[index].elements[0].encode()


def test_overflow_drops_the_oldest_and_tells_how_many_in_their_place(make_log, points, octets, told):
    log = make_log(capacity=5, overflow=[points.overflow])
    group = log.groups["main"]
    add(log, points, octets, *range(1, 9))
    notice, *rest = drain(group)
    header = Header.decode(notice.asdu)
    assert (header.type_id, header.cause, header.count) == (33, 3, 1)
    assert lost_word(notice.asdu) == (3).to_bytes(4, "little")
    assert told(rest) == [octets(n) for n in range(4, 9)]
    assert group.lost == 3
    assert group.overlay() == {points.overflow.index: (3).to_bytes(4, "little") + b"\x00"}


def test_every_overflow_address_gets_its_event(make_log, points, octets):
    log = make_log(capacity=5, overflow=[points.overflow, points.plain_overflow])
    add(log, points, octets, *range(6))
    headers = [Header.decode(batch.asdu) for batch in drain(log.groups["main"])]
    assert [(h.type_id, h.ca) for h in headers] == [(33, 1), (7, 2), (30, 1)]


def test_of_two_notices_of_one_gap_only_the_unacknowledged_one_repeats(make_log, points, octets):
    log = make_log(capacity=5, overflow=[points.overflow, points.plain_overflow])
    group = log.groups["main"]
    add(log, points, octets, *range(6))
    first, second, rows = drain(group)
    group.acknowledge(first.token)
    group.release()
    again = drain(group)
    assert [batch.asdu for batch in again] == [second.asdu, rows.asdu]
    group.acknowledge(again[-1].token)
    assert (group.pending, group.next_states()) == (0, None)


def test_rows_in_flight_are_never_dropped(make_log, points, octets, told):
    log = make_log(capacity=5, overflow=[points.overflow])
    group = log.groups["main"]
    add(log, points, octets, 1, 2, 3)
    sent = group.next_states()
    add(log, points, octets, *range(4, 9))
    group.acknowledge(sent.token)
    _, *rest = drain(group)
    assert told([sent]) == [octets(1), octets(2), octets(3)]
    assert told(rest) == [octets(7), octets(8)]
    assert group.lost == 3


def lost(asdu):
    return int.from_bytes(lost_word(asdu), "little")


def test_a_notice_repeats_unchanged_as_long_as_nothing_more_is_lost(make_log, points, octets, clock):
    log = make_log(capacity=5, overflow=[points.overflow])
    group = log.groups["main"]
    add(log, points, octets, *range(1, 8))
    notice = group.next_states()
    clock.advance(5)
    group.release()
    again, _ = drain(group)
    assert again.asdu == notice.asdu
    assert lost(notice.asdu) == 2


def test_a_loss_behind_a_notice_in_flight_gets_its_own(make_log, points, octets):
    log = make_log(capacity=5, overflow=[points.overflow])
    group = log.groups["main"]
    add(log, points, octets, *range(1, 8))
    first = group.next_states()
    add(log, points, octets, 8, 9, 10)
    second, rows = drain(group)
    assert [lost(first.asdu), lost(second.asdu)] == [2, 5]
    group.acknowledge(rows.token)
    assert (group.pending, group.next_states()) == (0, None)


def test_the_number_of_lost_rows_never_goes_back(make_log, points, octets):
    log = make_log(capacity=5, overflow=[points.overflow])
    group = log.groups["main"]
    add(log, points, octets, *range(5))
    sent = [group.next_states()]
    add(log, points, octets, 5)  # all others are in flight
    sent.append(group.next_states())
    group.release()
    add(log, points, octets, *range(6, 8))  # lost before the notice already sent
    sent += drain(group)
    numbers = [lost(batch.asdu) for batch in sent if batch.asdu[0] == 33]
    assert numbers == sorted(numbers)
    assert numbers[-1] == group.lost == 3


def test_a_notice_is_made_anew_when_more_was_lost_elsewhere(make_log, points, octets, measured_octets, clock):
    log = make_log(capacity=5, measured_capacity=5, overflow=[points.overflow, points.plain_overflow])
    group = log.groups["main"]
    add(log, points, octets, *range(7))
    before = [group.next_states(), group.next_states()]
    group.acknowledge(before[0].token)
    for number in range(8):
        log.measured(points.u[0], measured_octets(number), SPONTANEOUS, every=True)
    shown = int.from_bytes(group.overlay()[points.overflow.index][:4], "little")
    group.release()
    after = [batch for batch in drain(group) if batch.asdu[0] in (7, 33)]
    assert [lost(batch.asdu) for batch in before] == [2, 2]
    assert [lost(batch.asdu) for batch in after] == [shown, shown] == [5, 5]


def test_a_notice_that_is_made_anew_half_way_is_told_to_every_address(
    make_log, points, octets, measured_octets
):
    log = make_log(capacity=5, measured_capacity=5, overflow=[points.overflow, points.plain_overflow])
    group = log.groups["main"]
    add(log, points, octets, *range(7))
    first = group.next_states()
    for number in range(8):
        log.measured(points.u[0], measured_octets(number), SPONTANEOUS, every=True)
    second = group.next_states()
    assert [lost(first.asdu), lost(second.asdu)] == [2, 5]
    newer = [group.next_measured(), group.next_measured()]
    assert [(batch.asdu[0], lost(batch.asdu)) for batch in newer] == [(33, 5), (7, 5)]


def test_gaps_that_touch_and_were_not_told_are_one(make_log, points, octets):
    log = make_log(capacity=5, overflow=[points.overflow])
    group = log.groups["main"]
    add(log, points, octets, 1, 2)
    group.next_states()
    add(log, points, octets, 3, 4, 5, 6)  # drops 3, behind the two in flight
    group.release()
    add(log, points, octets, 7, 8)  # drops 1 and 2
    notice, rows = drain(group)
    assert lost_word(notice.asdu) == (3).to_bytes(4, "little")
    assert Header.decode(rows.asdu).count == 5


def test_a_dead_group_costs_the_living_one_nothing(make_log, points, octets, told):
    log = make_log("alive", "dead", capacity=5, overflow=[points.overflow])
    alive = log.groups["alive"]
    received = []
    for number in range(100):
        add(log, points, octets, number)
        batch = alive.next_states()
        received += told([batch])
        alive.acknowledge(batch.token)
    assert received == [octets(n) for n in range(100)]
    assert (alive.lost, log.groups["dead"].lost) == (0, 95)
    assert len(log._states.rows) == 5


def test_a_gap_nobody_is_told_is_counted_and_reported_once(make_log, points, octets, told):
    reports = []
    log = make_log(capacity=5, report=lambda event, **details: reports.append((event, details)))
    group = log.groups["main"]
    add(log, points, octets, *range(8))
    first = drain(group)
    group.release()
    assert told(first) == told(drain(group)) == [octets(n) for n in range(3, 8)]
    assert reports == [("events.lost_untold", {"group": "main", "rows": 3})]
    assert group.lost == 3


def test_a_row_dropped_by_one_group_is_not_sent_to_it_though_another_still_keeps_it(
    make_log, points, octets, told
):
    log = make_log("slow", "fast", capacity=5)
    slow, fast = log.groups["slow"], log.groups["fast"]
    add(log, points, octets, 1, 2, 3)
    kept = fast.next_states()  # in flight: fast keeps rows 1..3
    add(log, points, octets, *range(4, 8))
    drain(slow)
    slow.release()
    assert told(drain(slow)) == [octets(n) for n in range(3, 8)]
    fast.acknowledge(kept.token)


def test_measured_values_never_evict_a_state(make_log, points, octets, measured_octets, told):
    log = make_log(capacity=5, measured_capacity=5)
    group = log.groups["main"]
    add(log, points, octets, 1, 2)
    for number in range(100):
        log.measured(points.u[0], measured_octets(number), SPONTANEOUS, every=True)
    assert told(drain(group)) == [octets(1), octets(2)]
    assert group.lost == 95


# An interrogated point never shows new -> old -> new


def test_a_present_value_waits_for_the_events_of_its_address_only(make_log, points, octets, told):
    log = make_log()
    group = log.groups["main"]
    add(log, points, octets, 1, at=0)
    assert group.unsent([points.q[0].index])
    assert not group.unsent([points.q[1].index])
    assert group.next_for([points.q[1].index]) is None
    assert told([group.next_for([points.q[0].index])]) == [octets(1)]
    assert not group.unsent([points.q[0].index])


def test_kept_measured_values_go_in_order_up_to_the_one_in_question(make_log, points, measured_octets, told):
    log = make_log()
    group = log.groups["main"]
    for number in range(40):
        log.measured(points.u[number % 2], measured_octets(number), SPONTANEOUS, every=True)
    sent = []
    while group.unsent([points.u[0].index]):
        sent.append(group.next_for([points.u[0].index]))
    assert told(sent) == [measured_octets(n) for n in range(len(told(sent)))]
    assert len(told(sent)) >= 39


def test_newest_values_of_other_addresses_stay_behind(make_log, points, measured_octets, told):
    log = make_log()
    group = log.groups["main"]
    for number in range(3):
        log.measured(points.u[number], measured_octets(number), SPONTANEOUS, every=False)
    wanted = [points.u[1].index]
    assert group.unsent(wanted)
    assert told([group.next_for(wanted)]) == [measured_octets(1)]
    assert not group.unsent(wanted)
    assert told([group.next_measured()]) == [measured_octets(0), measured_octets(2)]


def test_after_a_lost_lease_the_events_are_in_the_way_again(make_log, points, octets):
    log = make_log()
    group = log.groups["main"]
    add(log, points, octets, 1)
    drain(group)
    assert not group.unsent([points.q[0].index])
    group.release()
    assert group.unsent([points.q[0].index])


def test_a_silent_gap_is_not_in_the_way_for_ever(make_log, points, octets):
    log = make_log(capacity=1)
    group = log.groups["main"]
    add(log, points, octets, 1, at=0)
    add(log, points, octets, 2, at=1)
    wanted = [points.q[0].index]
    while group.unsent(wanted):
        group.next_for(wanted)
    assert not group.unsent(wanted)


# The clock is set for the first time


def test_events_made_before_the_clock_was_right_are_resolved_unless_sent(make_log, points, octets, told):
    log = make_log("a", "b")
    add(log, points, octets, 1)
    log.groups["a"].next_states()
    add(log, points, octets, 2)
    log.resolve(lambda type_id, old: octets(100) if old == octets(2) else octets(99))
    assert told(drain(log.groups["b"])) == [octets(1), octets(100)]


# States that go first


def test_events_of_the_first_types_overtake_the_others(make_log, points, octets, told):
    log = make_log(first=points.q[:2])
    for number, at in enumerate((2, 0, 2, 1)):
        add(log, points, octets, number, at=at)
    assert told(drain(log.groups["main"])) == [octets(1), octets(3), octets(0), octets(2)]


def test_each_stream_has_its_own_capacity_and_tells_its_own_gaps(make_log, points, octets, told):
    log = make_log(first=[points.q[0]], capacity=5, overflow=[points.overflow])
    group = log.groups["main"]
    add(log, points, octets, *range(100, 104), at=1)
    add(log, points, octets, *range(8), at=0)
    notice, urgent, other = drain(group)
    assert lost(notice.asdu) == group.lost == 3
    assert told([urgent]) == [octets(n) for n in range(3, 8)]
    assert told([other]) == [octets(n) for n in range(100, 104)]


def test_a_position_is_passed_when_every_stream_is_there(make_log, points, octets):
    log = make_log(first=[points.q[0]])
    group = log.groups["main"]
    add(log, points, octets, 1, at=1)
    add(log, points, octets, 2, at=0)
    position = log.position
    add(log, points, octets, 3, at=0)
    passed = []
    while group.next_before(position) is not None:
        passed.append(group.passed(position))
    assert passed == [False, True]


def test_an_urgent_event_is_in_the_way_of_a_present_value(make_log, points, octets, told):
    log = make_log(first=[points.q[0]])
    group = log.groups["main"]
    add(log, points, octets, 1, at=1)
    add(log, points, octets, 2, at=0)
    assert group.unsent([points.q[0].index])
    assert told([group.next_for([points.q[0].index])]) == [octets(2)]
    assert group.unsent([points.q[1].index])


def test_one_address_told_in_two_types_keeps_both(make_log, points, octets):
    log = make_log()
    untagged = replace(points.q[0], event_type=1)
    for _ in range(2):
        log.state(untagged, b"\x01", SPONTANEOUS)
        log.state(points.q[0], octets(1), SPONTANEOUS)
    assert [batch.asdu[0] for batch in drain(log.groups["main"])] == [1, 30, 1, 30]


# Reset of pending information


def test_discarding_leaves_what_is_in_flight_and_counts_nothing_as_lost(
    make_log, points, octets, measured_octets, told
):
    log = make_log("a", "b", first=[points.q[0]])
    group = log.groups["a"]
    add(log, points, octets, *range(30), at=1)
    sent = group.next_states()
    add(log, points, octets, 99, at=0)
    for every in (True, False):
        log.measured(points.u[0], measured_octets(1), SPONTANEOUS, every=every)
    assert group.discard() == 8 + 1 + 2
    assert (group.next_states(), group.next_measured()) == (None, None)
    assert (group.pending, group.lost) == (22, 0)
    add(log, points, octets, 100, at=1)
    assert told(drain(group)) == [octets(100)]
    group.release()
    assert told(drain(group)) == [*told([sent]), octets(100)]
    assert len(told(drain(log.groups["b"]))) == 32


def test_what_was_lost_before_a_discard_is_still_told(make_log, points, octets, told):
    log = make_log(capacity=5, overflow=[points.overflow, points.plain_overflow])
    group = log.groups["main"]
    add(log, points, octets, *range(8))
    assert group.discard() == 5
    add(log, points, octets, 9)
    first, second, rest = drain(group)
    assert [lost(first.asdu), lost(second.asdu)] == [3, 3]
    assert told([rest]) == [octets(9)]
    group.acknowledge(rest.token)
    assert (group.pending, group.lost) == (0, 3)
    assert len(log._states.rows) == 0


def test_a_discard_in_the_middle_of_a_notice_finishes_the_notice(make_log, points, octets):
    log = make_log(capacity=5, overflow=[points.overflow, points.plain_overflow])
    group = log.groups["main"]
    add(log, points, octets, *range(8))
    first = group.next_states()
    assert group.discard() == 5
    (second,) = drain(group)
    assert [lost(first.asdu), lost(second.asdu)] == [3, 3]
    group.acknowledge(second.token)
    assert (group.pending, group.next_states()) == (0, None)
