"""Spontaneous, cyclic and background transmission; retention and redundancy (checklist B, C, D, L)."""

from rtu.iec104.elements import QOI, SCO


def told(asdus, ioa):
    """Type, cause and value of every object with this address."""
    return [
        (asdu.type_id, asdu.cause, getattr(item.elements[0], item.elements[0].__struct_fields__[0]))
        for asdu in asdus
        for item in asdu.objects
        if item.ioa == ioa and asdu.ca == 1
    ]


def test_l01_a_change_is_told_at_once_with_its_time(rig):
    master = rig.master()
    rig.set("door", 1)
    rig.settle()
    asdus = master.take()
    assert told(asdus, 100) == [(30, 3, True)]
    assert asdus[0].objects[0].elements[1].to_ns() == rig.clock.wall(rig.clock.now_ns()).unix_ns


def test_l02_many_changes_arrive_all_and_in_order(rig):
    master = rig.master()
    for n in range(100):
        rig.set("door", (n + 1) % 2)
    rig.advance(30)
    assert told(master.take(), 100) == [(30, 3, bool((n + 1) % 2)) for n in range(100)]


def test_l04_a_measured_value_within_its_deadband_is_no_news(rig):
    master = rig.master()
    rig.set("current", 0.9)
    rig.settle()
    assert master.take() == []
    rig.set("current", 1.5)
    rig.settle()
    assert told(master.take(), 700) == [(36, 3, 1.5)]


def test_l05_l06_losing_a_sensor_and_finding_it_again_are_told(rig):
    master = rig.master()
    rig.set("door", 0, 0x80)
    rig.set("door", 0)
    rig.settle()
    qualities = [o.elements[0].quality for a in master.take() for o in a.objects if (a.ca, o.ioa) == (1, 100)]
    assert qualities == [0x80, 0]


def test_h08_without_a_synchronised_clock_the_time_is_marked_invalid(rig):
    master = rig.master()
    rig.clock.valid = False
    rig.set("door", 1)
    rig.settle()
    assert master.take()[0].objects[0].elements[1].invalid


def test_l10_cyclic_transmission_goes_on_every_period_and_only_while_started(rig):
    master = rig.master()
    rig.advance(30.5)
    assert told(master.take(), 700) == [(13, 1, 0.0)] * 3
    master.stop()
    rig.advance(30)
    assert master.take() == []


def test_l11_the_background_scan_is_untagged_and_gives_way_to_events(make_rig):
    rig = make_rig(k=1)
    master = rig.master()
    rig.advance(60.5)
    asdus = master.take()
    assert (13, 2) in {(asdu.type_id, asdu.cause) for asdu in asdus}
    assert not any(asdu.cause == 2 and asdu.type_id >= 30 for asdu in asdus)


def test_d02_what_was_not_acknowledged_goes_to_the_next_connection_identical_and_in_order(rig):
    first = rig.master()
    first.acknowledging = False
    for n in range(4):
        rig.set("door", (n + 1) % 2)
        rig.settle()
    sent = first.take()
    second = rig.connect().start()
    assert first.closed == "another connection of its group was started"
    assert [asdu for asdu in second.take() if asdu.type_id != 70] == sent


def test_d04_an_orderly_switch_over_repeats_nothing(rig):
    first = rig.master()
    rig.set("door", 1)
    rig.settle()
    first.stop()
    second = rig.connect().start()
    assert [asdu for asdu in second.take() if asdu.type_id == 30] == []
    assert first.closed is None


def test_d05_a_stopped_connection_hears_nothing(rig):
    rig.master()
    standby = rig.connect()
    rig.set("door", 1)
    rig.settle()
    assert standby.take() == []


def test_d06_every_group_is_told_once(rig):
    main, other = rig.master(group="main"), rig.master(group="other")
    rig.set("door", 1)
    rig.settle()
    assert told(main.take(), 100) == told(other.take(), 100) == [(30, 3, True)]


def test_d07_events_wait_for_a_master_with_their_own_time(rig):
    times = []
    for n in range(10):
        rig.advance(1)
        times.append(rig.clock.wall(rig.clock.now_ns()).unix_ns)
        rig.set("door", (n + 1) % 2)
    asdus = rig.connect().start().take()
    items = [o for a in asdus if a.type_id == 30 and a.ca == 1 for o in a.objects if o.ioa == 100]
    assert [item.elements[1].to_ns() for item in items] == times


def test_d08_what_did_not_fit_is_counted_where_it_is_missing(make_rig):
    rig = make_rig(capacity=100)
    for n in range(110):
        rig.set("q0.position", 1 + (n + 1) % 2)
    master = rig.connect().start()
    rig.advance(30)
    asdus = [asdu for asdu in master.take() if asdu.type_id in (31, 33)]
    assert asdus[0].type_id == 33
    assert asdus[0].objects[0].elements[0].bits == 10
    assert sum(len(asdu.objects) for asdu in asdus[1:]) == 100
    master.send(100, 6, 0, QOI(20))
    (lost,) = [o.elements[0].bits for a in master.take() if a.type_id == 7 for o in a.objects]
    assert lost == 10


def test_d09_d11_what_belongs_to_a_connection_dies_with_it(rig):
    first = rig.master()
    first.send(45, 6, 2000, SCO(True))
    first.disconnect()
    second = rig.connect().start()
    rig.advance(5)
    assert 45 not in {asdu.type_id for asdu in second.take()}
    assert [entry[1:] for entry in rig.relays.history] == [(0, 1), (0, 0)]


def test_c01_c02_no_more_than_k_without_acknowledgement(rig):
    master = rig.master()
    master.acknowledging = False
    for n in range(20):
        rig.set("tap", n + 1)
        rig.settle()
    assert len(master.take()) == 12
    master.acknowledging = True
    master.rig.advance(1)
    assert sum(len(asdu.objects) for asdu in master.take() if asdu.type_id == 32) == 8


def test_c13_a_master_that_does_not_acknowledge_is_let_go_at_t1(rig):
    master = rig.master()
    master.acknowledging = False
    rig.set("door", 1)
    rig.settle()
    rig.advance(16)
    assert "not acknowledged within t1" in master.closed


def test_one_master_that_reads_nothing_does_not_hold_up_another(rig):
    deaf = rig.master(group="main")
    deaf.acknowledging = False
    other = rig.master(group="other")
    for n in range(50):
        rig.set("door", (n + 1) % 2)
        rig.settle()
    rig.advance(5)
    assert len(told(other.take(), 100)) == 50


def test_d06_events_of_the_first_types_go_before_all_others(rig, make_rig):
    rig = make_rig(rig.text + '[events]\nfirst = ["double"]\n')
    for n in range(60):
        rig.set("door", (n + 1) % 2)
    rig.set("q0.position", 2)
    asdus = [asdu for asdu in rig.connect().start().take() if asdu.type_id in (30, 31)]
    assert asdus[0].type_id == 31
    assert told(asdus, 200) == [(31, 3, 2)]


def test_d06_an_interrogated_point_never_goes_back_whichever_stream_its_events_take(rig, make_rig):
    """The master is slow, both streams are full: what it knows of a point only ever gets newer."""
    rig = make_rig(rig.text + '[events]\nfirst = ["double"]\n', k=1)
    master = rig.master()
    master.acknowledging = False
    for n in range(60):
        rig.set("tap", n)
        rig.set("q0.position", 1 + n % 2)
    master.send(100, 6, 0, QOI(20))
    rig.set("tap", 60)
    master.acknowledging = True
    rig.advance(60)
    positions = [value for _, _, value in told(master.take(), 300)]
    assert positions == sorted(positions)
    assert positions[-1] == 60
