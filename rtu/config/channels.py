"""Which channels of which device a station file uses, and where each point and command finds its own.

Devices are opened with a list of channels and speak of them by their place among those of the same
kind. The order is fixed: points in the order of the file, then commands; within one, its keys in the
order of the tables below. A channel named twice is one channel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from hw.interface import Channel, Kind

from .schema import ChannelRef, Command, Input, Output, Point, StationFile

INPUT_KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "single": Kind.DIGITAL_INPUT,
        "double": Kind.DIGITAL_INPUT,
        "step": Kind.ANALOG_INPUT,
        "float": Kind.ANALOG_INPUT,
        "scaled": Kind.ANALOG_INPUT,
        "normalized": Kind.ANALOG_INPUT,
        "bitstring": Kind.ANALOG_INPUT,
        "counter": Kind.COUNTER,
    }
)
"""What a point reads by its type; types that are not here have no input."""

INPUT_ROLES = ("line", "open", "closed", "channel")
OUTPUT_ROLES = ("on", "off", "lower", "higher", "enable", "channel")


def output_kind(role: str) -> Kind:
    """What an output is by the key that names it."""
    return Kind.ANALOG_OUTPUT if role == "channel" else Kind.DIGITAL_OUTPUT


class ChannelMap:
    """The channels of a file that has passed its checks."""

    def __init__(self, file: StationFile) -> None:
        self._channels: dict[str, dict[tuple[Kind, ChannelRef], Channel]] = {name: {} for name in file.device}
        self._places: dict[tuple[str, Kind, ChannelRef], int] = {}
        self._counts: Counter[tuple[str, Kind]] = Counter()
        self._inputs: dict[tuple[str, str], tuple[str, int]] = {}
        self._outputs: dict[tuple[str, str], tuple[str, int]] = {}
        for point in file.point:
            self._add_point(point)
        for command in file.command:
            self._add_command(command)

    def channels(self, device: str) -> Sequence[Channel]:
        """What the device is opened with, in order; nothing for a device nobody uses."""
        return tuple(self._channels[device].values())

    def input(self, point: str, role: str) -> tuple[str, int]:
        """The device of a point's channel and its place among the channels of its kind.

        `role` is the key of the `input` table that names it. Raises KeyError when it does not.
        """
        return self._inputs[point, role]

    def output(self, command: str, role: str) -> tuple[str, int]:
        """The device of a command's channel and its place among the channels of its kind.

        `role` is the key of the `output` table that names it. Raises KeyError when it does not.
        """
        return self._outputs[command, role]

    def _add_point(self, point: Point) -> None:
        if point.input is None or point.type not in INPUT_KINDS:
            return
        for role, ref in named(point.input, INPUT_ROLES).items():
            channel = Channel(INPUT_KINDS[point.type], ref, point.input.options, user=point.name)
            self._inputs[point.name, role] = self._add(point.input.device, channel)

    def _add_command(self, command: Command) -> None:
        output = command.output
        for role, ref in named(output, OUTPUT_ROLES).items():
            kind = output_kind(role)
            safe = 1 if output.active_low and kind is Kind.DIGITAL_OUTPUT else 0
            channel = Channel(kind, ref, output.options, safe, command.name)
            self._outputs[command.name, role] = self._add(output.device, channel)

    def _add(self, device: str, channel: Channel) -> tuple[str, int]:
        channels = self._channels.setdefault(device, {})
        key = (channel.kind, channel.ref)
        if key not in channels:
            self._places[device, *key] = self._counts[device, channel.kind]
            self._counts[device, channel.kind] += 1
            channels[key] = channel
        return device, self._places[device, *key]


def named(table: Input | Output, roles: Sequence[str]) -> dict[str, ChannelRef]:
    """The channels an input or output names, by their keys in a fixed order."""
    return {role: ref for role in roles if (ref := getattr(table, role)) is not None}
