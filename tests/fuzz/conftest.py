"""The station of the station tests, and the frames of the protocol tests to be spoilt."""

from __future__ import annotations

import json
from types import ModuleType

import pytest

from tests.fuzz import targets


@pytest.fixture(scope="session")
def station() -> ModuleType:
    return targets.station()


@pytest.fixture(scope="session")
def frames() -> list[bytes]:
    """Every frame of the byte vectors, valid or not."""
    vectors = json.loads((targets.TESTS / "iec104" / "vectors.json").read_text())
    return [bytes.fromhex(vector["hex"]) for vector in vectors]
