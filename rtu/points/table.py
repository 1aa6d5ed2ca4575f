"""The point table: what is known of every signal now, and what of it is news.

`update` is the way every value takes. It replaces the encoded elements of the signal's addresses in the image,
reports what is worth telling to the sink, and then calls whoever watches the signal. A state is news when its value or
its quality differs from the present one; a measured value when it passed its `Threshold`. A counter never is: its
totals are told when they are frozen.

The station starts quietly. Until `finish_start` the first good reading of a signal is compared with the state
`restore` gave it: no difference, or nothing restored, makes no event. What was never read stays invalid and not
topical.

One thread (the loop's) owns the table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rtu.clock import Clock
from rtu.iec104.elements import encode_cp56

from .image import Image
from .model import GOOD, IV, NEVER_READ, NT, SPONTANEOUS, Cause, Signal, Value
from .report import ReportSink, Threshold

Watcher = Callable[[Signal, Value], None]


class PointTable:
    """All signals by index. Indexes of signals and of their addresses must be 0, 1, 2, ..."""

    def __init__(self, signals: Sequence[Signal], clock: Clock, sink: ReportSink) -> None:
        self.signals = tuple(signals)
        self.image = Image(
            sorted((a for signal in self.signals for a in signal.addresses), key=lambda a: a.index)
        )
        self._clock = clock
        self._sink = sink
        self._names = {signal.name: signal.index for signal in self.signals}
        self._values = [
            Value(0, GOOD, clock.now_ns()) if signal.system else NEVER_READ for signal in self.signals
        ]
        self._thresholds = [
            None if signal.is_state else Threshold(signal.reporting, value)
            for signal, value in zip(self.signals, self._values, strict=True)
        ]
        self._causes = [SPONTANEOUS] * len(self.signals)
        self._watches: list[tuple[_Watch, ...]] = [()] * len(self.signals)
        self._awaited = {signal.index for signal in self.signals if not signal.system}
        self._restored: dict[int, tuple[float, int]] = {}
        for signal, value in zip(self.signals, self._values, strict=True):
            self._encode(signal, value)

    def value(self, index: int) -> Value:
        """What is known now."""
        return self._values[index]

    def index(self, name: str) -> int:
        """The index of a signal by its configured name. Raises KeyError."""
        return self._names[name]

    # Start

    def restore(self, index: int, value: float, quality: int) -> None:
        """The last state stored before the restart; call before the first `update`.

        Until the signal is read it is shown, invalid and not topical.
        """
        self._restored[index] = (value, quality)
        present = Value(value, quality | IV | NT, 0)
        self._values[index] = present
        self._encode(self.signals[index], present)

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
            self._report(signal, value)
        self._awaited.clear()
        self._restored.clear()

    # Values

    def update(self, index: int, value: Value) -> None:
        """Take a reading; one that says nothing new costs a comparison."""
        present = self._values[index]
        threshold = self._thresholds[index]
        changed = value[0] != present[0] or value[1] != present[1]
        if not changed and threshold is None:
            return
        signal = self.signals[index]
        self._values[index] = value
        if changed:
            self._encode(signal, value)
        if self._awaited and index in self._awaited:
            self._first(signal, value)
        elif threshold is None:
            self._sink.changed(signal, value)
            if signal.kind != "counter":
                self._report(signal, value)
        elif threshold.passed(value):
            threshold.told(value)
            self._report(signal, value)
        if changed and self._watches[index]:
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

    def _encode(self, signal: Signal, value: Value) -> None:
        elements = self.image.elements
        for address in signal.addresses:
            elements[address.index] = address.encode(value[0], value[1])

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
            self._report(signal, value)

    def _settle(self, signal: Signal, value: Value) -> None:
        threshold = self._thresholds[signal.index]
        if threshold is not None:
            threshold.told(value)

    def _report(self, signal: Signal, value: Value) -> None:
        sink = self._sink
        elements = self.image.elements
        cause = self._causes[signal.index]
        unix_ns, valid = self._clock.wall(value[2])
        time_tag = encode_cp56(unix_ns, not valid)
        if signal.kind != "measured":
            for address in signal.addresses:
                octets = elements[address.index]
                sink.state(address, octets + time_tag if address.time_tagged else octets, cause)
            return
        every = signal.reporting.keep == "every"
        for address in signal.addresses:
            octets = elements[address.index]
            sink.measured(address, octets + time_tag if address.time_tagged else octets, cause, every)


class _Watch:
    """A callback until it is None: one taken off while a change goes round is not called any more."""

    __slots__ = ("callback",)

    def __init__(self, callback: Watcher) -> None:
        self.callback: Watcher | None = callback
