"""Capture files as one: a single header, and of each file all packets that are whole.

A file may be cut off anywhere, or end in whatever the disk held when the power failed.
"""

from __future__ import annotations

from typing import BinaryIO

from rtu.server.packets import FILE_HEADER, MAX_PACKET, MIN_PACKET, RECORD


class Joined:
    """One capture file, written to `out`."""

    def __init__(self, out: BinaryIO) -> None:
        self.packets = 0
        """Written so far."""
        self._out = out
        self._name = ""
        self._rest = b""
        self._headed = False
        self._spoilt = False
        out.write(FILE_HEADER)

    def take(self, name: str, octets: bytes) -> None:
        """The next octets of the file of that name; what was left of the file before is no packet."""
        if name != self._name:
            self._name, self._rest, self._headed, self._spoilt = name, b"", False, False
        self._rest += octets
        if not self._headed and len(self._rest) >= len(FILE_HEADER):
            self._spoilt = not self._rest.startswith(FILE_HEADER)
            self._rest = self._rest[len(FILE_HEADER) :]
            self._headed = True
        if self._headed and not self._spoilt:
            self._rest = self._rest[self._write_whole() :]

    def _write_whole(self) -> int:
        """Write the packets that are complete; returns their octets."""
        rest, at = self._rest, 0
        while at + RECORD.size <= len(rest):
            length = RECORD.unpack_from(rest, at)[2]
            self._spoilt = not MIN_PACKET <= length <= MAX_PACKET
            end = at + RECORD.size + length
            if self._spoilt or end > len(rest):
                break
            self._out.write(rest[at:end])
            self.packets += 1
            at = end
        return at
