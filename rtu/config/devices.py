"""Tables whose keys depend on a driver: `[device.NAME]`, and the `input` and `output` that name a device.

A driver brings two structs: `config_type` for its device table and `channel_type` for its own keys of
an input or output. So a chip is one file, and a wrong key of a chip nobody here has heard of is
still found on its line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from hw.installed import installed
from hw.interface import Driver

from .mistakes import Path, listed, quoted, suggestion
from .reader import BROKEN, Reader
from .schema import Device, Input, Output

FindDriver = Callable[[str], Driver | None]

_T = TypeVar("_T", Input, Output)


class DeviceTables:
    """Reads them for a `Reader`, through `special`. Knows the drivers of the devices read so far."""

    def __init__(
        self,
        report: Callable[[Path, str], None],
        find_driver: FindDriver,
        names: Callable[[], Iterable[str]] = installed,
    ) -> None:
        self.drivers: dict[str, Driver] = {}
        self.reader = Reader(report, {Device: self._device, Input: self._input, Output: self._output})
        self._report = report
        self._find_driver = find_driver
        self._names = names

    def _device(self, raw: dict[str, Any], path: Path) -> Any:
        own = {key: value for key, value in raw.items() if key == "driver"}
        name = own.get("driver")
        if not isinstance(name, str) or not name:
            self.reader.struct(Device, own, path, hidden=["config"])
            return BROKEN
        driver = self._found(name, (*path, "driver"))
        if driver is None:
            return BROKEN
        self.drivers[str(path[-1])] = driver
        rest = {key: value for key, value in raw.items() if key != "driver"}
        config = self.reader.struct(driver.config_type, rest, path, neighbours=["driver"])
        if config is BROKEN:
            return BROKEN
        device = self.reader.built[path] = Device(driver=name, config=config)
        return device

    def _found(self, name: str, path: Path) -> Driver | None:
        try:
            driver = self._find_driver(name)
        except ImportError as error:
            self._report(path, f"driver {quoted(name)} cannot be loaded: {error}")
            return None
        if driver is None:
            known = sorted(self._names())
            choice = f"installed: {listed(map(quoted, known), 'and')}" if known else "none is installed"
            self._report(path, f"no driver {quoted(name)}{suggestion(name, known)} ({choice})")
        return driver

    def _input(self, raw: dict[str, Any], path: Path) -> Any:
        return self._channels(Input, raw, path)

    def _output(self, raw: dict[str, Any], path: Path) -> Any:
        return self._channels(Output, raw, path)

    def _channels(self, cls: type[_T], raw: dict[str, Any], path: Path) -> Any:
        """An input or output: the station's keys here, the others from the driver of its device."""
        ours = [name for name in cls.__struct_fields__ if name != "options"]
        device = raw.get("device")
        driver = self.drivers.get(device) if isinstance(device, str) else None
        theirs = driver.channel_type.__struct_encode_fields__ if driver is not None else ()
        own = {key: value for key, value in raw.items() if key in ours}
        rest = {key: value for key, value in raw.items() if key not in ours}
        table = self.reader.struct(cls, own, path, hidden=["options"], neighbours=theirs)
        if driver is None:
            # The device has been complained of, or will be; nobody can say whether its keys are right.
            return table
        options = self.reader.struct(driver.channel_type, rest, path, neighbours=ours)
        if not isinstance(table, cls) or options is BROKEN:
            self.reader.built.pop(path, None)
            return BROKEN
        made = self.reader.built[path] = msgspec.structs.replace(table, options=options)
        return made
