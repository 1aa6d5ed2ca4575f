"""Driver `ads1115`: four 16-bit analogue inputs of a TI ADS1115 on I2C.

Every reading is a conversion of its own (single-shot mode): select the inputs and the range, start,
wait, read. Changing the inputs of a free-running converter would mix up two of them. The value is
in volts at the pins.

A reading that fails keeps the last value as STALE; after three failed scans or five seconds the
channel is FAILED, until one scan is good again. Bit fields: TI ADS1115 data sheet, SBAS444, 8.1.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hw.i2c.bus import BUSES, Buses, BusFault, I2CBus
from hw.interface import Channel, Condition, Context, Kind, Sample

INPUTS = {"A0-A1": 0, "A0-A3": 1, "A1-A3": 2, "A2-A3": 3, "A0": 4, "A1": 5, "A2": 6, "A3": 7}  # MUX
RANGES_V = {6.144: 0, 4.096: 1, 2.048: 2, 1.024: 3, 0.512: 4, 0.256: 5}  # PGA
RATES = {8: 0, 16: 1, 32: 2, 64: 3, 128: 4, 250: 5, 475: 6, 860: 7}  # DR, samples per second

FAILED_SCANS = 3
FAILED_NS = 5_000_000_000
OFFSET_COUNTS = 10  # below zero against ground: the converter's own error; more is the wiring's

_CONVERSION, _CONFIG = 0, 1
_START = _READY = 0x8000  # one bit: written it starts a conversion, read it says there is none under way
_SINGLE_SHOT = 0x0100
# Off, and with the other polarity: without effect then, but no word of ours is that of a chip that was reset, 0x8583.
_NO_COMPARATOR = 0x000B
_WAKE_UP_S = 50e-6
_CLOCK_ERROR = 1.1  # the converter's oscillator may be 10 % slow


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`bus`: N of /dev/i2c-N; `address`: by the chip's ADDR pin; `rate`: samples per second."""

    bus: Annotated[int, Meta(ge=0, le=255)]
    address: Annotated[int, Meta(ge=0x48, le=0x4B)] = 0x48
    rate: Literal[8, 16, 32, 64, 128, 250, 475, 860] = 128


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`range_V`: full scale, plus and minus; the pins themselves bear no more than the chip's supply."""

    range_V: float = 2.048


class _Input:
    """One channel: the word that converts it, and what is known of it."""

    __slots__ = ("command", "failed_since_ns", "failures", "last", "single_ended", "volts")

    def __init__(self, ref: str, range_v: float, rate: int) -> None:
        self.command = (
            INPUTS[ref] << 12 | RANGES_V[range_v] << 9 | _SINGLE_SHOT | RATES[rate] << 5 | _NO_COMPARATOR
        )
        self.volts = range_v / 32768  # per count
        self.single_ended = "-" not in ref
        self.last: Sample | None = None
        self.failures = 0
        self.failed_since_ns = 0

    def good(self, raw: int, now_ns: int) -> Sample:
        self.failures = 0
        condition = Condition.GOOD
        if self.single_ended and raw < 0:
            if raw < -OFFSET_COUNTS:
                condition = Condition.FAILED
            else:
                raw = 0
        elif raw in (0x7FFF, -0x8000):
            condition = Condition.OVERFLOW
        self.last = Sample(raw * self.volts, condition, now_ns)
        return self.last

    def bad(self, now_ns: int) -> Sample:
        if not self.failures:
            self.failed_since_ns = now_ns
        self.failures += 1
        if self.last is None:
            return Sample(0.0, Condition.FAILED, now_ns)
        lasting = self.failures >= FAILED_SCANS or now_ns - self.failed_since_ns >= FAILED_NS
        condition = Condition.FAILED if lasting else Condition.STALE
        return self.last._replace(condition=self.last.condition | condition)


class Ads1115:
    """The open chip: AnalogInputs. `sleep` and `now_ns` stand for time, for tests."""

    def __init__(
        self,
        config: Config,
        channels: Sequence[Channel],
        context: Context,
        *,
        buses: Buses = BUSES,
        sleep: Callable[[float], None] = time.sleep,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._inputs = [
            _Input(str(channel.ref), _options(channel).range_V, config.rate) for channel in channels
        ]
        self._address = config.address
        self._conversion_s = 1 / config.rate
        self._log = context.log
        self._sleep = sleep
        self._now_ns = now_ns
        self._trouble = ""
        self._closed = False
        self._buses = buses
        self._bus: I2CBus = buses.claim(config.bus, config.address, context.name)

    @property
    def bus(self) -> str:
        return self._bus.name

    def scan(self) -> Sequence[Sample]:
        """One conversion per channel, about 9 ms each at 128 samples per second."""
        trouble = ""
        samples = []
        for each in self._inputs:
            try:
                raw = self._convert(each.command)
            except BusFault as fault:
                trouble = str(fault)
                samples.append(each.bad(self._now_ns()))
            else:
                samples.append(each.good(raw, self._now_ns()))
        if trouble != self._trouble:
            self._log(trouble or "answers again")
            self._trouble = trouble
        return samples

    def _convert(self, command: int) -> int:
        """One conversion, as a signed count. Raises BusFault."""
        if self._closed:
            raise self._fault("the device is closed")
        self._bus.write_word(self._address, _CONFIG, _START | command)
        deadline = self._now_ns() + round(3e9 * self._conversion_s)
        self._sleep(_CLOCK_ERROR * self._conversion_s + _WAKE_UP_S)
        while True:
            config = self._bus.read_word(self._address, _CONFIG)
            if config & ~_READY != command:
                # The chip lost its supply in between, or somebody else drives it.
                raise self._fault(f"configuration reads {config:#06x}, not {command:#06x}: is it an ADS1115?")
            if config & _READY:
                break
            if self._now_ns() >= deadline:
                raise self._fault("a conversion does not end")
            self._sleep(self._conversion_s / 10)
        raw = self._bus.read_word(self._address, _CONVERSION)
        return raw - 0x10000 if raw & 0x8000 else raw

    def _fault(self, what: str) -> BusFault:
        return BusFault(self._bus.number, self._address, errno.EIO, what)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._buses.release(self._bus, self._address)


def _options(channel: Channel) -> Options:
    return channel.options if isinstance(channel.options, Options) else Options()


class Ads1115Driver:
    """Channels are "A0".."A3" against ground, or one of the pairs the chip can subtract."""

    name = "ads1115"
    config_type = Config
    channel_type = Options
    kinds = frozenset({Kind.ANALOG_INPUT})

    def check(self, config: Config, channels: Sequence[Channel]) -> list[str]:
        mistakes = []
        users: dict[str, str] = {}
        for channel in channels:
            ref, who = str(channel.ref), channel.user or f"channel {channel.ref}"
            if channel.kind not in self.kinds:
                mistakes.append(f"{who}: an ADS1115 has no {channel.kind.value}")
            if ref not in INPUTS:
                mistakes.append(f"{who}: no channel {ref!r}; there are {', '.join(sorted(INPUTS))}")
            elif ref in users:
                mistakes.append(f"{who}: channel {ref} is already used by {users[ref]}")
            users.setdefault(ref, who)
            if (range_v := _options(channel).range_V) not in RANGES_V:
                mistakes.append(f"{who}: range_V {range_v:g} is not one of {', '.join(map(str, RANGES_V))}")
        return mistakes

    def open(self, config: Config, channels: Sequence[Channel], context: Context) -> Ads1115:
        return Ads1115(config, channels, context)


DRIVER = Ads1115Driver()
