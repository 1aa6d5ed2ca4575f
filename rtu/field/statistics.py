"""What the field side counts, for metrics and for whoever looks for a loose wire."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Statistics:
    """Plain counts since the start."""

    edges: int = 0  # edges of contacts read
    lost: int = 0  # edges the kernel says it dropped
    resyncs: int = 0  # changes of contacts found by the poll, without an edge
    scans: int = 0  # readings of devices
    scan_errors: int = 0  # readings in which something could not be read
    silences: int = 0  # times a device did not answer in time
    chain_errors: int = 0  # values that something above the field failed on
