"""Signals, addresses and values: the plain data every layer above the protocol speaks.

A *signal* is one fact about the plant (a breaker's position, a current). It has one or more
*addresses*, the information objects it is reported as. Inside, signals and addresses are integer
indexes into the table and the image; names live at the edges (configuration, log, command line).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from rtu.iec104.catalogue import TYPES

Kind = Literal["single", "double", "step", "bitstring", "measured", "counter", "packed", "protection"]

# Quality bits, IEC 60870-5-101, 7.2.6.3 (the same positions in SIQ, DIQ and QDS).
GOOD = 0
OV = 0x01  # overflow: beyond the predefined range
EI = 0x08  # elapsed time invalid (protection events only)
BL = 0x10  # blocked: kept as it was before blocking
SB = 0x20  # substituted by an operator
NT = 0x40  # not topical: the last update failed or is late
IV = 0x80  # invalid: do not use

# Double-point states, IEC 60870-5-101, 7.2.6.2.
INTERMEDIATE, OFF, ON, FAULTY = 0, 1, 2, 3


class Value(NamedTuple):
    """What is known of a signal at `mono_ns` (CLOCK_MONOTONIC).

    `value`: 0/1 for single, 0..3 for double points, -64..63 for step positions, a 32-bit word for
    bitstrings, engineering units for measured values, the running total for counters; what packed points and
    protection events make of it is said in `packed` and `protection`.
    """

    value: float
    quality: int
    mono_ns: int


NEVER_READ = Value(0, IV | NT, 0)


@dataclass(frozen=True, slots=True)
class Address:
    """One information object a signal is reported as (IEC 60870-5-101, 7.2.5)."""

    index: int  # its place in the image
    signal: int  # its signal's place in the table
    ca: int  # common address, 1..65534
    ioa: int  # information object address, 1..16777215
    type_id: int  # in interrogation, read, cyclic and background (untagged)
    event_type: int  # when spontaneous (tagged unless configured otherwise)
    groups: tuple[int, ...]  # interrogation groups 1..16; for counters, counter groups 1..4
    encode: Callable[[float, int], bytes]  # (value, quality) -> element octets without address and time
    step: float = 1.0  # measured: engineering units of one raw step; 1 of a float

    @property
    def time_tagged(self) -> bool:
        return TYPES[self.event_type].time_tagged


@dataclass(frozen=True, slots=True)
class Reporting:
    """When a change of a signal is worth telling (engineering units, seconds)."""

    deadband: float = 0.0
    at_least_s: float = 0.0  # 0 = never only because of time
    keep: Literal["latest", "every"] = "latest"  # measured values only
    cyclic_s: float = 0.0  # COT 1, measured values only; 0 = off
    background_s: float = 0.0  # COT 2; 0 = off


@dataclass(frozen=True, slots=True)
class Signal:
    """One fact about the plant.

    `reports` are its addresses as a change is told, in order: some are told in another form than they are
    interrogated, and with double transmission each is told twice. Without them they are the addresses themselves.
    """

    index: int  # its place in the table
    name: str
    kind: Kind
    addresses: tuple[Address, ...]
    reporting: Reporting = Reporting()
    unit: str = ""
    system: str = ""  # which value of the station itself; "" for the plant's
    reports: tuple[Address, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "reports", self.reports or self.addresses)

    @property
    def is_state(self) -> bool:
        """States are events that must not be lost; measured values may be superseded."""
        return self.kind != "measured"


class Cause(NamedTuple):
    """Why a change is reported: cause of transmission, and whose command it was (COT 11)."""

    cot: int
    originator: int = 0
    group: str = ""  # the redundancy group the originator belongs to


SPONTANEOUS = Cause(3)
