"""A gpiozero pin factory on libgpiod v2: nothing is lost unseen, nothing glitches, nothing polls.

* A line is asked for once, with direction, pull and first level in the same request, so an
  active-low relay never sees a moment of 0.
* Every line has a request of its own with the largest buffer the kernel gives (1024 edges): a
  chattering contact can only push out its own edges, and the kernel's sequence numbers tell how many.
* Ticks are integer nanoseconds of CLOCK_MONOTONIC, those of an edge taken in the interrupt.
* There is no thread. `filenos` names one descriptor to wait for, `pump` delivers what is there;
  edges of several lines come in the order of their stamps.

A chip that goes away (an unplugged USB expander) costs its lines, not the rest: reading them raises
OSError, and whoever reads or sets one after `RETRY_NS` asks for it again. An output that comes back
comes back at the level it was first asked for.
"""

from __future__ import annotations

import errno
import glob
import os
import select
import time
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from types import MethodType
from typing import Any
from weakref import ReferenceType, WeakMethod, ref

import gpiod
import gpiozero
from gpiozero.pins import PinInfo

from hw.interface import DeviceFault

HEADER_LABELS = ("pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1")  # Raspberry Pi 0..3, 4, 5
EVENT_BUFFER = 1024  # per line: the most the kernel allows
PASSES = 8  # of reading, before edges that keep coming have to wait for the next `pump`
RETRY_NS = 2_000_000_000

_ACTIVE = gpiod.line.Value.ACTIVE
_RISING = gpiod.EdgeEvent.Type.RISING_EDGE
_PULLS = {
    "up": gpiod.line.Bias.PULL_UP,
    "down": gpiod.line.Bias.PULL_DOWN,
    "floating": gpiod.line.Bias.DISABLED,
}
_GONE = select.EPOLLHUP | select.EPOLLERR

Handler = Callable[[int, int], object]


def chip_paths() -> list[str]:
    """The machine's GPIO chips, each once (some boards keep links to old names)."""
    return sorted({os.path.realpath(path) for path in glob.glob("/dev/gpiochip*")})


def _say(error: OSError) -> str:
    return error.strerror or str(error)


