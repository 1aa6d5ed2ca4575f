"""config/every-type.toml is what it says: every type and function of the station file, and it can be served."""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path

import msgspec
import pytest

from rtu.app import Outstation
from rtu.cli.master import Master
from rtu.config import schema
from rtu.config.load import examine, load
from rtu.iec104.asdu import ASDU, InformationObject
from rtu.iec104.elements import NOF, NOS, QCC, QOI, SCQ, Element

EXAMPLE = Path(__file__).parents[1] / "config" / "every-type.toml"
DEADLINE_S = 30
ACTIVATION, REQUESTED, TERMINATED = 6, 5, 10
LINK = {"k", "w", "t1", "t2", "t3"}
STATES = {1, 3, 5, 7, 9, 11, 13, 20, 21}
PARAMETERS = {110, 111, 112}
TOTALS = {15, 37}


@pytest.fixture
def file(tmp_path: Path) -> schema.StationFile:
    path = tmp_path / "station.toml"
    path.write_text(EXAMPLE.read_text())
    loaded = load(path)
    assert loaded.listen.plain is not None
    plain = msgspec.structs.replace(loaded.listen.plain, port=0)
    return msgspec.structs.replace(loaded, listen=msgspec.structs.replace(loaded.listen, plain=plain))


def test_it_has_no_mistake_but_that_its_port_is_open_to_everybody_here():
    (warning,) = examine(EXAMPLE).mistakes
    assert "can operate outputs" in warning.text


def test_it_has_every_type_and_every_table(file):
    assert {point.type for point in file.point} == set(schema.PointType.__args__)
    assert {command.type for command in file.command} == set(schema.CommandType.__args__)
    assert {command.time_tag for command in file.command} == {"no", "yes", "either"}
    assert {address.time_tag for point in file.point for address in point.address} == {True, False, "both"}
    of_tls = {
        each for each in schema.SystemValue.__args__ if each.startswith(("certificate", "revocation", "tls"))
    }
    assert {point.system for point in file.point} == {None, *schema.SystemValue.__args__} - of_tls
    freezes = [point.freeze or schema.Freeze() for point in file.point if point.type == "counter"]
    assert {(freeze.by, freeze.tell) for freeze in freezes} == {
        (by, tell) for by in ("clock", "master") for tell in (False, True)
    }
    document = tomllib.loads(EXAMPLE.read_text())
    for table, of in (("protocol", schema.Protocol), ("clock", schema.Clock), ("files", schema.Files)):
        meant = {field.encode_name for field in msgspec.structs.fields(of)} - LINK - {"max_error_ms"}
        assert meant <= set(document[table]) | {"source"}
    assert document["record"]


def test_it_is_served(file, tmp_path):
    async def told(master: Master, type_id: int, cause: int, *elements: Element) -> set[int]:
        """The types that answer a request, until its end."""
        await master.send(ASDU(type_id, cause, 1, (InformationObject(0, elements),)))
        types: set[int] = set()
        while True:
            asdu = ASDU.decode(await master.receive())
            if (asdu.type_id, asdu.cause) in {(type_id, TERMINATED), (126, REQUESTED)}:
                return types | {asdu.type_id}
            if asdu.cause not in {1, 3, 4}:
                types.add(asdu.type_id)

    async def main() -> None:
        station = Outstation(file, tmp_path)
        await station.start()
        try:
            master = await Master.connect("127.0.0.1", station.listeners[0].port)
            await master.start()
            assert await told(master, 100, ACTIVATION, QOI(20)) == STATES | PARAMETERS | {100}
            assert await told(master, 101, ACTIVATION, QCC(5)) == TOTALS | {101}
            assert await told(master, 122, REQUESTED, NOF(0), NOS(0), SCQ(0)) == {126}
            await master.close()
        finally:
            await station.stop("test")

    asyncio.run(asyncio.wait_for(main(), DEADLINE_S))
