"""E. The checks of requests that take every type: what each is answered with when its cause is none of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from struct import pack

import pytest

from rtu.iec104.catalogue import TYPES, TypeInfo
from tests.conformance.wire import Wire, asdus
from tests.station.conftest import Rig

EVERY_TYPE = Path(__file__).with_name("every_type.toml").read_text()
CONTROLLED = [info for info in TYPES.values() if info.control_causes and info.selected_in_104]
UNKNOWN_CAUSE = 45
SAYS_UNKNOWN = range(44, 48)


def request(info: TypeInfo, cause: int) -> bytes:
    return pack("<BBBBH", info.number, 1, cause, 0, 1) + bytes(3 + info.size)


@pytest.mark.parametrize("info", CONTROLLED, ids=lambda info: info.name)
def test_e06_a_cause_that_is_none_of_the_type_is_mirrored_as_unknown(
    make_rig: Callable[..., Rig], info: TypeInfo
) -> None:
    wire = Wire(make_rig(EVERY_TYPE)).start()
    for cause in set(range(64)) - info.control_causes:
        asked = request(info, cause)
        answers = asdus(wire.say(wire.ask(asked)))
        if cause in SAYS_UNKNOWN:
            assert answers == []
        else:
            assert answers == [asked[:2] + bytes((0x40 | UNKNOWN_CAUSE,)) + asked[3:]]
        wire.acknowledge()
    assert not wire.closed
    assert wire.rig.relays.history == []
    assert wire.rig.relays.setpoints == []
