"""Every type, value by value: what foreign masters decode is what the station was set to, and the other way round."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from rtu.config.channels import ChannelMap
from rtu.iec104.catalogue import UNTAGGED, TypeID
from rtu.points.model import BL, IV, NT, OV, SB
from tests.interop.live import Live, live
from tests.station.conftest import Rig

STATION = Path(__file__).parents[1] / "conformance" / "every_type.toml"
SPONTANEOUS, CONFIRMED, INTERROGATED, COUNTED = 3, 7, 20, 37
FLOAT = 2.0**127
WARNING = "0x600000"


class Told(NamedTuple):
    """One information object as plain numbers; `quality` None when the type has none."""

    type_id: int
    cause: int
    ioa: int
    value: object
    quality: int | None


class Case(NamedTuple):
    """A point, its types without and with time, and the readings it gets: number and quality, before and after."""

    name: str
    ioa: int
    types: tuple[int, int]
    readings: list[tuple[float, int, object, int]]


CASES = [
    Case("single", 101, (1, 30), [(1, 0, 1, 0), (0, BL | SB | NT | IV, 0, BL | SB | NT | IV), (1, 0, 1, 0)]),
    Case("double", 201, (3, 31), [(2, 0, 2, 0), (0, BL, 0, BL), (3, IV, 3, IV), (1, 0, 1, 0)]),
    Case(
        "step",
        301,
        (5, 32),
        [(-64, 0, (-64, False), 0), (63, SB, (63, False), SB), (-65, 0, (-64, False), OV)],
    ),
    Case("bitstring", 401, (7, 33), [(0xA5F0, 0, 0xA5F0, 0), (0xFFFF0000, NT, 0xFFFF0000, NT)]),
    Case("normalized", 501, (9, 34), [(-1.0, 0, -32768, 0), (0.5, NT, 16384, NT), (1.5, 0, 32767, OV)]),
    Case("normalized alone", 551, (21, 34), [(-1.0, 0, -32768, 0), (0.5, 0, 16384, 0)]),
    Case("scaled", 601, (11, 35), [(-32768, 0, -32768, 0), (1500, IV, 1500, IV), (40_000, 0, 32767, OV)]),
    Case(
        "float", 701, (13, 36), [(-0.125, 0, -0.125, 0), (49.5, OV | BL, 49.5, OV | BL), (FLOAT, 0, FLOAT, 0)]
    ),
]
GOOD, ALONE = 0, 21
FOREIGN_ONE = 32767
CARRY = 0x20  # the total went beyond 2**31 - 1 since it was frozen last
MONITORED = {1, 3, 5, 7, 9, 11, 13, 15, 20, 21, *range(30, 41)}


COMMANDS: list[tuple[int, int, float, object]] = [
    # type, object, what is ordered, and what the output is then given
    (45, 4500, 1, ("single command", "on", 1)),
    (45, 4500, 0, ("single command", "on", 0)),
    (46, 4600, 1, ("double command", "off", 1)),
    (46, 4600, 2, ("double command", "on", 1)),
    (47, 4700, 1, ("step command", "lower", 1)),
    (47, 4700, 2, ("step command", "higher", 1)),
    (48, 4800, 0.5, 0.5),
    (48, 4800, -1.0, -1.0),
    (49, 4900, -32768, -32768),
    (50, 5000, 49.5, 49.5),
    (51, 5100, 0xA5F0, 0xA5F0),
]
COMMANDS += [
    (
        type_id + 13,
        {4500: 5800, 4600: 5900, 4700: 6000, 4800: 6100, 4900: 6200, 5000: 6300, 5100: 6400}[ioa],
        *rest,
    )
    for type_id, ioa, *rest in COMMANDS
]
STEP = 2**-15
"""A normalised value of a foreign master may be one off: both take about 32767 for 1.0, where we take 2**15, as the
definition does (a signed fixed-point number with its point behind the sign). The raw number is what all agree on."""


def tell_everything(station: Live, cases: list[Case] = CASES) -> list[Told]:
    """Let every point have its readings, and say what a master has to be told of it."""
    expected = []
    for case in cases:
        for value, quality, told, told_quality in case.readings:
            station.do(
                lambda rig, case=case, value=value, quality=quality: rig.set(case.name, value, quality)
            )
            for type_id in case.types:
                seen = None if type_id == ALONE else told_quality
                expected.append(Told(type_id, SPONTANEOUS, case.ioa, told, seen))
    station.do(alarms_come_and_go)
    station.do(protection_operates)
    station.do(lambda rig: rig.set("counter", 2**31 + 5))
    return [
        *expected,
        Told(20, SPONTANEOUS, 901, (0x0001, 0x0001), GOOD),
        Told(20, SPONTANEOUS, 901, (0x8001, 0x8000), GOOD),
        Told(20, SPONTANEOUS, 901, (0x8000, 0x0001), GOOD),
        Told(39, SPONTANEOUS, 1101, (1, 0), GOOD),
        Told(38, SPONTANEOUS, 1001, (2, 250), GOOD),
        Told(40, SPONTANEOUS, 1201, (1, 250), GOOD),
        Told(38, SPONTANEOUS, 1001, (1, 80), GOOD),
        Told(39, SPONTANEOUS, 1101, (1, 330), GOOD),
    ]


def alarms_come_and_go(rig: Rig) -> None:
    for name, value in (("bit 1", 1), ("bit 16", 1), ("bit 1", 0)):
        rig.set(name, value)


def protection_operates(rig: Rig) -> None:
    """A start, 250 ms later the trip, and 80 ms later all is over."""
    rig.set("pickup", 1)
    rig.clock.advance(0.25)
    rig.set("trip", 1)
    rig.clock.advance(0.08)
    rig.set("trip", 0)
    rig.set("pickup", 0)


def as_asked() -> list[Told]:
    """What an interrogation and a read of the totals tell after `tell_everything`."""
    last = [(case, case.readings[-1]) for case in CASES]
    return [
        Told(case.types[0], INTERROGATED, case.ioa, told, None if case.types[0] == ALONE else quality)
        for case, (_, _, told, quality) in last
    ] + [
        Told(20, INTERROGATED, 901, (0x8000, 0), GOOD),
        Told(37, COUNTED, 801, (5 - 2**31, 1), CARRY),
        Told(15, COUNTED, 802, (5 - 2**31, 1), CARRY),
    ]


def in_order(told: list[Told]) -> dict[int, list[Told]]:
    """By object, everything told of it in order."""
    found: dict[int, list[Told]] = {}
    for one in told:
        found.setdefault(one.ioa, []).append(one)
    return found


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Live]:
    with live(STATION.read_text(), tmp_path) as station:
        yield station


@pytest.fixture
def hat(station: Live, cannot_run: Callable[[str], None]) -> Iterator[Any]:
    if find_spec("hat.drivers") is None:
        cannot_run("hat-drivers is not installed: pip install -e '.[interop]'")
    from tests.interop.hat_master import HatMaster

    master = HatMaster(station)
    yield master
    master.close()


@pytest.fixture
def c104(station: Live, connect: Callable[..., Any]) -> Any:
    return connect(station, "plain").start()


def moved(rig: Rig, wanted: object) -> object:
    """What the outputs were given last, in the form of COMMANDS: which one was energised or let go, or the value."""
    if not isinstance(wanted, tuple):
        return rig.relays.setpoints[-1][1]
    command, role, level = wanted
    place = ChannelMap(rig.file).output(command, role)[1]
    touched = [(at, to) for _, at, to in rig.relays.history if to == level]
    return (command, role, level) if touched[-1:] == [(place, level)] else touched


def about(wanted: object) -> object:
    return pytest.approx(wanted, abs=STEP) if isinstance(wanted, float) else wanted


def test_hat_is_told_what_the_station_was_set_to(station: Live, hat: Any) -> None:
    expected = tell_everything(station)
    hat.until(lambda: len(hat.told()) >= len(expected))
    hat.interrogate()
    hat.count("FREEZE")
    hat.count("READ")
    told = [Told(*one[:5]) for one in hat.told()]
    assert in_order(told) == in_order(expected + as_asked())
    assert {one.type_id for one in told} == MONITORED


def test_c104_is_told_what_the_station_was_set_to(station: Live, c104: Any) -> None:
    """All but a normalised -1.0, which c104 does not hand on: it is one step below what it takes for -1.0."""
    cases = [
        case._replace(readings=[one for one in case.readings if case.types[1] != 34 or one[2] != -32768])
        for case in CASES
    ]
    expected = tell_everything(station, cases)
    c104.until_told(1101, 2)
    c104.forget()
    c104.ask("interrogate")
    c104.until(type="C_IC_NA_1", cause=10)
    for freeze in ("FREEZE_WITHOUT_RESET", "READ"):
        c104.ask("count", freeze=freeze)
        c104.until(type="C_CI_NA_1", cause=10)
    told = [by_c104(asdu, one) for asdu in c104.asdus for one in asdu.objects]
    assert in_order(told) == in_order(expected + as_asked())
    assert {one.type_id for one in told} == MONITORED


def by_c104(asdu: SimpleNamespace, one: SimpleNamespace) -> Told:
    """The same in the words of the other."""
    type_id = int(TypeID[asdu.type])
    value: object = one.value
    match UNTAGGED.get(type_id, type_id):
        case 1:
            value = int(one.value)
        case 5:
            value = (one.value, one.transient)
        case 7:
            value = int.from_bytes(bytes.fromhex(one.value), "little")
        case 9 | 21:
            value = round(one.value * FOREIGN_ONE)
        case 15:
            value = (one.value, one.sequence)
        case 20:
            value = (one.value, one.changed)
        case 38 | 39 | 40:
            value = (one.value, one.duration)
    return Told(type_id, asdu.cause, one.ioa, value, None if type_id == ALONE else one.quality)


@pytest.mark.parametrize(("type_id", "ioa", "order", "wanted"), COMMANDS)
def test_a_command_of_hat_moves_what_it_names(
    station: Live, hat: Any, type_id: int, ioa: int, order: float, wanted: object
) -> None:
    confirmation, termination = hat.command(type_id, ioa, order)
    assert not confirmation.is_negative_confirm
    assert not termination.is_negative_confirm
    for answer in (confirmation, termination):
        assert answer[:4] == hat.sent[:4]
        assert answer.time == hat.sent.time
        assert answer.command[1:] == hat.sent.command[1:]
        assert answer.command.value == hat.sent.command.value or (
            answer.command.value.value == pytest.approx(hat.sent.command.value.value, abs=STEP)
        )
    assert station.do(lambda rig: moved(rig, wanted)) == about(wanted)


@pytest.mark.parametrize(("type_id", "ioa", "order", "wanted"), COMMANDS)
def test_a_command_of_c104_moves_what_it_names(
    station: Live, c104: Any, type_id: int, ioa: int, order: float, wanted: object
) -> None:
    assert c104.ask("command", type=TypeID(type_id).name, ioa=ioa, value=order)
    confirmation, termination = c104.until(ioa=ioa, cause=10)[-2:]
    assert (confirmation.cause, confirmation.negative, termination.negative) == (7, False, False)
    first, last = bytes.fromhex(confirmation.raw), bytes.fromhex(termination.raw)
    assert first[0] == type_id
    assert first[:2] + first[3:] == last[:2] + last[3:]
    assert station.do(lambda rig: moved(rig, wanted)) == about(wanted)


def test_hat_reads_loads_tests_and_is_told_what_happened(station: Live, hat: Any) -> None:
    """The functions of the system and of parameters; of P/N this library says nothing, what they did does."""
    read, tested, loaded, discarded = hat.other_functions()
    assert (Told(*read[:5])) == Told(7, 5, 401, 0xA5F0, GOOD)
    assert tested == (43605, True)
    assert loaded == [(601, 50, CONFIRMED), (701, 2.5, CONFIRMED)]
    assert discarded == CONFIRMED
    assert station.do(lambda rig: rig.table.parameters(rig.table.index("scaled")).threshold) == 50
    assert station.do(lambda rig: rig.table.parameters(rig.table.index("float")).threshold) == 2.5


def test_tshark_reads_the_same_values_off_the_wire(
    station: Live, hat: Any, capture: Callable[..., Any]
) -> None:
    """Of 20 and 38 to 40 tshark knows no elements, and it takes the first octet of a bitstring for the highest."""
    wire = capture(station.plain, "iec60870_104")
    expected = tell_everything(station)
    hat.until(lambda: len(hat.told()) >= len(expected))
    hat.interrogate()
    hat.count("FREEZE")
    hat.count("READ")
    hat.close()
    wire.until_closed()
    told = hat.told()

    def of(*types: int) -> list[Any]:
        return [one for one in told if UNTAGGED.get(one.type_id, one.type_id) in types]

    known = {
        "siq": [one.value | one.quality for one in of(1)],
        "diq": [one.value | one.quality for one in of(3)],
        "vti.v": [one.value[0] for one in of(5)],
        "bitstring": [int.from_bytes(one.value.to_bytes(4, "little"), "big") for one in of(7)],
        "normval": [one.value / 2**15 for one in of(9, 21)],
        "scalval": [one.value for one in of(11)],
        "float": [one.value for one in of(13)],
        "bcr.count": [one.value[0] for one in of(15)],
        "bcr.sq": [one.value[1] for one in of(15)],
        "qds": [one.quality for one in of(5, 7, 9, 11, 13)],
        "cp56time.ms": [one.ms for one in of(*range(16)) if one.ms is not None],
    }
    faults = f"iec60870_104 && (_ws.malformed || _ws.expert.severity >= {WARNING})"
    assert wire.packets(faults, "frame.number", "_ws.expert.message") == []
    fields = [f"iec60870_asdu.{name}" for name in known]
    packets = wire.packets(f"iec60870_104 && tcp.srcport == {station.plain}", *fields)
    for field, values in zip(fields, known.values(), strict=True):
        assert [number(text) for packet in packets for text in packet[field]] == pytest.approx(
            values, rel=1e-5
        ), field


def test_tshark_reads_the_same_commands_off_the_wire(
    station: Live, hat: Any, capture: Callable[..., Any]
) -> None:
    """Each as it was ordered, confirmed and terminated."""
    wire = capture(station.plain, "iec60870_104")
    for type_id, ioa, order, _ in COMMANDS:
        hat.command(type_id, ioa, order)
    hat.close()
    wire.until_closed()
    names = ("typeid", "causetx", "nega", "ioa")
    commands = f"iec60870_asdu.typeid >= {COMMANDS[0][0]} && iec60870_asdu.typeid <= {COMMANDS[-1][0]}"
    packets = wire.packets(commands, *(f"iec60870_asdu.{name}" for name in (*names, *ORDERED)))
    seen = {
        name: [int(text) for packet in packets for text in packet[f"iec60870_asdu.{name}"]] for name in names
    }
    assert seen["typeid"] == [type_id for type_id, *_ in COMMANDS for _ in range(3)]
    assert seen["causetx"] == [6, 7, 10] * len(COMMANDS)
    assert seen["nega"] == [0] * 3 * len(COMMANDS)
    assert seen["ioa"] == [ioa for _, ioa, *_ in COMMANDS for _ in range(3)]
    for field, (types, as_read) in ORDERED.items():
        told = [number(text) for packet in packets for text in packet[f"iec60870_asdu.{field}"]]
        orders = [as_read(order) for type_id, _, order, _ in COMMANDS if type_id in types for _ in range(3)]
        assert told == pytest.approx(orders, abs=2 * STEP), field


ORDERED: dict[str, tuple[tuple[int, int], Callable[[Any], float]]] = {
    "sco.on": ((45, 58), float),
    "dco.on": ((46, 59), float),
    "rco.up": ((47, 60), float),
    "normval": ((48, 61), float),
    "scalval": ((49, 62), float),
    "float": ((50, 63), float),
    "bitstring": ((51, 64), lambda order: int.from_bytes(order.to_bytes(4, "little"), "big")),
}


def number(text: str) -> float:
    """As tshark prints it."""
    return float(text) if "." in text or ("e" in text.lower() and not text.startswith("0x")) else int(text, 0)
