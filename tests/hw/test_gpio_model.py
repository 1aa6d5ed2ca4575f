"""Whatever is asked of the relays in whatever order, their levels are those of a simple model."""

from __future__ import annotations

from gpiozero.pins.mock import MockFactory
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hw.gpio_device import GpioDevice, Options
from hw.interface import Channel, DeviceFault, Kind

SAFE = (0, 1, 0)
LINES = (22, 23, 24)
MS = 1_000_000
OUTPUTS = st.integers(0, len(LINES) - 1)


class Relays(RuleBasedStateMachine):
    """The model: which lines are away from their safe level, and until when (None: for good)."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = 0
        channels = [
            Channel(Kind.DIGITAL_OUTPUT, line, Options(), safe)
            for line, safe in zip(LINES, SAFE, strict=True)
        ]
        self.device = GpioDevice(MockFactory(), channels, now_ns=lambda: self.now_ns)
        self.away: dict[int, int | None] = {}

    def teardown(self) -> None:
        self.device.close()

    def pulsing(self, output: int) -> bool:
        return self.away.get(output) is not None

    @rule(output=OUTPUTS, ms=st.integers(1, 1000), to_safe=st.booleans())
    def pulse(self, output: int, ms: int, to_safe: bool) -> None:
        level = SAFE[output] if to_safe else 1 - SAFE[output]
        try:
            self.device.pulse(output, level, ms / 1000)
        except DeviceFault:
            assert to_safe or self.pulsing(output)
        else:
            assert not to_safe
            assert not self.pulsing(output)
            self.away[output] = self.now_ns + ms * MS

    @rule(output=OUTPUTS, to_safe=st.booleans())
    def write(self, output: int, to_safe: bool) -> None:
        level = SAFE[output] if to_safe else 1 - SAFE[output]
        try:
            self.device.write(output, level)
        except DeviceFault:
            assert not to_safe
            assert self.pulsing(output)
        else:
            self.away.pop(output, None)
            if not to_safe:
                self.away[output] = None

    @rule()
    def safe(self) -> None:
        self.device.safe()
        self.away.clear()

    @rule(ms=st.integers(1, 1500))
    def time_passes(self, ms: int) -> None:
        assert self.device.pulses is not None
        with self.device.pulses.lock:
            self.now_ns += ms * MS
            self.device.pulses.run_due()
        self.away = {
            output: until for output, until in self.away.items() if until is None or until > self.now_ns
        }

    @invariant()
    def levels_are_those_of_the_model(self) -> None:
        expected = [1 - safe if output in self.away else safe for output, safe in enumerate(SAFE)]
        assert self.device.read_back() == expected


TestRelays = Relays.TestCase
TestRelays.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
