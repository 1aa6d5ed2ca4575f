"""End of initialisation: first, once per start, common address and group, never twice once acknowledged."""

import pytest

from rtu.events.journal import Volatile
from rtu.iec104.elements import COI, SCO
from rtu.station import initialisation

from .conftest import BOOT, STATION, Rig


def restarted(rig: Rig, text: str = STATION, boot: str = BOOT) -> Rig:
    """Another run of the program, with what the log of the last one remembers, which ran in `boot`."""
    store = Volatile()
    store.restored.meta = {key: boot if value == BOOT else value for key, value in rig.log.meta.items()}
    return Rig(text, store=store).begin()


def told(rig: Rig) -> COI:
    """What the end of initialisation says to a master that connects."""
    first, *_ = rig.connect().start().take()
    assert first.type_id == 70
    (coi,) = first.objects[0].elements
    return coi


def test_h16_the_end_of_initialisation_comes_first_and_once_per_common_address(rig):
    rig.set("door", 1)
    master = rig.connect().start()
    first, second, *rest = master.take()
    assert [(a.type_id, a.cause, a.ca, a.objects[0].ioa) for a in (first, second)] == [
        (70, 4, 1, 0),
        (70, 4, 2, 0),
    ]
    assert first.objects[0].elements == (COI(0),)
    assert 70 not in {asdu.type_id for asdu in rest}


def test_h17_a_reconnection_brings_no_second_one(rig):
    rig.master().disconnect()
    assert 70 not in {asdu.type_id for asdu in rig.connect().start().take()}


def test_one_that_was_not_acknowledged_is_sent_again(rig):
    master = rig.connect()
    master.acknowledging = False
    master.link.start(rig.now)
    master.session.receive(master.link.data_to_send(rig.now), rig.now)
    rig.settle()
    assert 70 in {asdu.type_id for asdu in master.take()}
    master.disconnect()
    assert 70 in {asdu.type_id for asdu in rig.connect().start().take()}


def test_every_group_gets_its_own(rig):
    rig.master(group="main")
    assert 70 in {asdu.type_id for asdu in rig.connect(group="other").start().take()}


def test_h16_the_first_start_ever_is_one_after_power_on(rig):
    assert told(rig) == COI(0)


def test_h16_so_is_the_first_of_every_boot_of_the_machine(rig):
    assert told(restarted(rig, boot="another boot")) == COI(0)


def test_a_restart_of_the_program_alone_is_a_local_reset(rig):
    assert told(restarted(rig)) == COI(1)


def test_a_restart_a_master_asked_for_is_a_remote_reset_and_the_next_is_not(rig):
    initialisation.reset(rig.log, BOOT)
    again = restarted(rig)
    assert told(again) == COI(2)
    assert told(restarted(again)) == COI(1)


def test_a_power_cut_after_it_makes_it_a_start_after_power_on(rig):
    initialisation.reset(rig.log, BOOT)
    assert told(restarted(rig, boot="another boot")) == COI(0)


def test_a_start_that_failed_leaves_the_cause_to_the_next(rig):
    initialisation.reset(rig.log, BOOT)
    failed = Rig(STATION, store=Volatile())
    failed.log.meta.update(rig.log.meta)  # type: ignore[attr-defined]  # and it never began
    assert told(restarted(failed)) == COI(2)


@pytest.mark.parametrize(("boot", "cause"), [(BOOT, 1), ("another boot", 0)])
def test_h18_a_restart_with_another_configuration_says_so_once(rig, boot, cause):
    other = STATION.replace("deadband = 1.0", "deadband = 2.0")
    changed = restarted(rig, other, boot)
    assert told(changed) == COI(cause, changed=True)
    assert told(restarted(changed, other)) == COI(1)


def test_on_a_machine_that_does_not_name_its_boots_every_start_is_one_after_power_on():
    assert initialisation.cause({"start.boot": "", "start.configuration": "c"}, "", "c") == COI(0)


def test_a_command_in_the_segment_of_the_start_finds_the_station_initialised(rig):
    master = rig.connect()
    master.link.start(rig.now)
    master.session.receive(master.link.data_to_send(rig.now), rig.now)
    rig.settle()
    master.send(45, 6, 2000, SCO(True))
    assert [asdu.type_id for asdu in master.take()][:3] == [70, 70, 45]
