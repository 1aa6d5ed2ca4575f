"""Driver `gpio`: contacts, pulse counters and relays on the lines of a GPIO chip.

What it takes, what it refuses, and which chip it opens; the device itself is in `hw.gpio_device`.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence

import msgspec

from hw.gpio_device import GpioDevice, Options, options_of
from hw.interface import Channel, ChannelRef, Context, Kind

HEADER_LINES = range(2, 28)  # of a Raspberry Pi's header; 0 and 1 belong to the HAT's memory
HEADER_PULLED_UP = (2, 3)  # by resistors on the board
MAX_LINE = 1023
_NOT_COUNTING = (Options().count, Options().min_pulse_ms)


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`chip`: label, name or path of the GPIO chip; empty: the one behind a Raspberry Pi's header."""

    chip: str = ""


def _kept_after_death() -> bool:
    """True on kernels that keep an output driven when its program is killed (Raspberry Pi OS)."""
    for path in glob.glob("/sys/module/pinctrl*/parameters/persist_gpio_outputs"):
        try:
            with open(path, encoding="ascii") as file:
                return file.read(1) == "Y"
        except OSError:
            continue
    return False


class GpioDriver:
    """Lines of one GPIO chip: `line = 17`, or by the board's own name, `line = "DI3"`."""

    name = "gpio"
    config_type = Config
    channel_type = Options
    kinds = frozenset({Kind.DIGITAL_INPUT, Kind.COUNTER, Kind.DIGITAL_OUTPUT})

    def check(self, config: Config, channels: Sequence[Channel]) -> list[str]:
        mistakes = []
        users: dict[ChannelRef, str] = {}
        for channel in channels:
            who = channel.user or f"line {channel.ref}"
            for mistake in self._mistakes(config, channel):
                mistakes.append(f"{who}: {mistake}")
            if channel.ref in users:
                mistakes.append(f"{who}: line {channel.ref} is already used by {users[channel.ref]}")
            users.setdefault(channel.ref, who)
        return mistakes

    def _mistakes(self, config: Config, channel: Channel) -> list[str]:
        ref, options = channel.ref, options_of(channel)
        mistakes = []
        if channel.kind not in self.kinds:
            mistakes.append(f"a GPIO line cannot be a {channel.kind.value}")
        if isinstance(ref, str):
            if not ref:
                mistakes.append("the line has no name")
            elif ref.isdecimal():
                mistakes.append(f"line {ref!r} is a number: write it without quotes")
        elif not config.chip and ref not in HEADER_LINES:
            mistakes.append(f"line {ref} is not on the header (2..27); name the chip to reach others")
        elif not 0 <= ref <= MAX_LINE:
            mistakes.append(f"line {ref} is out of range 0..{MAX_LINE}")
        if channel.kind is Kind.DIGITAL_OUTPUT and options.pull != "none":
            mistakes.append("`pull` is for inputs")
        if channel.kind is not Kind.COUNTER and (options.count, options.min_pulse_ms) != _NOT_COUNTING:
            mistakes.append("`count` and `min_pulse_ms` are for counters")
        if not config.chip and ref in HEADER_PULLED_UP and options.pull == "down":
            mistakes.append(f"line {ref} is pulled up by the board, `pull` cannot be down")
        return mistakes

    def open(self, config: Config, channels: Sequence[Channel], context: Context) -> GpioDevice:
        # libgpiod exists on Linux only; checking a configuration works anywhere.
        from hw.gpiod_factory import GpiodFactory

        factory = GpiodFactory(config.chip, log=context.log)
        device = GpioDevice(factory, channels, name=context.name)
        if device.read_back() and _kept_after_death():
            context.log(
                "this kernel keeps outputs driven if the program is killed; put dtparam=strict_gpiod into config.txt"
            )
        return device


DRIVER = GpioDriver()
