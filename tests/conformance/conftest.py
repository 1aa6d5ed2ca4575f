"""Stations in virtual time, and masters that say exactly what they are told to."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rtu.events.store import Store
from rtu.iec104.link import LinkParameters
from tests.conformance.wire import Wire
from tests.station.conftest import Rig

PARAMETERS = {"t1": 3, "t2": 1, "t3": 4}
"""Seconds; what the checklist is written for."""


@pytest.fixture
def make_rig() -> Callable[..., Rig]:
    """Makes a station; `parameters` are those of its links, k, w, t1, t2 and t3."""

    def make(*args: str, store: Store | None = None, **parameters: int) -> Rig:
        rig = Rig(*args, store=store).begin()
        rig.station = replace(rig.station, parameters=LinkParameters(**(PARAMETERS | parameters)))
        return rig

    return make


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    return make_rig()


@pytest.fixture
def stopped(rig: Rig) -> Wire:
    """P0: connected, nothing said."""
    return Wire(rig)


@pytest.fixture
def started(rig: Rig) -> Wire:
    """P1: started, the end of initialisation acknowledged."""
    return Wire(rig).start()


@pytest.fixture(scope="session")
def vectors() -> dict[str, bytes]:
    """Whole frames by name."""
    file = Path(__file__).parents[1] / "iec104" / "vectors.json"
    return {one["name"]: bytes.fromhex(one["hex"]) for one in json.loads(file.read_text())}
