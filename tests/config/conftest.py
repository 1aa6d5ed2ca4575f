"""Station files as text, and drivers that are not there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from hw.interface import Channel, Driver, Kind
from rtu.config.load import Examination, examine


class BoardConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    chip: str = ""


class BoardOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pull: Literal["up", "down", "none"] = "none"


class MeterConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    bus: int
    rate: Literal[8, 16] = 8


class MeterOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    range_V: float = 2.048


class FakeDriver:
    """Does nothing but say what it takes; refuses line 99."""

    def __init__(self, name: str, config: type[Any], options: type[Any], kinds: set[Kind]) -> None:
        self.name = name
        self.config_type = config
        self.channel_type = options
        self.kinds = frozenset(kinds)

    def check(self, config: Any, channels: Sequence[Channel]) -> list[str]:
        return [f"{channel.user}: there is no line 99" for channel in channels if channel.ref == 99]

    def open(self, config: Any, channels: Sequence[Channel], context: Any) -> Any:
        raise AssertionError("checking a file opens nothing")


BOARD = FakeDriver(
    "board", BoardConfig, BoardOptions, {Kind.DIGITAL_INPUT, Kind.DIGITAL_OUTPUT, Kind.COUNTER}
)
METER = FakeDriver("meter", MeterConfig, MeterOptions, {Kind.ANALOG_INPUT, Kind.ANALOG_OUTPUT})
DRIVERS: dict[str, Driver] = {"board": BOARD, "meter": METER}

HEAD = """\
format = 1
[station]
name = "s"
common_address = 12
[listen.plain]
address = "10.8.0.2"
[[master]]
name = "m"
from = ["10.8.0.1"]
[device.field]
driver = "board"
[device.adc]
driver = "meter"
bus = 1
"""

GOOD = (
    HEAD
    + """\
[[point]]
name = "q0.position"
type = "double"
input = { device = "field", open = 1, closed = 2, pull = "up" }
address = [ { ioa = 1 } ]
[[point]]
name = "remote"
type = "single"
input = { device = "field", line = 3 }
address = [ { ioa = 2 } ]
[[point]]
name = "current"
type = "float"
input = { device = "adc", channel = "A0", range_V = 4.096 }
address = [ { ioa = 3 } ]
[[command]]
name = "q0.operate"
type = "double"
output = { device = "field", on = 4, off = 5, enable = 6 }
address = [ { ioa = 11 } ]
[[command]]
name = "limit"
type = "float"
output = { device = "adc", channel = "S0", min = 0, max = 10 }
address = [ { ioa = 12 } ]
"""
)


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., Examination]:
    """Examine a text as `station.toml`."""

    def look(text: str, **options: Any) -> Examination:
        path = tmp_path / "station.toml"
        path.write_text(text, encoding="utf-8")
        return examine(path, find_driver=DRIVERS.get, driver_names=lambda: DRIVERS, **options)

    return look


@pytest.fixture
def good() -> str:
    """A file with nothing wrong."""
    return GOOD


@pytest.fixture
def head() -> str:
    """A file with devices and a master, without points."""
    return HEAD


@pytest.fixture
def complaints(look: Callable[..., Examination], tmp_path: Path) -> Callable[..., list[str]]:
    """Everything said about a text, the directory taken off."""

    def complaints(text: str, **options: Any) -> list[str]:
        return [str(m).replace(f"{tmp_path}/", "") for m in look(text, **options).mistakes]

    return complaints
