"""A gpiod module without a kernel: chips whose lines a test drives, and a record of what was requested.

A request's descriptor is a real pipe, so that waiting for it is the real thing: one octet per
edge, and closed at the other end when the chip is unplugged.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import gpiod
from gpiod.line import Bias, Direction, Value


class FakeRequest:
    """One line, as it was requested: the settings are the only ones it ever had."""

    def __init__(self, chip: FakeChip, offset: int, settings: gpiod.LineSettings, size: int) -> None:
        self.chip = chip
        self.offset = offset
        self.settings = settings
        self.buffer_size = size
        self.fd, self._other_end = os.pipe()
        self._events: list[gpiod.EdgeEvent] = []
        self._seqno = 0
        self.released = False

    def edge(self, stamp_ns: int, level: int) -> None:
        self._seqno += 1
        kind = gpiod.EdgeEvent.Type.RISING_EDGE if level else gpiod.EdgeEvent.Type.FALLING_EDGE
        if len(self._events) == self.buffer_size:
            del self._events[0]
        else:
            os.write(self._other_end, b"!")
        self._events.append(gpiod.EdgeEvent(kind.value, stamp_ns, self.offset, self._seqno, self._seqno))

    def read_edge_events(self) -> list[gpiod.EdgeEvent]:
        self._present()
        os.read(self.fd, len(self._events))
        events, self._events = self._events, []
        return events

    def get_value(self, offset: int) -> Value:
        assert offset == self.offset
        self._present()
        return Value.ACTIVE if self.chip.levels.get(offset, 0) else Value.INACTIVE

    def set_value(self, offset: int, value: Value) -> None:
        assert offset == self.offset
        assert self.settings.direction is Direction.OUTPUT
        self._present()
        self.chip.set_level(offset, int(value is Value.ACTIVE))

    def release(self) -> None:
        assert not self.released
        self.released = True
        self.chip.held.pop(self.offset, None)
        os.close(self.fd)
        if not self.chip.unplugged:
            os.close(self._other_end)

    def unplug(self) -> None:
        os.close(self._other_end)

    def _present(self) -> None:
        assert not self.released
        if self.chip.unplugged:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))


class FakeChip:
    """A chip behind a path: `levels` by offset, `history` of every level an output had."""

    def __init__(self, path: str, label: str, lines: int = 32, names: dict[str, int] | None = None) -> None:
        self.path = path
        self.label = label
        self.lines = lines
        self.names = names or {}
        self.levels: dict[int, int] = {}
        self.history: dict[int, list[int]] = {}
        self.held: dict[int, FakeRequest] = {}
        self.foreign: dict[int, str] = {}
        self.requests: list[FakeRequest] = []
        self.unplugged = False

    def set_level(self, offset: int, level: int) -> None:
        self.levels[offset] = level
        self.history.setdefault(offset, []).append(level)

    def drive(self, offset: int, level: int, stamp_ns: int) -> None:
        """The field drives an input."""
        if self.levels.get(offset, 0) != level:
            self.levels[offset] = level
            self.held[offset].edge(stamp_ns, level)

    def unplug(self) -> None:
        self.unplugged = True
        for request in self.held.values():
            request.unplug()

    def plug_in(self) -> None:
        self.unplugged = False
        self.held.clear()
        self.levels.clear()

    # what gpiod.Chip offers

    def __enter__(self) -> FakeChip:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def get_info(self) -> Any:
        return SimpleNamespace(name=os.path.basename(self.path), label=self.label, num_lines=self.lines)

    def line_offset_from_id(self, name: str) -> int:
        if name not in self.names:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self.names[name]

    def get_line_info(self, offset: int) -> Any:
        used = offset in self.held or offset in self.foreign
        by_offset = {number: name for name, number in self.names.items()}
        return SimpleNamespace(
            used=used, consumer=self.foreign.get(offset, "outstation"), name=by_offset.get(offset, "")
        )

    def request_lines(
        self, config: dict[int, gpiod.LineSettings], consumer: str, event_buffer_size: int
    ) -> FakeRequest:
        ((offset, settings),) = config.items()
        assert consumer == "outstation"
        if settings.direction is Direction.OUTPUT:
            self.set_level(offset, int(settings.output_value is Value.ACTIVE))
        elif settings.bias is Bias.PULL_UP:
            self.levels.setdefault(offset, 1)
        request = FakeRequest(self, offset, settings, event_buffer_size)
        self.held[offset] = request
        self.requests.append(request)
        return request


class FakeGpiod:
    """What stands for the gpiod module."""

    def __init__(self, chips: Sequence[FakeChip]) -> None:
        self.chips = {chip.path: chip for chip in chips}

    def paths(self) -> list[str]:
        return sorted(path for path, chip in self.chips.items() if not chip.unplugged)

    def Chip(self, path: str) -> FakeChip:
        chip = self.chips.get(path)
        if chip is None or chip.unplugged:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        return chip
