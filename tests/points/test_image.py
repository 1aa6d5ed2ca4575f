"""The image: every address of a group exactly once, in legal ASDUs."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtu.iec104.asdu import ASDU, MAX_ASDU
from rtu.iec104.elements import QDS, SIQ
from rtu.points import encoding
from rtu.points.image import Image
from rtu.points.model import IV, NT, Address

ENCODERS = {
    1: encoding.encode_single,
    3: encoding.encode_double,
    5: encoding.encode_step,
    7: encoding.encode_bitstring,
    9: encoding.normalized(1),
    11: encoding.scaled(1),
    13: encoding.encode_float,
    15: encoding.encode_counter,
}


def make(*rows: tuple[int, int, int, tuple[int, ...]]) -> Image:
    """An image of (ca, ioa, type, groups)."""
    return Image(
        [
            Address(index, index, ca, ioa, type_id, type_id, groups, ENCODERS[type_id])
            for index, (ca, ioa, type_id, groups) in enumerate(rows)
        ]
    )


def singles(*ioas: int) -> Image:
    return make(*((1, ioa, 1, ()) for ioa in ioas))


def shape(image: Image, group: int = 0) -> list[tuple[bool, int, int]]:
    """SQ, first address and number of objects of each ASDU."""
    return [
        (run.sequence, image.addresses[run.addresses[0]].ioa, len(run.addresses))
        for run in image.plan(1, group)
    ]


rows = st.lists(
    st.tuples(
        st.sampled_from([1, 2]),
        st.integers(1, 60) | st.integers(1, 600) | st.just(16777215),
        st.sampled_from(sorted(ENCODERS)),
        st.sets(st.integers(1, 3)).map(tuple),
    ),
    max_size=300,
    unique_by=lambda row: row[:2],
)


@settings(max_examples=100, deadline=None)
@given(rows)
def test_an_interrogation_sends_every_address_of_the_group_once(
    rows: list[tuple[int, int, int, tuple[int, ...]]],
) -> None:
    image = make(*rows)
    for ca in (1, 2):
        for group in range(5):
            sent = []
            for run in image.plan(ca, group):
                octets = image.asdu(run, 20 + group, 7)
                assert len(octets) <= MAX_ASDU
                asdu = ASDU.decode(octets)
                assert (asdu.cause, asdu.originator, asdu.ca, asdu.sequence) == (
                    20 + group,
                    7,
                    ca,
                    run.sequence,
                )
                assert 1 <= len(asdu.objects) <= 127
                sent += [(asdu.type_id, item.ioa) for item in asdu.objects]
            assert sent == sorted(
                (type_id, ioa)
                for row_ca, ioa, type_id, groups in rows
                if row_ca == ca and type_id != 15 and (group == 0 or group in groups)
            )


def test_before_the_first_reading_everything_is_invalid_and_not_topical() -> None:
    image = make((1, 1, 1, ()), (1, 2, 13, ()))
    octets = [image.asdu(run, 20) for run in image.plan(1)]
    elements = [ASDU.decode(part).objects[0].elements for part in octets]
    assert elements[0] == (SIQ(False, IV | NT),)
    assert elements[1][1] == QDS(IV | NT)


def test_consecutive_addresses_are_one_sequence() -> None:
    assert shape(singles(*range(100, 110))) == [(True, 100, 10)]
    assert shape(singles(5, 6)) == [(True, 5, 2)]


def test_single_addresses_are_objects_of_their_own() -> None:
    assert shape(singles(5)) == [(False, 5, 1)]
    assert shape(singles(5, 7, 9)) == [(False, 5, 3)]


def test_a_short_gap_does_not_cost_a_telegram() -> None:
    assert shape(singles(1, 2, 3, 5, 6, 7)) == [(False, 1, 6)]


def test_long_stretches_are_sequences_around_what_lies_between() -> None:
    image = singles(*range(1, 41), 50, 60, *range(100, 140))
    assert shape(image) == [(True, 1, 40), (False, 50, 2), (True, 100, 40)]


def test_a_thousand_points_are_cut_at_the_limits_of_the_asdu() -> None:
    assert [n for _, _, n in shape(singles(*range(1, 1001)))] == [127] * 7 + [111]
    image = make(*((1, ioa, 13, ()) for ioa in range(1, 101)))
    assert [n for _, _, n in shape(image)] == [48, 48, 4]
    assert len(image.asdu(image.plan(1)[0], 20)) == MAX_ASDU


def test_runs_never_reach_past_the_last_address() -> None:
    assert shape(singles(16777214, 16777215)) == [(True, 16777214, 2)]


def test_counters_answer_no_interrogation() -> None:
    image = make((1, 1, 15, (1,)))
    assert image.plan(1) == image.plan(1, 1) == ()
    assert image.find(1, 1) is image.addresses[0]


def test_a_group_without_members_has_no_plan() -> None:
    image = make((1, 1, 1, (3,)))
    assert image.plan(1, 4) == image.plan(2) == ()
    assert len(image.plan(1, 3)) == 1


def test_addresses_are_found_by_station_and_number() -> None:
    image = make((1, 10, 1, ()), (2, 10, 3, ()))
    assert image.find(2, 10) is image.addresses[1]
    assert image.find(1, 11) is None
    assert image.common_addresses == (1, 2)


@pytest.mark.parametrize("ioas", [(1, 2), (1, 5)])
def test_an_overlay_replaces_what_the_image_says(ioas: tuple[int, int]) -> None:
    image = singles(*ioas)
    (run,) = image.plan(1)
    plain = ASDU.decode(image.asdu(run, 20))
    laid_over = ASDU.decode(image.asdu(run, 20, overlay={1: b"\x01"}))
    assert plain.objects[0] == laid_over.objects[0]
    assert laid_over.objects[1].elements == (SIQ(True),)


def test_runs_are_ordered_by_type_then_address() -> None:
    image = make(*((1, ioa, 1 + 2 * (ioa % 2), ()) for ioa in range(1, 200)))
    keys = [(run.type_id, image.addresses[run.addresses[0]].ioa) for run in image.plan(1)]
    assert all(one < next_ for one, next_ in pairwise(keys))
