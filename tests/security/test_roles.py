"""What each role may send."""

import pytest

from rtu.security.roles import PERMITTED, ROLES, greatest, least, permits

COMMANDS = [*range(45, 52), *range(58, 65)]


@pytest.mark.parametrize("type_id", COMMANDS)
def test_a_viewer_may_not_command(type_id):
    assert not permits("viewer", type_id)
    assert permits("operator", type_id)


@pytest.mark.parametrize("type_id", [100, 101, 102, 107])
def test_everyone_may_look_and_test(type_id):
    assert all(permits(role, type_id) for role in ROLES)


def test_freezing_counters_is_no_looking():
    assert permits("viewer", 101, freeze=False)
    assert not permits("viewer", 101, freeze=True)
    assert permits("operator", 101, freeze=True)


def test_only_an_operator_sets_the_clock():
    assert not permits("viewer", 103)
    assert permits("operator", 103)


@pytest.mark.parametrize("type_id", [105, *range(110, 114), *range(120, 128)])
def test_reset_parameters_and_files_are_for_engineers(type_id):
    assert [permits(role, type_id) for role in ROLES] == [False, False, True]


def test_a_greater_role_includes_the_lesser():
    assert PERMITTED["viewer"] < PERMITTED["operator"] < PERMITTED["engineer"]


def test_nobody_sends_monitor_types_or_what_104_does_not_have():
    for type_id in (*range(45), *range(52, 58), *range(65, 100), 104, 106, 255):
        assert not permits("engineer", type_id)


def test_the_least_role_wins():
    assert least("engineer", "viewer", "operator") == "viewer"
    assert least("operator") == "operator"


def test_who_has_several_roles_has_the_greatest():
    assert greatest("viewer", "engineer", "operator") == "engineer"
