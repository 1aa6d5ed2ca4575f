"""Simulated hardware of the test kernel: GPIO chips, the history of a line, I2C chips, modules, the clock's state.

For use inside the guest only; nothing here works, or does harm, outside of it.
"""

import ctypes
import os
import platform
import select
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

import gpiod
from smbus2 import SMBus

GPIO_SIM = Path("/sys/kernel/config/gpio-sim")
TRACING = Path("/sys/kernel/tracing")
I2C_STUB_ADDRESSES = Path("/sys/module/i2c_stub/parameters/chip_addr")
_SYSTEM_CALLS = {"x86_64": (313, 176), "aarch64": (273, 106)}  # finit_module, delete_module

_libc = ctypes.CDLL(None, use_errno=True)
_serial = count()


class SimChip:
    """A gpio-sim chip: `pull` is what the field does to an input, `value` what a voltmeter shows on any line.

    Requesting a line with a bias moves its pull, and the last writer wins: drive inputs *after* the
    program under test has requested them.

    Args:
        lines: how many lines the chip has.
        label: what `gpiod` and `rtu hardware` show as the chip's label.
        names: line names by offset.
    """

    def __init__(
        self, lines: int = 32, label: str = "sim-gpio", names: Mapping[int, str] | None = None
    ) -> None:
        self.lines = lines
        self.label = label
        self._folder = GPIO_SIM / f"chip{next(_serial)}-{os.getpid()}"
        self._bank = self._folder / "bank0"
        self._bank.mkdir(parents=True)
        (self._bank / "num_lines").write_text(str(lines))
        (self._bank / "label").write_text(label)
        for offset, name in (names or {}).items():
            line = self._bank / f"line{offset}"
            line.mkdir()
            (line / "name").write_text(name)
        (self._folder / "live").write_text("1")
        device = Path("/sys/devices/platform") / (self._folder / "dev_name").read_text().strip()
        self.name = (self._bank / "chip_name").read_text().strip()
        self._lines = device / self.name
        self._pulls: dict[int, int] = {}
        (base,) = device.glob("gpio/gpiochip*/base")
        self._base = int(base.read_text())

    @property
    def path(self) -> str:
        """The chip's device node."""
        return f"/dev/{self.name}"

    def number_of(self, line: int) -> int:
        """The line's number in the kernel's global numbering, as its trace shows it."""
        return self._base + line

    def pull(self, line: int, level: int) -> None:
        """Let the field drive `line` to `level`. An output does not move; it falls to its pull when released."""
        node = self._pulls.get(line)
        if node is None:
            node = self._pulls[line] = os.open(
                self._lines / f"sim_gpio{line}/pull", os.O_WRONLY | os.O_CLOEXEC
            )
        os.pwrite(node, b"pull-up" if level else b"pull-down", 0)

    def pulled(self, line: int) -> int:
        """The level the field drives `line` to."""
        return int((self._lines / f"sim_gpio{line}/pull").read_text() == "pull-up\n")

    def value(self, line: int) -> int:
        """The level on `line` now, whoever drives it."""
        return int((self._lines / f"sim_gpio{line}/value").read_text())

    def close(self) -> None:
        """Unplug the chip. A program that still holds one of its lines gets ENODEV."""
        for node in self._pulls.values():
            os.close(node)
        self._pulls.clear()
        (self._folder / "live").write_text("0")
        for line in self._bank.glob("line*"):
            line.rmdir()
        self._bank.rmdir()
        self._folder.rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LineRecorder:
    """Every level the program under test gives a line, as the kernel set it: no polling, none missed.

    The kernel traces each level it sets, stamped with CLOCK_MONOTONIC to the microsecond. A release is no such
    level, although the line then falls to its pull; that comes from the chip's line-info events.
    What the test itself does with `SimChip.pull` is not recorded.

    Args:
        chip: the line's chip; must outlive the recorder.
        line: offset of the line.
    """

    def __init__(self, chip: SimChip, line: int) -> None:
        self.chip = chip
        self.line = line
        self._trace = TRACING / "instances" / f"line{next(_serial)}-{os.getpid()}"
        self._trace.mkdir()
        (self._trace / "trace_clock").write_text("mono")
        (self._trace / "buffer_size_kb").write_text("256")
        event = self._trace / "events/gpio/gpio_value"
        (event / "filter").write_text(f"gpio == {chip.number_of(line)} && get == 0")
        (self._trace / "buffer_percent").write_text("0")  # tell `wait` of the first change, not of the 1000th
        self._pipe = os.open(self._trace / "trace_pipe", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._info = gpiod.Chip(chip.path)
        self._info.watch_line_info(line)
        self._levels: list[tuple[int, int]] = []
        self.initial = chip.value(line)
        (event / "enable").write_text("1")

    @property
    def changes(self) -> list[tuple[int, int]]:
        """All changes of level since the recorder was made: (CLOCK_MONOTONIC in ns, new level), oldest first.

        Raises:
            OverflowError: there were more at a time than the trace holds (some thousands).
        """
        self._collect()
        changes = []
        before = self.initial
        for stamp, level in sorted(self._levels):
            if level != before:
                changes.append((stamp, level))
                before = level
        return changes

    def wait(self, count: int, timeout_s: float = 30) -> list[tuple[int, int]]:
        """The changes, as soon as there are `count` of them. Raises TimeoutError if there never are."""
        deadline = time.monotonic() + timeout_s
        while len(changes := self.changes) < count:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"line {self.line} changed {len(changes)} times, not {count}: {changes}")
            select.select([self._pipe, self._info.fd], [], [], left)
        return changes

    def _collect(self) -> None:
        while self._info.wait_info_event(0):
            info = self._info.read_info_event()
            if info.event_type == gpiod.InfoEvent.Type.LINE_RELEASED:
                self._levels.append((info.timestamp_ns, self.chip.pulled(self.line)))
        text = b""
        with suppress(BlockingIOError):
            while True:
                text += os.read(self._pipe, 65536)
        # "  python3-57   [000] .....     1.234567: gpio_value: 480 set 1"
        for row in text.decode().splitlines():
            if "LOST" in row:
                raise OverflowError(f"line {self.line} of {self.chip.name}: {row}")
            head, _, tail = row.partition(": gpio_value: ")
            seconds, _, microseconds = head.rsplit(None, 1)[1].partition(".")
            stamp = int(seconds) * 1_000_000_000 + int(microseconds) * 1000
            self._levels.append((stamp, int(tail.rsplit(None, 1)[1])))

    def close(self) -> None:
        self._info.close()
        os.close(self._pipe)
        self._trace.rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class I2cStub:
    """The chips of a simulated I2C bus: 256 registers of 16 bits each, all zero at first, plain memory.

    Any program may open the bus meanwhile, so a test moves a measured value while the firmware reads it.
    """

    def __init__(self, bus: int, addresses: Sequence[int]) -> None:
        self.bus = bus
        self.path = f"/dev/i2c-{bus}"
        self._addresses = tuple(addresses)
        self._unplugged: set[int] = set()

    def unplug(self, address: int) -> None:
        """Take a chip off the bus, whoever uses it; its registers keep what is in them."""
        self._unplugged.add(address)
        self._wire()

    def plug(self, address: int) -> None:
        """Put an unplugged chip back."""
        self._unplugged.remove(address)
        self._wire()

    def _wire(self) -> None:
        present = (0 if address in self._unplugged else address for address in self._addresses)
        I2C_STUB_ADDRESSES.write_text(",".join(map(str, present)))

    def set_register16(self, address: int, register: int, value: int, big_endian: bool = True) -> None:
        """Put `value` (0 to 65535) into a register; SMBus words go low byte first, most converters high byte first."""
        with SMBus(self.bus) as bus:
            bus.write_word_data(address, register, _swapped(value) if big_endian else value)

    def register16(self, address: int, register: int, big_endian: bool = True) -> int:
        """The value of a register, for instance what the firmware wrote there."""
        with SMBus(self.bus) as bus:
            value = bus.read_word_data(address, register)
        return _swapped(value) if big_endian else value


