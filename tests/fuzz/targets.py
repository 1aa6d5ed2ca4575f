"""What is fuzzed: each target takes any octets and raises only what is a defect.

`splitter` and `codec` are pure; `link` plays both roles at once; `dispatch` is a whole station in virtual time, with a started
connection of an engineer, that must never energise an output without a record of a command.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from rtu.iec104.apci import APCIError, FrameSplitter, decode_frame
from rtu.iec104.asdu import ASDU, HEADER_SIZE, MAX_ASDU, ASDUError, Header
from rtu.iec104.link import Link, LinkParameters, Role, State

STARTDT = bytes.fromhex("680407000000")
TESTS = Path(__file__).parents[1]


@cache
def station() -> ModuleType:
    """What `tests/station` builds its stations from."""
    spec = spec_from_file_location("station_rig", TESTS / "station" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def splitter(octets: bytes) -> None:
    """However a stream is cut into pieces, the same frames come out of it."""
    whole = _frames([octets])
    assert _frames([octets[at : at + 1] for at in range(len(octets))]) == whole
    middle = len(octets) // 2
    assert _frames([octets[:middle], octets[middle:]]) == whole


def _frames(pieces: list[bytes]) -> list[bytes]:
    split = FrameSplitter()
    frames: list[bytes] = []
    try:
        for piece in pieces:
            for frame in split.feed(piece):
                frames.append(bytes(frame))
                decode_frame(frame)
    except APCIError:
        pass
    return frames


def codec(octets: bytes) -> None:
    """What can be decoded is encoded to the same octets, but for reserved bits; then it stays as it is."""
    try:
        asdu = ASDU.decode(octets)
    except ASDUError:
        return
    assert Header.decode(octets).type_id == asdu.type_id
    try:
        again = asdu.encode()
    except ValueError:
        return  # a NaN or an impossible time may arrive, and is never sent
    assert len(again) == len(octets)
    assert ASDU.decode(again) == asdu


def link(octets: bytes) -> None:
    """Any octets end a link at worst; what it sends itself is always well formed."""
    for role in Role:
        one = Link(role, LinkParameters(), 0.0)
        now = 0.0
        if role is Role.CONTROLLED:
            one.receive(STARTDT, now)
        for at in range(0, len(octets), 32):
            now += 0.5
            one.on_timer(now)
            one.receive(octets[at : at + 32], now)
            for frame in FrameSplitter().feed(one.data_to_send(now)):
                decode_frame(frame)


def dispatch(octets: bytes) -> None:
    """Pieces of the input are ASDUs: the first octet of each says how long it is."""
    rig: Any = station().Rig().begin()
    session = rig.connect(role="engineer").session
    master = Link(Role.CONTROLLING, LinkParameters(), rig.now)
    master.start(rig.now)
    at = 0
    while at < len(octets) and session.closed_reason is None:
        length = min(max(octets[at], HEADER_SIZE), MAX_ASDU)
        asdu, at = octets[at + 1 : at + 1 + length], at + 1 + length
        if len(asdu) >= HEADER_SIZE and master.window > 0 and master.state is State.STARTED:
            master.send(asdu, rig.now)
        session.receive(master.data_to_send(rig.now), rig.now)
        master.receive(session.data_to_send(rig.now), rig.now)
        rig.clock.advance(0.05)
        session.on_timer(rig.now)
    energised = [moved for moved in rig.relays.history if moved[2]]
    executed = [record for record in rig.audit.records if record["event"] == "command.execute"]
    assert len(energised) + len(rig.relays.setpoints) <= len(executed)


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "splitter": splitter,
    "codec": codec,
    "link": link,
    "dispatch": dispatch,
}
