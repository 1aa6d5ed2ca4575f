"""The inputs of one device: read as a whole, on the loop or on the thread of its bus, and taken on the loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from hw.interface import AnalogInputs, Condition, Counters, Device, DigitalInputs, Edge, Sample
from rtu.clock import Clock
from rtu.points.model import IV, NT

from .chains import Chains
from .contacts import ContactInputs
from .statistics import Statistics

_NOT_READ = int(Condition.STALE | Condition.FAILED)


class Reading(NamedTuple):
    """One reading of a device, finished at `mono_ns`."""

    mono_ns: int
    edges: Sequence[Edge]
    levels: Sequence[int | None]
    samples: Sequence[Sample]
    totals: Sequence[int | None]


class DeviceInputs:
    """Reads an open device and feeds the chains of its points.

    `scan` may block and is for the thread of the bus; everything else belongs to the loop.
    """

    def __init__(
        self,
        name: str,
        device: Device,
        chains: Chains,
        clock: Clock,
        *,
        statistics: Statistics,
        log: Callable[[str], None],
    ) -> None:
        self.name = name
        self.bus: str = getattr(device, "bus", "")
        self.period_ns = chains.scan_ns
        self.contacts: DigitalInputs | None = None
        """The device, if contacts of it are in use."""
        self._analog: AnalogInputs | None = None
        self._counters: Counters | None = None
        if chains.contacts and isinstance(device, DigitalInputs):
            self.contacts = device
        self._stamped = self.contacts is not None and self.contacts.stamps == "kernel"
        if chains.measurements and isinstance(device, AnalogInputs):
            self._analog = device
        if chains.counters and isinstance(device, Counters):
            self._counters = device
        self._chains = chains
        self._clock = clock
        self._statistics = statistics
        self._log = log
        self._route = ContactInputs(chains.contacts, statistics, log)
        self._edges: list[Edge] = []
        self._fault = ""
        self.trouble = ""
        """Why the device is not read as it should be, or ""."""

    def begin(self) -> None:
        """Have edges delivered: at once from a quick device, with the next scan from one on a bus.

        A driver that cannot deliver them leaves its contacts to the poll.
        """
        if self.contacts is None:
            return
        try:
            self.contacts.start(self._edges.extend if self.bus else self._route.edges)
        except Exception as error:  # a driver's bug costs its edges, not the station's start
            self._log(
                f'device "{self.name}": no edges, its contacts are only polled: {type(error).__name__}: {error}'
            )

    def poll(self) -> None:
        """Read a quick device on the loop.

        A level and an edge may cross, so what disagrees is read again after the edges that are pending.
        """
        reading = self.scan()
        self.take(reading._replace(levels=()) if self._route.agree(reading.levels) else self.scan())

    def scan(self) -> Reading:
        """Read everything once. A driver that raises where it must not is one that cannot be read."""
        levels: Sequence[int | None] = ()
        samples: Sequence[Sample] = ()
        totals: Sequence[int | None] = ()
        try:
            if self.contacts is not None:
                self.contacts.pump()
                levels = self.contacts.levels()
            if self._analog is not None:
                samples = self._analog.scan()
            if self._counters is not None:
                totals = self._counters.totals()
        except Exception as error:  # never by contract; a bug of a driver is a device that cannot be read
            return self._nothing(f"its driver failed: {type(error).__name__}: {error}")
        self._fault = ""
        return Reading(self._clock.now_ns(), self._take_edges(), levels, samples, totals)

    def take(self, reading: Reading) -> None:
        """Feed what a scan brought; on the loop."""
        mono_ns = reading.mono_ns
        chains = self._chains
        self._route.edges(reading.edges)
        self._route.levels(reading.levels, mono_ns, count=self._stamped)
        for measurements, sample in zip(chains.measurements, reading.samples, strict=False):
            for measurement in measurements:
                self._feed(measurement.sample, sample)
        for counters, total in zip(chains.counters, reading.totals, strict=False):
            for counter in counters:
                self._feed(counter.total, total, mono_ns)
        self._statistics.scans += 1
        if (
            None in reading.levels
            or None in reading.totals
            or any(int(sample.condition) & _NOT_READ for sample in reading.samples)
        ):
            self._statistics.scan_errors += 1
            self.trouble = self._fault or "not everything of it can be read"
        else:
            self.trouble = ""

    def silent(self, quality: int) -> None:
        """The device does not answer: its points keep their values with `quality` (NT, or IV and NT)."""
        now = self._clock.now_ns()
        self.trouble = f'no reading for too long; look at bus "{self.bus}"'
        if quality == NT:
            self._statistics.silences += 1
            self._log(f'device "{self.name}": {self.trouble}')
        self._route.lose(quality, now)
        missing = Sample(0.0, Condition.FAILED if quality & IV else Condition.STALE, now)
        for measurements in self._chains.measurements:
            for measurement in measurements:
                self._feed(measurement.sample, missing)
        if quality & IV:  # a counter reading can only be invalid
            for counters in self._chains.counters:
                for counter in counters:
                    self._feed(counter.total, None, now)

    def _feed(self, chain: Callable[..., None], *reading: object) -> None:
        try:
            chain(*reading)
        except Exception as error:  # what one value runs into must not cost the others
            self._route.failed(error)

    def _take_edges(self) -> Sequence[Edge]:
        edges, self._edges[:] = tuple(self._edges), ()
        return edges

    def _nothing(self, fault: str) -> Reading:
        if fault != self._fault:
            self._fault = fault
            self._log(f'device "{self.name}": {fault}')
        now = self._clock.now_ns()
        chains = self._chains
        return Reading(
            now,
            self._take_edges(),
            [None] * len(chains.contacts),
            [Sample(0.0, Condition.FAILED, now)] * len(chains.measurements),
            [None] * len(chains.counters),
        )