def _swapped(word: int) -> int:
    return (word & 0xFF) << 8 | word >> 8


@contextmanager
def i2c_stub(*addresses: int) -> Iterator[I2cStub]:
    """A simulated I2C bus with chips at `addresses` (at most 10). It vanishes at the end of the block.

    Raises:
        BlockingIOError: at the end, when a program still has the bus open.
    """
    before = set(Path("/dev").glob("i2c-*"))
    load_module("i2c-stub", "chip_addr=" + ",".join(map(hex, addresses)))
    try:
        (node,) = set(Path("/dev").glob("i2c-*")) - before
        yield I2cStub(int(node.name.removeprefix("i2c-")), addresses)
    finally:
        unload_module("i2c-stub")


def load_module(name: str, parameters: str = "") -> None:
    """Load a module of the test kernel: `i2c-stub`, `softdog` or `rtc-test`. Raises OSError when it refuses."""
    module = os.open(Path(os.environ["TESTBED_MODULES"], f"{name}.ko"), os.O_RDONLY | os.O_CLOEXEC)
    try:
        _system_call(_SYSTEM_CALLS[platform.machine()][0], name, module, parameters.encode(), 0)
    finally:
        os.close(module)


def unload_module(name: str) -> None:
    """Unload a module. Raises BlockingIOError while it is in use."""
    number = _SYSTEM_CALLS[platform.machine()][1]
    _system_call(number, name, name.replace("-", "_").encode(), os.O_NONBLOCK)


def _system_call(number: int, subject: str, *arguments: int | bytes) -> None:
    if _libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), subject)


class _Timex(ctypes.Structure):
    """`struct timex` up to what is used here, and room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("maximum_error", ctypes.c_long),
        ("estimated_error", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


_MAXIMUM_ERROR, _ESTIMATED_ERROR, _STATUS = 0x4, 0x8, 0x10  # ADJ_...
_UNSYNCHRONISED = 0x40  # STA_UNSYNC
_WORST_ERROR_US = 16_000_000  # NTP_PHASE_LIMIT


def set_clock_synchronised(maximum_error_us: int = 1000) -> None:
    """Make the guest's kernel say that its clock is synchronised, as a time daemon would.

    The kernel adds 500 us a second to the error and gives up at 16 s. A guest boots unsynchronised.
    """
    _adjust(_Timex(_MAXIMUM_ERROR | _ESTIMATED_ERROR | _STATUS, 0, 0, maximum_error_us, maximum_error_us, 0))


def set_clock_unsynchronised() -> None:
    """Make the guest's kernel say that nobody keeps its clock, and that its error is anybody's guess: as booted."""
    error_us = _WORST_ERROR_US
    _adjust(_Timex(_MAXIMUM_ERROR | _ESTIMATED_ERROR | _STATUS, 0, 0, error_us, error_us, _UNSYNCHRONISED))


def clock_state() -> tuple[bool, int]:
    """(synchronised, maximum error in us), as the guest's kernel says."""
    state = _Timex()
    _adjust(state)
    return not state.status & _UNSYNCHRONISED, state.maximum_error


def _adjust(change: _Timex) -> None:
    if os.environ.get("TESTBED") != "1":
        raise RuntimeError("this would set the clock of a real machine")
    if _libc.adjtimex(ctypes.byref(change)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "adjtimex")
