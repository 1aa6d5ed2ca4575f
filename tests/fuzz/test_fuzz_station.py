"""Spoilt frames: whatever a peer sends ends its own connection at worst.

The frames are valid ones with a few octets changed, taken out, put in or cut off, always the same ones: a seed makes
them. Most of them get sequence numbers, lengths, types and addresses that bring them through to the handlers.

In every run 20,000 go through the codec and 10,000 to a station of each kind, by `make soak` 1,000,000 each.
"""

from __future__ import annotations

import random
import tracemalloc
from types import ModuleType
from typing import Any

from rtu.iec104.apci import APCIError, FrameSplitter, decode_frame
from rtu.iec104.asdu import ASDU, ASDUError
from tests.scale import scale

STARTDT = bytes.fromhex("680407000000")
OCTETS = (0x00, 0x01, 0x7F, 0x80, 0xFF)
TYPES = (1, 30, 36, *range(45, 52), *range(58, 65), 100, 101, 102, 103, 105, 107, 120, 125)
OBJECTS = (0, 100, 800, 2000, 2100, 2500)
NOISE = scale(20_000, 1_000_000)
CONVERSATION = scale(10_000, 1_000_000)
GROWTH = 500_000
"""Octets a station may hold more after many connections than after some: rows, caches, nothing per frame."""


def spoil(octets: bytes, rnd: random.Random) -> bytes:
    spoilt = bytearray(octets)
    for _ in range(rnd.choice((0, 1, 1, 2, 3, 6))):
        at = rnd.randrange(len(spoilt) + 1)
        match rnd.randrange(8):
            case 0:
                spoilt.insert(at, rnd.randrange(256))
            case 1:
                del spoilt[at:]
            case 2:
                del spoilt[at : at + 1]
            case 3:
                spoilt[at : at + 1] = bytes((rnd.randrange(256),))
            case _:
                spoilt[at : at + 1] = bytes((rnd.choice(OCTETS),))
    return bytes(spoilt)


def let_through(octets: bytes, session: Any, rnd: random.Random) -> bytes:
    """Mend what the link and the first checks look at, so that the rest is looked at too."""
    if len(octets) < 12 or octets[0] != 0x68 or octets[2] & 1 or rnd.random() < 0.1:
        return octets
    frame = bytearray(octets)
    link = session.link
    frame[1] = min(len(frame) - 2, 255)
    frame[2:4] = ((link.received & 0x7FFF) << 1).to_bytes(2, "little")
    frame[4:6] = ((link.sent & 0x7FFF) << 1).to_bytes(2, "little")
    if rnd.random() < 0.5:
        frame[6] = rnd.choice(TYPES)
    if rnd.random() < 0.7:
        frame[10:12] = rnd.choice((1, 2, 0xFFFF)).to_bytes(2, "little")
    if rnd.random() < 0.4:
        frame[12:15] = rnd.choice(OBJECTS).to_bytes(3, "little")
    return bytes(frame)


def converse(rig: Any, frames: list[bytes], count: int, rnd: random.Random, role: str) -> int:
    """Send `count` spoilt frames, on a new connection whenever the last one ended. Returns how many ended."""
    ended = 0
    session = None
    for _ in range(count):
        if session is None:
            session = rig.connect(role=role).session
            session.receive(STARTDT, rig.now)
        session.receive(let_through(spoil(rnd.choice(frames), rnd), session, rnd), rig.now)
        session.data_to_send(rig.now)
        if rnd.random() < 0.02:
            rig.clock.advance(3 * rnd.random())
            rig.set("door", rnd.randrange(2))
            session.on_timer(rig.now)
        if session.closed_reason is not None:
            rig.masters.clear()
            session = None
            ended += 1
    return ended


def test_noise_raises_nothing_but_what_is_declared(frames: list[bytes]) -> None:
    rnd = random.Random(104)
    refused = 0
    for _ in range(NOISE):
        octets = spoil(rnd.choice(frames), rnd)
        try:
            for frame in FrameSplitter().feed(octets):
                decode_frame(frame)
        except APCIError:
            refused += 1
        try:
            ASDU.decode(octets[6:])
        except ASDUError:
            refused += 1
    assert 0 < refused < 2 * NOISE


def test_noise_of_a_viewer_moves_no_output(station: ModuleType, frames: list[bytes]) -> None:
    rig = station.Rig().begin()
    assert converse(rig, frames, CONVERSATION, random.Random(101), "viewer") > 0
    assert "request.refuse" in rig.audit.events()
    assert rig.relays.history == []
    assert rig.relays.setpoints == []
    master = rig.master(role="viewer")
    assert rig.station.groups["main"].holder is master.session


def test_no_output_moves_without_its_audit_line(station: ModuleType, frames: list[bytes]) -> None:
    rig = station.Rig().begin()
    converse(rig, frames, CONVERSATION, random.Random(5), "engineer")
    rig.advance(30)
    energised = [moved for moved in rig.relays.history if moved[2]]
    executed = [record for record in rig.audit.records if record["event"] == "command.execute"]
    assert energised
    assert len(energised) + len(rig.relays.setpoints) <= len(executed)
    assert rig.relays.levels == [0] * len(rig.relays.levels)


def test_noise_leaves_nothing_behind(station: ModuleType, frames: list[bytes]) -> None:
    rig = station.Rig(capacity=100).begin()
    rnd = random.Random(7)

    def held() -> int:
        rig.audit.records.clear()
        rig.relays.history.clear()
        rig.relays.setpoints.clear()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        converse(rig, frames, CONVERSATION // 5, rnd, "engineer")
        before = held()
        converse(rig, frames, CONVERSATION // 2, rnd, "engineer")
        assert held() - before < GROWTH
    finally:
        tracemalloc.stop()
