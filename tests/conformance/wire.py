"""A controlling station that says exactly what it is told to, and nothing by itself: frames as octets, in virtual time."""

from __future__ import annotations

from struct import pack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.station.conftest import Rig

STARTDT_ACT, STARTDT_CON = bytes.fromhex("680407000000"), bytes.fromhex("68040b000000")
STOPDT_ACT, STOPDT_CON = bytes.fromhex("680413000000"), bytes.fromhex("680423000000")
TESTFR_ACT, TESTFR_CON = bytes.fromhex("680443000000"), bytes.fromhex("680483000000")

MODULO = 32_768
STEP_S = 0.05
APCI = 6


def i_frame(ns: int, nr: int, asdu: bytes) -> bytes:
    return pack("<BBHH", 0x68, 4 + len(asdu), ns % MODULO << 1, nr % MODULO << 1) + asdu


def s_frame(nr: int) -> bytes:
    return pack("<BBHH", 0x68, 4, 1, nr % MODULO << 1)


def is_i(frame: bytes) -> bool:
    return not frame[2] & 1


def asdus(frames: list[bytes]) -> list[bytes]:
    """What the I frames among them carry."""
    return [frame[APCI:] for frame in frames if is_i(frame)]


def numbers(frames: list[bytes]) -> list[tuple[int, int]]:
    """N(S) and N(R) of the I frames among them."""
    words = [(frame[2] | frame[3] << 8, frame[4] | frame[5] << 8) for frame in frames if is_i(frame)]
    return [(ns >> 1, nr >> 1) for ns, nr in words]


class Wire:
    """One connection. `sent` and `received` count I frames, and are what `ask` and `acknowledge` number with."""

    def __init__(self, rig: Rig, group: str = "main") -> None:
        self.rig = rig
        master = rig.connect(group=group)
        rig.masters.remove(master)  # it would answer by itself
        self.session = master.session
        self.sent = self.received = 0

    @property
    def closed(self) -> bool:
        return self.session.closed_reason is not None

    def start(self) -> Wire:
        assert self.say(STARTDT_ACT)[0] == STARTDT_CON
        while self.acknowledge():
            pass
        return self

    def say(self, *frames: bytes) -> list[bytes]:
        """These octets in one segment; the frames that come back."""
        self.session.receive(b"".join(frames), self.rig.now)
        return self.hear()

    def hear(self) -> list[bytes]:
        """The frames that wait to be sent."""
        octets = self.session.data_to_send(self.rig.now)
        frames = []
        while octets:
            end = octets[1] + 2
            frames.append(octets[:end])
            octets = octets[end:]
        self.received += sum(map(is_i, frames))
        return frames

    def ask(self, asdu: bytes) -> bytes:
        """The next I frame, with the right numbers."""
        self.sent += 1
        return i_frame(self.sent - 1, self.received, asdu)

    def acknowledge(self) -> list[bytes]:
        return self.say(s_frame(self.received))

    def wait(self, seconds: float) -> list[tuple[float, bytes]]:
        """Let time pass; the frames that come, with the seconds since the call."""
        begun, heard = self.rig.now, []
        for _ in range(round(seconds / STEP_S)):
            self.rig.advance(STEP_S)
            self.session.on_timer(self.rig.now)
            heard += [(round(self.rig.now - begun, 2), frame) for frame in self.hear()]
        return heard

    def events(self, count: int) -> list[bytes]:
        """So many things happen, one I frame each: a tap position and a breaker in turn."""
        heard = []
        for number in range(count):
            if number % 2:
                self.rig.set(
                    "q0.position", 3 - self.rig.table.value(self.rig.table.index("q0.position")).value
                )
            else:
                self.rig.set("tap", self.rig.table.value(self.rig.table.index("tap")).value + 1)
            heard += self.hear()
        return heard
