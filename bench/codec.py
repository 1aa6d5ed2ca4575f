"""What single steps cost: the octets of an event there and back, and each leg of the way from an edge to the wire.

In this process, without sockets and without a disk: nobody waits here, only the processor works. The least of several
repetitions counts, which is what a busy machine disturbs least.
"""

from __future__ import annotations

import asyncio
import time
import timeit
from collections.abc import Callable, Sequence
from functools import partial

from hat.drivers.iec104.encoder import Encoder as HatEncoder
from hat.drivers.iec60870.apci import common as hat_apci
from hat.drivers.iec60870.apci import encoder as hat_frames

from rtu.clock import KernelDiscipline, SystemClock
from rtu.events.log import EventLog
from rtu.iec104.apci import decode_frame
from rtu.iec104.asdu import ASDU, pack_header, pack_ioa
from rtu.iec104.elements import encode_cp56
from rtu.iec104.link import Link, LinkParameters, Role
from rtu.points.contact import Contact
from rtu.points.encoding import encode_float, encode_single
from rtu.points.image import Image
from rtu.points.model import GOOD, Address, Signal
from rtu.points.table import PointTable

from . import serve_hat
from .master import STARTDT_ACT
from .report import Table
from .subject import FLOAT_IOA, SINGLE_IOA

FLOATS = 48
"""As many short floats as one ASDU holds."""


def run(quick: bool) -> list[Table]:
    repeat, number = (5, 500) if quick else (40, 2_000)

    def costs(steps: Sequence[Step]) -> list[float]:
        """Microseconds a call of each takes; they take turns, so that all see the same disturbances."""
        least = [float("inf")] * len(steps)
        for _ in range(repeat):
            for place, step in enumerate(steps):
                least[place] = min(least[place], timeit.timeit(step, number=number))
        return [seconds / number * 1e6 for seconds in least]

    return [_codec(costs), asyncio.run(_legs(costs))]


Step = Callable[[], object]
Costs = Callable[[Sequence[Step]], list[float]]


def _codec(costs: Costs) -> Table:
    now = time.time_ns()
    image = Image(
        [Address(index, index, 1, FLOAT_IOA + index, 13, 36, (), encode_float) for index in range(FLOATS)]
    )
    (floats,) = image.plan(1)
    hat = HatEncoder()
    hat_floats = [serve_hat.interrogated(index) for index in range(FLOATS)]
    event = _event(now)
    i_frame = bytes((0x68, len(event) + 4, 0, 0, 0, 0)) + event
    assert i_frame == hat_frames.encode(hat_apci.APDUI(0, 0, event))

    def hat_event() -> list[bytes]:
        return [bytes(octets) for octets in hat.encode([serve_hat.single(True)])]

    names = (
        "value and time to the ASDU of an event (M_SP_TB_1)",
        "that ASDU to objects",
        f"{FLOATS} present floats to ASDUs",
        "an I frame to control fields and ASDU",
    )
    ours: list[Step] = [
        lambda: _event(time.time_ns()),
        lambda: ASDU.decode(event),
        lambda: image.asdu(floats, 20),
        lambda: decode_frame(i_frame),
    ]
    theirs: list[Step] = [
        hat_event,
        lambda: list(hat.decode(event)),
        lambda: list(hat.encode(hat_floats)),
        lambda: hat_frames.decode(memoryview(i_frame)),
    ]
    took = costs(ours + theirs)
    table = Table("Codec", "Microseconds per step.")
    for name, mine, other in zip(names, took, took[len(ours) :], strict=False):
        table.rows.append(
            {"step": name, "outstation": mine, "hat-drivers": other, "hat-drivers / ours": other / mine}
        )
    return table


def _event(unix_ns: int) -> bytes:
    """A spontaneous single point with its time, the way the station makes it."""
    header = pack_header(30, False, 1, 3, 0, 1)
    return header + pack_ioa(SINGLE_IOA) + encode_single(1, GOOD) + encode_cp56(unix_ns, False)


async def _legs(costs: Costs) -> Table:
    """The legs of the way, measured as differences of longer and longer pieces of it."""
    clock = SystemClock(KernelDiscipline(1_500_000_000), asyncio.get_running_loop())
    address = Address(0, 0, 1, SINGLE_IOA, 1, 30, (), encode_single)
    signal = Signal(0, "single", "single", (address,))
    log = EventLog(["main"], clock, [address], capacity=1000)
    group = log.groups["main"]
    table = PointTable([signal], clock, log)
    table.finish_start()
    quiet = Contact(clock, lambda value: None)
    contact = Contact(clock, partial(table.update, 0))
    link = Link(Role.CONTROLLED, LinkParameters(), 0.0)
    link.receive(STARTDT_ACT, 0.0)
    level = 0

    def edge(into: Contact) -> None:
        nonlocal level
        level ^= 1
        into.edge(level, time.monotonic_ns())

    def to_asdu() -> None:
        edge(contact)
        while (batch := group.next_states()) is not None:
            group.acknowledge(batch.token)

    def to_wire() -> None:
        edge(contact)
        while (batch := group.next_states()) is not None:
            now = time.monotonic()
            link.send(batch.asdu, now)
            link.data_to_send(now)
            link.receive(_s_frame(link.sent), now)
            group.acknowledge(batch.token)

    edge(quiet)
    edge(contact)
    names = (
        "edge to confirmed contact",
        "... to a row of the event log and its ASDU, acknowledged",
        "... to an I frame, acknowledged",
    )
    table_of_legs = Table("From an edge to the wire", "Microseconds of the processor per event.")
    before = 0.0
    for name, took in zip(names, costs([partial(edge, quiet), to_asdu, to_wire]), strict=True):
        table_of_legs.rows.append({"way": name, "us": took, "of it this leg": took - before})
        before = took
    log.close()
    return table_of_legs


def _s_frame(nr: int) -> bytes:
    return b"\x68\x04\x01\x00" + ((nr & 0x7FFF) << 1).to_bytes(2, "little")