class GpiodFactory(gpiozero.Factory):  # type: ignore[misc]  # gpiozero has no types
    """Pins of one GPIO chip.

    `chip` is a label ("pinctrl-rp1"), a name ("gpiochip2") or a path; empty means the chip behind
    the board's header. Pins are named by offset (int) or by line name (str). `api` and `paths`
    stand for the gpiod module and /dev, for tests. Raises DeviceFault if there is no such chip.
    """

    def __init__(
        self,
        chip: str = "",
        *,
        consumer: str = "outstation",
        log: Callable[[str], None] = lambda line: None,
        api: Any = gpiod,
        paths: Callable[[], Sequence[str]] = chip_paths,
    ) -> None:
        super().__init__()
        self._chip = chip
        self._consumer = consumer
        self._log = log
        self._api = api
        self._paths = paths
        self._infos: dict[int | str, PinInfo] = {}
        self._pins: dict[int, GpiodPin] = {}
        self._armed: dict[int, GpiodPin] = {}  # by descriptor
        self._gone = False
        self.path, self.title, self.lines = self._find()
        # One descriptor to wait for, whatever lines come and go behind it.
        self._epoll = select.epoll()

    # -- what gpiozero asks of a factory

    def ticks(self) -> int:
        """CLOCK_MONOTONIC, nanoseconds."""
        return time.monotonic_ns()

    def ticks_diff(self, later: int, earlier: int) -> float:
        """Seconds between two ticks."""
        return (later - earlier) / 1e9

    def _get_board_info(self) -> GpiodFactory:
        return self

    def find_pin(self, name: int | str) -> Iterator[tuple[None, PinInfo]]:
        """The line of that offset or name, as gpiozero's `BoardInfo.find_pin`."""
        if name not in self._infos:
            self._learn(name)
        yield None, self._infos[name]

    def pin(self, name: int | str) -> GpiodPin:
        """The pin of that offset or name; the same object for the same line."""
        _, info = next(self.find_pin(name))
        if info.number not in self._pins:
            self._pins[info.number] = GpiodPin(self, info)
        return self._pins[info.number]

    def close(self) -> None:
        """Release every line."""
        for pin in self._pins.values():
            pin.close()
        self._pins.clear()
        self._epoll.close()

    # -- edges

    def filenos(self) -> Sequence[int]:
        """One descriptor, readable when `pump` has work; it stays the same until `close`."""
        return () if self._epoll.closed else (self._epoll.fileno(),)

    def pump(self) -> None:
        """Deliver what is pending to the pins' `when_changed`. Does not block, never raises."""
        batch: list[tuple[int, GpiodPin, Any]] = []
        # What comes while others are read may be older than what they had: the order is known when nothing is left.
        for _ in range(PASSES):
            try:
                ready = self._epoll.poll(0)
            except (OSError, ValueError):  # closed
                break
            if not ready:
                break
            for descriptor, state in ready:
                pin = self._armed.get(descriptor)
                if pin is not None:
                    batch += [(event.timestamp_ns, pin, event) for event in pin.drain(bool(state & _GONE))]
        batch.sort(key=itemgetter(0))  # stable: edges of one line keep their order
        for stamp, pin, event in batch:
            try:
                pin.deliver(stamp, 1 if event.event_type is _RISING else 0, event.line_seqno)
            except Exception as error:  # one handler must not cost the others their edges
                self._log(f"{self.title}: {pin!r}: handler failed: {error!r}")

    # -- what pins ask of the factory

    def request(self, pin: GpiodPin, settings: gpiod.LineSettings) -> Any:
        """Ask the kernel for one line. Raises DeviceFault, naming who has it."""
        offset = pin.info.number
        if self._gone:
            self.path, self.title, self.lines = self._find()
        try:
            with self._api.Chip(self.path) as chip:
                info = chip.get_line_info(offset)
                if info.used:
                    raise DeviceFault(f"{pin!r} of {self.title} is used by {info.consumer or 'the kernel'!r}")
                request = chip.request_lines(
                    config={offset: settings}, consumer=self._consumer, event_buffer_size=EVENT_BUFFER
                )
        except OSError as error:
            raise DeviceFault(f"{pin!r} of {self.title} is not to be had: {_say(error)}") from error
        if settings.direction is gpiod.line.Direction.INPUT:
            self._armed[request.fd] = pin
            self._epoll.register(request.fd, select.EPOLLIN)
        if self._gone:
            self._gone = False
            self._log(f"{self.title} is back")
        return request

    def release(self, request: Any) -> None:
        """Give a line back to the kernel, or what is left of it. Never raises."""
        try:
            if self._armed.pop(request.fd, None) is not None:
                self._epoll.unregister(request.fd)
            request.release()
        except (OSError, ValueError):
            pass  # the chip is gone, or the factory closed: nothing is left to give back

    def chip_gone(self) -> None:
        """A line of the chip answered that the chip is gone."""
        if not self._gone:
            self._gone = True
            self._log(f"{self.title} is gone: its lines are unknown until it comes back")

    # -- finding things

    def _find(self) -> tuple[str, str, int]:
        wanted = {self._chip, os.path.realpath(self._chip)} if self._chip else {*HEADER_LABELS}
        found: list[tuple[str, str, int]] = []
        seen: list[str] = []
        for path in self._paths():
            try:
                with self._api.Chip(path) as chip:
                    info = chip.get_info()
            except OSError as error:
                seen.append(f"{path}: {_say(error)}")
                continue
            title = f"{info.name} [{info.label}]"
            seen.append(title)
            if wanted & {info.label, info.name, path}:
                found.append((path, title, info.num_lines))
        if len(found) == 1:
            return found[0]
        here = ", ".join(seen) or "none"
        if found:
            raise DeviceFault(f"chip {self._chip!r} is not unique, name its path; there are: {here}")
        what = f"chip {self._chip!r}" if self._chip else "chip of a Raspberry Pi header, name one with `chip`"
        raise DeviceFault(f"no GPIO {what}; there are: {here}")

    def _learn(self, name: int | str) -> None:
        try:
            with self._api.Chip(self.path) as chip:
                offset = name if isinstance(name, int) else chip.line_offset_from_id(name)
                if not 0 <= offset < self.lines:
                    raise DeviceFault(f"{self.title} has lines 0..{self.lines - 1}, not {name}")
                label = chip.get_line_info(offset).name
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise DeviceFault(f"{self.title} has no line named {name!r}; give its offset") from error
            raise DeviceFault(f"{self.title} cannot be opened: {_say(error)}") from error
        own = f"line {offset}"  # unlike the board's own names these are unique
        names = frozenset({own, offset, name, label or own})
        info = self._infos.get(own) or PinInfo(offset, own, names, "", None, None, frozenset({"gpio"}))
        for key in (own, offset, name):
            self._infos[key] = info


