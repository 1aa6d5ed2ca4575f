"""Interlocks are three-valued: only what is known to be right permits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtu.points.model import BL, IV, NT, OV, SB

Q0 = 5001
CLOSED, OPEN = 2, 1


@pytest.mark.parametrize(
    ("value", "quality", "reason"),
    [
        (CLOSED, 0, "q8.position is not open, must be open"),
        (0, 0, "q8.position is in between, must be open"),
        (3, 0, "q8.position is contradicting itself, must be open"),
        (OPEN, IV, "q8.position is invalid, must be open"),
        (OPEN, NT, "q8.position is not topical, must be open"),
        (OPEN, BL, "q8.position is blocked, must be open"),
        (OPEN, SB, "q8.position is substituted, must be open"),
        (OPEN, OV, "q8.position is overflowing, must be open"),
        (OPEN, IV | NT, "q8.position is invalid and not topical, must be open"),
        (OPEN, 0x02, "q8.position is of quality 0x02, must be open"),
    ],
)
def test_a_condition_that_is_not_met_or_not_known_refuses_and_says_why(bench, value, quality, reason):
    bench.see("q8.position", value, quality)
    reply = bench.select(Q0, 2)
    assert reply.verdicts == (False, None)
    assert reply.reasons == [reason]


@given(value=st.integers(0, 3), quality=st.integers(0, 255))
def test_nothing_but_the_wanted_state_in_good_quality_permits(make_bench, value, quality):
    bench = make_bench()
    bench.see("q8.position", value, quality)
    assert bench.select(Q0, 2).verdicts == (value == OPEN and quality == 0, None)


def test_a_point_that_was_never_read_refuses(make_bench):
    bench = make_bench(scanned=False)
    bench.see("bay.remote", 1)
    assert bench.select(Q0, 2).reasons == ["q8.position is invalid and not topical, must be open"]


def test_conditions_are_checked_again_at_execute(bench):
    bench.select(Q0, 2)
    bench.see("q8.position", CLOSED)
    assert bench.ask(Q0, 2).verdicts == (False, None)
    assert bench.energised == []


def test_the_audit_record_tells_what_the_checks_saw(bench):
    bench.select(Q0, 2, who="scada-a")
    fields = bench.timeline[1][2]
    assert fields["checks"] == "bay.remote=on, q8.position=open"
    assert {
        name: fields[name] for name in ("who", "originator", "ca", "ioa", "command", "value", "qualifier")
    } == {
        "who": "scada-a",
        "originator": 3,
        "ca": 1,
        "ioa": Q0,
        "command": "q0.operate",
        "value": 2,
        "qualifier": 0,
    }
