"""The point table: what is known of every signal now, and what of it is news.

`update` is the way every value takes. It replaces the encoded elements of the signal's addresses in the image,
reports what is worth telling to the sink, and then calls whoever watches the signal. A state is news when its value or
its quality differs from the present one; a measured value when its `Measurand` says so. A counter never is: its
totals are told when they are frozen. What happened is told with `tell`, however often it looks the same.

The station starts quietly. Until `finish_start` the first good reading of a signal is compared with the state
`restore` gave it: no difference, or nothing restored, makes no event. What was never read stays invalid and not
topical. Signals that are made of others begin when that is over.

One thread (the loop's) owns the table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rtu.clock import Clock

from .image import Image
from .model import GOOD, IV, NEVER_READ, NT, SPONTANEOUS, Address, Cause, Signal, Value
from .report import Measurand, Parameters, ReportSink
from .station_time import UTC, StationTime

Watcher = Callable[[Signal, Value], None]
_Encode = Callable[[float, int], bytes]

_MADE = frozenset({"packed", "protection"})
"""Kinds that are made of other signals, and so are neither read nor restored."""


class PointTable:
    """All signals by index. Indexes of signals and of their addresses must be 0, 1, 2, ...; `time` makes the tags."""

    def __init__(
        self, signals: Sequence[Signal], clock: Clock, sink: ReportSink, time: StationTime = UTC
    ) -> None:
        self.signals = tuple(signals)
        self.image = Image(
            sorted((a for signal in self.signals for a in signal.addresses), key=lambda a: a.index)
        )
        self._clock = clock
        self._sink = sink
        self._time = time
        self._names = {signal.name: signal.index for signal in self.signals}
        self._values = [
            Value(0, GOOD, clock.now_ns()) if signal.system else NEVER_READ for signal in self.signals
        ]
        self._measurands = [
            None if signal.is_state else Measurand(signal.reporting, value)
            for signal, value in zip(self.signals, self._values, strict=True)
        ]
        self._encoders = [_encoders(signal) for signal in self.signals]
        self._reports = [_reports(signal) for signal in self.signals]
        self._causes = [SPONTANEOUS] * len(self.signals)
        self._watches: list[tuple[_Watch, ...]] = [()] * len(self.signals)
        self._started: list[Callable[[], None]] = []
        self._awaited = {
            signal.index for signal in self.signals if not signal.system and signal.kind not in _MADE
        }
        self._restored: dict[int, tuple[float, int]] = {}
        for index, value in enumerate(self._values):
            self.show(index, value)

    def value(self, index: int) -> Value:
        """What is known now."""
        return self._values[index]

    def index(self, name: str) -> int:
        """The index of a signal by its configured name. Raises KeyError."""
        return self._names[name]

    def parameters(self, index: int) -> Parameters:
        """What governs the transmission of a measured value. Raises ValueError for any other signal."""
        return self._measurand(index).parameters

    def set_parameters(self, index: int, parameters: Parameters) -> None:
        """Use other parameters from the next sample on. Raises ValueError unless the signal is a measured value."""
        self._measurand(index).set(parameters)

    def _measurand(self, index: int) -> Measurand:
        measurand = self._measurands[index]
        if measurand is None:
            raise ValueError(f'"{self.signals[index].name}" is no measured value')
        return measurand

    # Start

    def restore(self, index: int, value: float, quality: int) -> None:
        """The last state stored before the restart; call before the first `update`.

        Until the signal is read it is shown, invalid and not topical.
        """
        self._restored[index] = (value, quality)
        self.show(index, Value(value, quality | IV | NT, 0))

    def show(self, index: int, value: Value) -> None:
        """Know a value and interrogate it without telling anybody: while the station starts."""
        self._values[index] = value
        elements = self.image.elements
        for place, encode in self._encoders[index]:
            elements[place] = encode(value[0], value[1])

    def when_started(self, callback: Callable[[], None]) -> None:
        """Call `callback` at the end of `finish_start`."""
        self._started.append(callback)

    def finish_start(self) -> None:
        """The first scan is over: from now on a first reading is a change like any other.

        A restored state that could not be read is told as it is now, so that nobody goes on believing it.
        """
        for index in sorted(self._awaited & self._restored.keys()):
            signal, present = self.signals[index], self._values[index]
            if signal.kind in ("measured", "counter") or present[:2] == self._restored[index]:
                continue
            value = present._replace(mono_ns=present.mono_ns or self._clock.now_ns())
            self._values[index] = value
            self._sink.changed(signal, value)
            self._report(signal.index, value)
        self._awaited.clear()
        self._restored.clear()
        for begin in self._started:
            begin()

    # Values

    def update(self, index: int, value: Value) -> None:
        """Take a reading; one that says nothing new costs a comparison."""
        present = self._values[index]
        measurand = self._measurands[index]
        if measurand is not None and measurand.smoothing:
            value = measurand.smoothed(value, present)
        changed = value[0] != present[0] or value[1] != present[1]
        if changed:
            self.show(index, value)
        elif measurand is None:
            return
        else:
            self._values[index] = value
        signal = self.signals[index]
        if index in self._awaited:
            self._first(signal, value)
        elif measurand is None:
            self._sink.changed(signal, value)
            if signal.kind != "counter":
                self._report(index, value)
        elif measurand.passed(value):
            measurand.told(value)
            self._report(index, value)
        if changed and self._watches[index]:
            self._tell_watchers(signal, value)

    def tell(self, index: int, value: Value) -> None:
        """Something happened: a report, even if it is equal to the one before. For states."""
        signal = self.signals[index]
        self.show(index, value)
        self._sink.changed(signal, value)
        self._report(index, value)
        self._tell_watchers(signal, value)

    def attribute(self, index: int, cause: Cause | None) -> None:
        """Report changes of this signal with `cause` (return information, COT 11) until called with None."""
        self._causes[index] = cause or SPONTANEOUS

    def watch(self, index: int, callback: Watcher) -> Callable[[], None]:
        """Call `callback` on every change, after its report. Returns the function that ends it.

        Callbacks are called in the order of watching and may watch, unwatch and attribute. What one of them raises
        comes out of `update` when all have been called.
        """
        watch = _Watch(callback)
        self._watches[index] += (watch,)

        def unwatch() -> None:
            watch.callback = None
            self._watches[index] = tuple(other for other in self._watches[index] if other is not watch)

        return unwatch

    def _tell_watchers(self, signal: Signal, value: Value) -> None:
        failures = []
        for watch in self._watches[signal.index]:
            if watch.callback is not None:
                try:
                    watch.callback(signal, value)
                except Exception as error:  # raised below, when the others have been called
                    failures.append(error)
        if failures:
            raise failures[0]

    def _first(self, signal: Signal, value: Value) -> None:
        """A reading while the station starts, as long as none was good."""
        if value.quality & (IV | NT):
            return
        self._awaited.discard(signal.index)
        restored = self._restored.pop(signal.index, None)
        if restored == (value.value, value.quality):
            self._settle(signal, value)
            return
        if signal.is_state:
            self._sink.changed(signal, value)
        self._settle(signal, value)
        if restored is not None and signal.kind != "counter":
            self._report(signal.index, value)

    def _settle(self, signal: Signal, value: Value) -> None:
        measurand = self._measurands[signal.index]
        if measurand is not None:
            measurand.told(value)

    def _report(self, index: int, value: Value) -> None:
        sink = self._sink
        elements = self.image.elements
        cause = self._causes[index]
        time_tag = self._time.tag(self._clock.wall(value[2]))
        measurand = self._measurands[index]
        if measurand is None:
            for address, tagged, encode in self._reports[index]:
                octets = elements[address.index] if encode is None else encode(value[0], value[1])
                sink.state(address, octets + time_tag if tagged else octets, cause)
            return
        every = self.signals[index].reporting.keep == "every"
        for address, tagged, encode in self._reports[index]:
            octets = elements[address.index] if encode is None else encode(value[0], value[1])
            sink.measured(address, octets + time_tag if tagged else octets, cause, every)


def _encoders(signal: Signal) -> tuple[tuple[int, _Encode], ...]:
    """Place in the image and form of each address."""
    return tuple((address.index, address.encode) for address in signal.addresses)


def _reports(signal: Signal) -> tuple[tuple[Address, bool, _Encode | None], ...]:
    """What a change is told as, whether with its time, and in which form unless in that of the image."""
    image = dict(_encoders(signal))
    return tuple(
        (report, report.time_tagged, None if report.encode is image[report.index] else report.encode)
        for report in signal.reports
    )


class _Watch:
    """A callback until it is None: one taken off while a change goes round is not called any more."""

    __slots__ = ("callback",)

    def __init__(self, callback: Watcher) -> None:
        self.callback: Watcher | None = callback