class GpiodPin(gpiozero.Pin):  # type: ignore[misc]  # gpiozero has no types
    """One line. It is requested when its pull (input) or first level (output) is set, and not before."""

    def __init__(self, factory: GpiodFactory, info: PinInfo) -> None:
        super().__init__()
        self.lost = 0  # edges the kernel dropped since the line was opened
        self.gap = 0  # of which just before the edge being delivered
        self._factory = factory
        self._info = info
        self._offset: int = info.number
        self._reset()

    def _reset(self) -> None:
        self._request: Any = None
        self._settings: gpiod.LineSettings | None = None  # what was asked for, and will be again
        self._function = "input"
        self._pull = "unknown"
        self._edges = "both"
        self._handler: ReferenceType[Any] | WeakMethod[Any] | None = None
        self._seqno = 0
        self._retry_ns = 0

    def __repr__(self) -> str:
        return str(self._info.name)

    def _get_info(self) -> PinInfo:
        return self._info

    @property
    def factory(self) -> GpiodFactory:
        return self._factory

    def close(self) -> None:
        """Give the line back; what it does then is the kernel's choice. Idempotent."""
        request = self._request
        self._reset()
        if request is not None:
            self._factory.release(request)

    # -- direction and pull

    def input_with_pull(self, pull: str) -> None:
        self.function = "input"
        self.pull = pull

    def output_with_state(self, state: int) -> None:
        value = gpiod.line.Value.ACTIVE if state else gpiod.line.Value.INACTIVE
        settings = gpiod.LineSettings(direction=gpiod.line.Direction.OUTPUT, output_value=value)
        self._claim(settings)
        self._function = "output"

    def _get_function(self) -> str:
        return self._function

    def _set_function(self, value: str) -> None:
        if value == "input":
            if self._function == "output":
                self.close()
        elif value != self._function:
            raise gpiozero.PinInvalidFunction(
                f"{self!r}: an output needs its first level: use output_with_state"
            )

    def _get_pull(self) -> str:
        return self._pull

    def _set_pull(self, value: str) -> None:
        if self._function != "input":
            raise gpiozero.PinFixedPull(f"{self!r} is an output, it has no pull")
        if value not in _PULLS:
            raise gpiozero.PinInvalidPull(f"{self!r}: pull is up, down or floating, not {value!r}")
        if value != self._pull:
            line = gpiod.line
            self._claim(
                gpiod.LineSettings(
                    direction=line.Direction.INPUT, edge_detection=line.Edge.BOTH, bias=_PULLS[value]
                )
            )
            self._pull = value

    def _claim(self, settings: gpiod.LineSettings) -> None:
        """One request for everything. A line held already is given back first."""
        if self._request is not None:
            self._factory.release(self._request)
            self._request = None
        self._request = self._factory.request(self, settings)
        self._settings = settings
        self._seqno = 0

    # -- level

    def _get_state(self) -> int:
        if self._request is None:
            self._reclaim()
        try:
            return 1 if self._request.get_value(self._offset) is _ACTIVE else 0
        except OSError as error:
            self._failed(error)
            raise

    def _set_state(self, value: int) -> None:
        if self._function != "output":
            raise gpiozero.PinSetInput(f"{self!r} is an input")
        if self._request is None:
            self._reclaim()
        level = gpiod.line.Value.ACTIVE if value else gpiod.line.Value.INACTIVE
        try:
            self._request.set_value(self._offset, level)
        except OSError as error:
            self._failed(error)
            raise

    def _failed(self, error: OSError) -> None:
        if error.errno == errno.ENODEV:
            self._drop()

    def _drop(self) -> None:
        self._factory.release(self._request)
        self._request = None
        self._retry_ns = self._factory.ticks() + RETRY_NS
        self._factory.chip_gone()

    def _reclaim(self) -> None:
        if self._settings is None:
            raise gpiozero.PinInvalidState(f"{self!r}: set its pull or its first level before reading it")
        now = self._factory.ticks()
        if now < self._retry_ns:
            raise OSError(errno.ENODEV, "its chip is gone")
        self._retry_ns = now + RETRY_NS
        try:
            self._claim(self._settings)
        except DeviceFault as fault:
            raise OSError(errno.ENODEV, str(fault)) from fault

    # -- edges

    def drain(self, gone: bool) -> Sequence[Any]:
        """What the kernel has for this line, after it said there is something. Never raises."""
        if not gone:
            try:
                events: Sequence[Any] = self._request.read_edge_events()
            except OSError:
                pass  # a descriptor that is ready and cannot be read would be ready for ever
            else:
                return events
        self._drop()
        return ()

    def deliver(self, stamp: int, level: int, seqno: int) -> None:
        """Count what is missing and tell the handler."""
        gap = (seqno - self._seqno - 1) & 0xFFFFFFFF
        self._seqno = seqno
        self.gap = gap
        self.lost += gap
        if self._handler is not None and self._edges in ("both", "rising" if level else "falling"):
            handler: Handler | None = self._handler()
            if handler is not None:
                handler(stamp, level)

    def _get_bounce(self) -> None:
        return None

    def _set_bounce(self, value: float | None) -> None:
        if value is not None:
            raise gpiozero.PinInvalidBounce(f"{self!r} reports raw edges: debounce where they are used")

    def _get_edges(self) -> str:
        return self._edges

    def _set_edges(self, value: str) -> None:
        if value not in ("none", "falling", "rising", "both"):
            raise gpiozero.PinInvalidEdges(
                f"{self!r}: edges are none, falling, rising or both, not {value!r}"
            )
        self._edges = value

    def _get_when_changed(self) -> Handler | None:
        return None if self._handler is None else self._handler()

    def _set_when_changed(self, value: Handler | None) -> None:
        # Weak, as everywhere in gpiozero: a handler does not keep its device alive.
        if value is None:
            self._handler = None
        elif isinstance(value, MethodType):
            self._handler = WeakMethod(value)
        else:
            self._handler = ref(value)
