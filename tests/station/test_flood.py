"""Under a flood of events: no point is ever seen going new, old, new, and losses are counted to the last one.

In every run with 1,000 points, by `make soak` with 10,000.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator

from rtu.iec104.asdu import ASDU
from rtu.iec104.elements import QOI
from tests.scale import scale

POINTS = scale(1_000, 10_000)
LOST_IOA = 900_000
STATION = """
format = 1
[station]
name = "words"
common_address = 1
[[point]]
name = "lost"
type = "bitstring"
system = "events.lost"
address = [{{ ioa = 900000 }}]
{points}
"""


def of_words(points: int) -> str:
    """Bitstrings carry numbers that only grow, so an old one after a new one shows."""
    return STATION.format(
        points="".join(
            f'[[point]]\nname = "{ioa}"\ntype = "bitstring"\naddress = [{{ ioa = {ioa} }}]\n'
            for ioa in range(1, points + 1)
        )
    )


def words(asdus: Iterable[ASDU]) -> Iterator[tuple[int, int, int]]:
    """Cause, address and number of every bitstring, in order of arrival."""
    for asdu in asdus:
        if asdu.type_id in (7, 33):
            for item in asdu.objects:
                yield asdu.cause, item.ioa, item.elements[0].bits


def test_d_no_point_goes_back_while_everything_is_interrogated_in_a_flood(make_rig):
    rig = make_rig(of_words(POINTS), capacity=50 * POINTS)
    master = rig.master()
    chance = random.Random(104)
    number = 0
    heard: list[ASDU] = []

    def flood(events: int) -> None:
        nonlocal number
        for _ in range(events):
            number += 1
            rig.set(str(chance.randint(1, POINTS)), number)

    for _ in range(3):
        flood(POINTS)
        master.send(100, 6, 0, QOI(20))
        for _ in range(40):
            # Octets move one way at a time, and between any two moves something happens.
            flood(chance.randrange(POINTS // 10))
            master.exchange()
    rig.settle()
    heard = master.take()

    newest: dict[int, int] = defaultdict(int)
    interrogated = 0
    for cause, ioa, told in words(heard):
        assert told >= newest[ioa], f"point {ioa} went back with cause {cause}"
        newest[ioa] = told
        interrogated += cause == 20
    assert interrogated >= 3 * POINTS
    assert {ioa: newest[ioa] for ioa in range(1, POINTS + 1)} == {
        ioa: rig.table.value(rig.table.index(str(ioa))).value for ioa in range(1, POINTS + 1)
    }


def test_e_an_overflow_counts_exactly_and_leaves_other_groups_alone(make_rig):
    capacity, offered = POINTS, 3 * POINTS + 7
    rig = make_rig(of_words(10), capacity=capacity)
    other = rig.master(group="other")
    heard_by_other: list[ASDU] = []
    for number in range(1, offered + 1):
        rig.set(str(number % 10 + 1), number)
        if number % 50 == 0:
            rig.settle()
            heard_by_other += other.take()
    rig.settle()
    heard_by_other += other.take()
    assert [told for _, _, told in words(heard_by_other)] == list(range(1, offered + 1))

    master = rig.connect(group="main").start()
    rig.settle()
    told = [(ioa, number) for _, ioa, number in words(master.take())]
    lost = offered - capacity
    # The gap is told in its place, before what came after it.
    assert told[0] == (LOST_IOA, lost)
    assert [number for ioa, number in told[1:]] == list(range(lost + 1, offered + 1))
    assert rig.log.groups["main"].lost == lost
    assert rig.log.groups["other"].lost == 0

    master.send(100, 6, 0, QOI(20))
    rig.settle()
    present = {ioa: number for cause, ioa, number in words(master.take()) if cause == 20}
    assert present == {LOST_IOA: lost} | {
        ioa: max(n for n in range(1, offered + 1) if n % 10 + 1 == ioa) for ioa in range(1, 11)
    }
