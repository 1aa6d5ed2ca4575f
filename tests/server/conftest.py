"""A station in virtual time for connections to serve."""

from __future__ import annotations

import pytest

from tests.station.conftest import Rig


@pytest.fixture
def rig() -> Rig:
    return Rig().begin()
