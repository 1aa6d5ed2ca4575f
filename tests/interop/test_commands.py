"""Commands of a foreign master, from its octets to the moved switch and the end of the command."""

import pytest

ON, OFF, HIGHER, LOWER = 2, 1, 2, 1
RETURN_INFORMATION, SPONTANEOUS = 11, 3
SELECT = 0x80
NORMALIZED_STEP = 2**-15


def select_bit(asdu):
    return bool(bytes.fromhex(asdu.raw)[-1] & SELECT)


def end(master, ioa):
    """The ASDUs up to the termination of the command."""
    return master.until(ioa=ioa, cause=10)


def moved(asdus, ioa):
    """Cause and value of everything told about the object."""
    return [(asdu.cause, one.value) for asdu in asdus for one in asdu.objects if one.ioa == ioa]


def confirmed(asdus, ioa):
    """Cause, negative and select bit of the answers to commands on the object."""
    return [(asdu.cause, asdu.negative, select_bit(asdu)) for asdu in asdus if asdu.ioa == ioa]


@pytest.mark.parametrize("select", [False, True], ids=["direct", "select"])
def test_a_single_command_ends_after_the_return_information(master, select):
    for value in (1, 0):
        assert master.ask("command", type="C_SC_NA_1", ioa=5001, value=value, select=select)
        asdus = end(master, 5001)
        assert confirmed(asdus, 5001) == [*[(7, False, True)] * select, (7, False, False), (10, False, False)]
        assert moved(asdus, 1001) == [(RETURN_INFORMATION, bool(value))]
        assert asdus[-1].type == "C_SC_NA_1"


def test_a_double_command_moves_the_breaker(master):
    master.until_known(1005, False)  # the spring is charged: it can be closed again
    for value in (OFF, ON):
        assert master.ask("command", type="C_DC_NA_1", ioa=5101, value=value, select=True)
        asdus = end(master, 5101)
        assert confirmed(asdus, 5101) == [(7, False, True), (7, False, False), (10, False, False)]
        assert moved(asdus, 1101) == [(RETURN_INFORMATION, value)]


def test_a_double_command_that_has_to_be_selected_is_refused_without(master):
    assert master.ask("command", type="C_DC_NA_1", ioa=5101, value=OFF) is False
    (refusal,) = master.until(type="C_DC_NA_1")
    assert (refusal.cause, refusal.negative) == (7, True)
    master.ask("read", ioa=1101)
    assert moved(master.until(cause=5), 1101)[-1] == (5, ON)


def test_an_interlock_refuses_the_select(master):
    """The earthing switch cannot be closed while the breaker is: not even selected."""
    assert master.ask("command", type="C_DC_NA_1", ioa=5102, value=ON, select=True) is False
    (refusal,) = master.until(type="C_DC_NA_1")
    assert (refusal.cause, refusal.negative, select_bit(refusal)) == (7, True, True)


@pytest.mark.parametrize(
    ("select", "step", "position"), [(False, HIGHER, 1), (True, LOWER, 0)], ids=["direct", "select"]
)
def test_a_step_command_moves_the_tap_by_one(master, select, step, position):
    assert master.ask("command", type="C_RC_NA_1", ioa=5201, value=step, select=select)
    asdus = end(master, 5201)
    assert confirmed(asdus, 5201) == [*[(7, False, True)] * select, (7, False, False), (10, False, False)]
    assert moved(asdus, 1201) == [(RETURN_INFORMATION, position)]


@pytest.mark.parametrize("select", [False, True], ids=["direct", "select"])
@pytest.mark.parametrize(
    ("type_id", "ioa", "echo", "values"),
    [
        ("C_SE_NC_1", 6001, 2001, (6.5, 4.0)),
        ("C_SE_NB_1", 6012, 2012, (7, 4)),
        ("C_SE_NA_1", 6023, 2023, (0.75, 0.5)),
    ],
    ids=["float", "scaled", "normalized"],
)
def test_a_set_point_reaches_its_device(master, type_id, ioa, echo, values, select):
    for value in values:
        assert master.ask("command", type=type_id, ioa=ioa, value=value, select=select)
        asdus = end(master, ioa)
        assert [(asdu.cause, asdu.negative) for asdu in asdus if asdu.ioa == ioa] == [
            *[(7, False)] * select,
            (7, False),
            (10, False),
        ]
        (reached,) = master.until_told(echo)
        assert reached.value == pytest.approx(value, abs=2 * NORMALIZED_STEP)
        master.forget()


@pytest.mark.parametrize("value", [10.5, -1.0, float("inf")])
def test_a_set_point_out_of_range_is_refused(master, value):
    assert master.ask("command", type="C_SE_NC_1", ioa=6001, value=value) is False
    (refusal,) = master.until(ioa=6001)
    assert (refusal.cause, refusal.negative) == (7, True)


def test_a_command_to_nobody_is_answered_with_unknown_address(master):
    assert master.ask("command", type="C_SC_NA_1", ioa=5999, value=1) is False
    (refusal,) = master.until(ioa=5999)
    assert (refusal.cause, refusal.negative) == (47, True)


def test_a_command_of_the_wrong_type_is_answered_with_unknown_address(master):
    assert master.ask("command", type="C_DC_NA_1", ioa=5011, value=ON) is False
    (refusal,) = master.until(ioa=5011)
    assert (refusal.cause, refusal.negative) == (47, True)
