"""The newest measured value per address."""

from __future__ import annotations

import pytest

from rtu.events.latest import Latest
from rtu.events.rows import Kind


def row(address, value, type_id=13):
    octets = (2000 + address).to_bytes(3, "little") + bytes([value, 0, 0, 0, 0])
    return (
        Kind(type_id, 1, 3, 0, ""),
        octets + (b"\x00\x00\x00\x00\x01\x01\x1a" if type_id == 36 else b""),
        address,
    )


@pytest.fixture
def latest():
    return Latest("main")


@pytest.fixture
def told(tell):
    """Address index and value, from a batch."""

    def read(batch):
        return [(ioa - 2000, octets[0]) for ioa, octets in tell(batch.asdu)]

    return read


def put(latest, *pairs):
    for address, value in pairs:
        latest.put(row(address, value))


def test_an_update_replaces_the_value_and_keeps_the_place(latest, told):
    put(latest, (0, 1), (1, 1), (0, 2))
    assert told(latest.next()) == [(0, 2), (1, 1)]


def test_nothing_waits_after_everything_was_sent(latest):
    put(latest, (0, 1))
    latest.next()
    assert latest.next() is None


def test_unacknowledged_values_come_back_first_and_in_order(latest, told):
    put(latest, (0, 1), (1, 1))
    latest.next()
    put(latest, (2, 1))
    latest.release()
    assert told(latest.next()) == [(0, 1), (1, 1), (2, 1)]


def test_a_value_in_flight_does_not_come_back_over_a_newer_one(latest, told):
    put(latest, (0, 1), (1, 1))
    latest.next()
    put(latest, (0, 2))
    latest.release()
    assert told(latest.next()) == [(1, 1), (0, 2)]


def test_of_two_values_of_one_address_in_flight_the_newer_comes_back(latest, told):
    put(latest, (0, 1))
    latest.next()
    put(latest, (0, 2))
    latest.next()
    latest.release()
    assert told(latest.next()) == [(0, 2)]


def test_acknowledged_values_do_not_come_back(latest):
    put(latest, (0, 1))
    batch = latest.next()
    latest.acknowledge(batch.token[1])
    latest.release()
    assert latest.next() is None


def test_never_more_waiting_than_addresses(latest):
    for value in range(250):
        put(latest, (value % 3, value))
    assert len(latest.pending) == 3


def test_only_values_never_sent_are_revised(latest, told):
    put(latest, (0, 1))
    latest.next()
    latest.release()
    put(latest, (1, 1))
    latest.revise(lambda old: row(old[2], 9))
    assert told(latest.next()) == [(0, 1), (1, 9)]


def test_with_double_transmission_both_types_of_an_address_wait(latest, told):
    for value in (1, 2):
        latest.put(row(0, value))
        latest.put(row(0, value, type_id=36))
    first, second = latest.next(), latest.next()
    assert [batch.asdu[0] for batch in (first, second)] == [13, 36]
    assert told(first) == told(second) == [(0, 2)]
    assert latest.next() is None
    latest.acknowledge(first.token[1])
    latest.put(row(0, 3))
    latest.release()
    assert [(batch.asdu[0], told(batch)) for batch in (latest.next(), latest.next())] == [
        (36, [(0, 2)]),
        (13, [(0, 3)]),
    ]


def test_discarding_leaves_only_what_is_in_flight(latest, told):
    put(latest, (0, 1))
    latest.next()
    put(latest, (1, 1), (2, 1))
    assert latest.discard() == 2
    assert latest.next() is None
    latest.release()
    assert told(latest.next()) == [(0, 1)]
