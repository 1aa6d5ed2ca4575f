"""How a foreign master comes in: started, told that the station is there, and no more than it may."""

import pytest

TIME_INVALID = 0x80


@pytest.fixture(scope="module")
def guarded(run):
    """A station that takes its time from masters and no commands in plain."""
    return run(clock="master", commands=False)


def time_is_invalid(asdu):
    """IV of the time tag that ends the ASDU."""
    return bool(bytes.fromhex(asdu.raw)[-5] & TIME_INVALID)


@pytest.mark.parametrize("way", ["plain", "TLS 1.2", "TLS 1.3"])
def test_end_of_initialisation_comes_first_and_once_per_common_address(run, connect, way):
    master = connect(run(), way)
    assert master.asdus == []
    master.start()
    for ca in (1, 2):
        (initialised,) = master.until(type="M_EI_NA_1", ca=ca)
        assert (initialised.cause, initialised.negative) == (4, False)
    master.ask("interrogate")
    master.until(type="C_IC_NA_1", cause=10)  # what came before it is acknowledged by now
    master.ask("disconnect")
    master.becomes("CLOSED")
    master.ask("reconnect")
    master.becomes("OPEN_MUTED").start()
    master.ask("interrogate")
    assert "M_EI_NA_1" not in {asdu.type for asdu in master.until(type="C_IC_NA_1", cause=10)}


def test_plain_tcp_may_look_but_not_touch(guarded, connect):
    master = connect(guarded, "plain").start()
    master.ask("interrogate")
    master.until(type="C_IC_NA_1", cause=10)
    master.ask("count")
    master.until(type="C_CI_NA_1", cause=10)
    for request in (
        {"do": "command", "type": "C_SC_NA_1", "ioa": 5001, "value": 1},
        {"do": "command", "type": "C_DC_NA_1", "ioa": 5101, "value": 1, "select": True},
        {"do": "command", "type": "C_SE_NC_1", "ioa": 6001, "value": 1.0},
        {"do": "count", "freeze": "FREEZE_WITH_RESET"},
        {"do": "synchronise"},
    ):
        master.ask(**request)
        (refusal,) = master.until(cause=7)
        assert refusal.negative
    master.ask("read", ioa=1001)
    assert master.until(cause=5)[-1].objects[0].value is False


def test_a_master_sets_the_clock_and_time_tags_are_valid_from_then_on(guarded, connect):
    master = connect(guarded, "TLS 1.2").start()
    for valid in (False, True):
        for value in (1, 0):
            assert master.ask("command", type="C_SC_NA_1", ioa=5001, value=value)
            (event,) = (one for one in master.until(ioa=5001, cause=10) if one.type == "M_SP_TB_1")
            assert time_is_invalid(event) is not valid
        if not valid:
            master.ask("synchronise")
            confirmation = master.until(type="C_CS_NA_1")[-1]
            assert (confirmation.cause, confirmation.negative) == (7, False)
