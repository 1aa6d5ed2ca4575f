"""A sound station file as octets: short enough to be kept, and read far quicker than its text.

The structs of 10,000 points take 10 MB, these octets a thirtieth of that.
"""

from __future__ import annotations

import zlib

import msgspec

from hw.interface import Driver, driver

from .schema import Input, Output, StationFile

_FASTEST = 1


def freeze(file: StationFile) -> bytes:
    """What `thaw` makes the same file of."""
    return zlib.compress(msgspec.msgpack.encode(file), _FASTEST)


def thaw(octets: bytes) -> StationFile:
    """The file that was frozen, on the same machine: its drivers say what their own keys are."""
    file = msgspec.msgpack.decode(zlib.decompress(octets), type=StationFile)
    drivers = {name: _driver(device.driver) for name, device in file.device.items()}
    for name, device in file.device.items():
        _typed(device, "config", drivers[name].config_type)
    tables: list[Input | Output] = [point.input for point in file.point if point.input is not None]
    tables += [command.output for command in file.command]
    for table in tables:
        _typed(table, "options", drivers[table.device].channel_type)
    return file


def _typed(table: msgspec.Struct, key: str, kind: type[msgspec.Struct]) -> None:
    """What is behind a key is the driver's, and came as a plain table. Nobody else has seen the struct yet."""
    msgspec.structs.force_setattr(table, key, msgspec.convert(getattr(table, key), kind))


def _driver(name: str) -> Driver:
    found = driver(name)
    assert found is not None, f"driver {name} was there when the file was read"
    return found
