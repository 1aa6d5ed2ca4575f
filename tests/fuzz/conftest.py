"""The station of the station tests, and the frames of the protocol tests to be spoilt."""

from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def station() -> ModuleType:
    """What `tests/station` builds its stations from."""
    spec = spec_from_file_location("station_rig", TESTS / "station" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def frames() -> list[bytes]:
    """Every frame of the byte vectors, valid or not."""
    vectors = json.loads((TESTS / "iec104" / "vectors.json").read_text())
    return [bytes.fromhex(vector["hex"]) for vector in vectors]
