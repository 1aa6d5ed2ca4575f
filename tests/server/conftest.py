"""A station in virtual time for connections to serve."""

from __future__ import annotations

import shutil
import warnings

import pytest

from tests.server.tls_world import World
from tests.station.conftest import Rig


@pytest.fixture
def rig() -> Rig:
    return Rig().begin()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # RSA-1024
        return World(tmp_path_factory.mktemp("world"))


@pytest.fixture
def world(made: World) -> World:
    made.lists()
    shutil.rmtree(made.where / "state", ignore_errors=True)
    return made
