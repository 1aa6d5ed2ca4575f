"""A file thawed is the file that was frozen, its drivers' own keys included."""

from pathlib import Path

import pytest

from rtu.config.frozen import freeze, thaw
from rtu.config.load import load

EXAMPLES = sorted((Path(__file__).parents[2] / "config").glob("*.toml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_survives(path):
    file = load(path)
    thawed = thaw(freeze(file))
    assert thawed == file
    assert [type(one.config) for one in thawed.device.values()] == [
        type(one.config) for one in file.device.values()
    ]
