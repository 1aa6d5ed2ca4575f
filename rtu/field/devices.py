"""The devices of the station file, opened through their drivers; one that will not open disturbs no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hw.interface import Context, Device, DeviceFault, driver
from rtu.config.channels import ChannelMap
from rtu.config.schema import StationFile

Opened = Callable[[str, Device], None]


class OpenDevices:
    """Devices by name. Belongs to the loop, but for `attempt`, which may block and may run on any thread."""

    def __init__(self, file: StationFile, channel_map: ChannelMap, log: Callable[[str], None]) -> None:
        # Of the file only this, until it is open: the channels of many points are a megabyte.
        self._wanted = {name: (entry, channel_map.channels(name)) for name, entry in file.device.items()}
        self._log = log
        self._open: dict[str, Device] = {}
        self._faults: dict[str, str] = {}
        self._listeners: list[Opened] = []
        self._closed = False

    @property
    def open(self) -> Mapping[str, Device]:
        """Every device that works."""
        return self._open

    @property
    def faults(self) -> Mapping[str, str]:
        """Every device that does not, and why: one line that says what to check."""
        return self._faults

    def get(self, name: str) -> Device | None:
        """The device of that name; None while it is not open."""
        return self._open.get(name)

    def when_opened(self, callback: Opened) -> None:
        """Call `callback` for every device that opens later than the start."""
        self._listeners.append(callback)

    def attempt(self, name: str) -> Device | str:
        """Open one device: itself, or why it did not. Blocks as long as its driver does; never raises."""
        entry, channels = self._wanted[name]
        try:
            found = driver(entry.driver)
            if found is None:
                return f'there is no driver "{entry.driver}": install the package that brings it'
            context = Context(name, lambda line: self._log(f'device "{name}": {line}'))
            return found.open(entry.config, channels, context)
        except DeviceFault as fault:
            return str(fault)
        except Exception as error:  # a broken driver is a device that does not open
            return f"its driver failed: {type(error).__name__}: {error}"

    def adopt(self, name: str, outcome: Device | str) -> None:
        """Enter what `attempt` returned, and tell the listeners of a device that opened."""
        if isinstance(outcome, str):
            if self._faults.get(name) != outcome:
                self._log(f'device "{name}": {outcome}')
            self._faults[name] = outcome
            return
        if self._closed:
            outcome.close()
            return
        if self._faults.pop(name, None) is not None:
            self._log(f'device "{name}": opened')
        del self._wanted[name]  # it is not opened again
        self._open[name] = outcome
        for callback in self._listeners:
            callback(name, outcome)

    def close(self) -> None:
        """Close every device, outputs safe; one that opens after this is closed at once."""
        self._closed = True
        while self._open:
            _, device = self._open.popitem()
            device.close()


def open_devices(
    file: StationFile, channel_map: ChannelMap, log: Callable[[str], None] = lambda line: None
) -> OpenDevices:
    """Open every device of the file in its order. Those that fail are in `faults`, to be tried again."""
    devices = OpenDevices(file, channel_map, log)
    for name in file.device:
        devices.adopt(name, devices.attempt(name))
    return devices
