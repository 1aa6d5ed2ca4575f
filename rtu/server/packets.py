"""Telegrams as packets of a capture file: IP and TCP headers as they could have been, always on port 2404.

What a capture holds was never on the wire like this: it was sent over TLS, in other segments. But the addresses, the
times, the order and every octet of the APDUs are the real ones, and programs that read captures know what to do.

The file is that of libpcap, link type 101: each packet begins with its IP header.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

from rtu.station.traffic import End, Telegram, Way

PORT = 2404
"""The registered port of the standard, by which readers know the protocol (IEC 60870-5-104, 7.1)."""
MIN_PACKET, MAX_PACKET = 40, 65_535
"""Octets of a packet: its two headers, and what a reader makes room for."""
FILE_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, MAX_PACKET, 101)
RECORD = struct.Struct("<IIII")
"""Before each packet: seconds, microseconds, octets that follow, octets there were."""
MAX_FLOWS = 1024

_SYN, _ACK, _PUSH, _FIN = 0x02, 0x10, 0x08, 0x01
_TCP, _TTL, _WINDOW = 6, 64, 0xFFFF
_SEQUENCE = 1 << 32
_APART = 1 << 20
"""Between the first sequence numbers of two connections, so that one that has the ports of another is not taken for it."""

_Address = IPv4Address | IPv6Address


class _Side:
    """One end of a connection, and the number of the next octet it sends."""

    def __init__(self, end: End, port: int, first: int) -> None:
        self.address = ip_address(end.address.partition("%")[0])
        self.port = port
        self.next = first


class Flows:
    """Numbers the octets of every connection, as TCP does."""

    def __init__(self) -> None:
        self._sides: dict[int, tuple[_Side, _Side]] = {}

    def records(self, telegram: Telegram) -> bytes:
        """The packets of a telegram, each after its record header."""
        when = divmod(telegram.unix_ns // 1000, 1_000_000)
        return b"".join(
            RECORD.pack(*when, len(packet), len(packet)) + packet for packet in self._packets(telegram)
        )

    def _packets(self, telegram: Telegram) -> Iterator[bytes]:
        peer, station = self._of(telegram.way)
        match telegram.kind:
            case "opened":
                yield _packet(peer, station, _SYN)
                yield _packet(station, peer, _SYN | _ACK)
                yield _packet(peer, station, _ACK)
            case "received":
                yield _packet(peer, station, _PUSH | _ACK, telegram.octets)
            case "sent":
                yield _packet(station, peer, _PUSH | _ACK, telegram.octets)
            case "closed":
                yield _packet(station, peer, _FIN | _ACK)
                yield _packet(peer, station, _FIN | _ACK)
                yield _packet(station, peer, _ACK)
                del self._sides[telegram.way.number]

    def _of(self, way: Way) -> tuple[_Side, _Side]:
        sides = self._sides.get(way.number)
        if sides is None:
            if len(self._sides) >= MAX_FLOWS:  # of connections whose end was not recorded
                del self._sides[next(iter(self._sides))]
            first = way.number * _APART % _SEQUENCE
            sides = self._sides[way.number] = (
                _Side(way.peer, way.peer.port, first),
                _Side(way.station, PORT, first),
            )
        return sides


def _packet(source: _Side, target: _Side, flags: int, octets: bytes = b"") -> bytes:
    segment = struct.pack(
        ">HHIIBBHHH",
        source.port,
        target.port,
        source.next,
        target.next if flags & _ACK else 0,
        5 << 4,
        flags,
        _WINDOW,
        0,
        0,
    )
    # The flags that open and close count as an octet.
    source.next = (source.next + len(octets) + bool(flags & (_SYN | _FIN))) % _SEQUENCE
    segment += octets
    ends = source.address.packed + target.address.packed
    sum_tcp = _checksum(ends + struct.pack(">II", len(segment), _TCP) + segment)
    segment = segment[:16] + sum_tcp + segment[18:]
    if source.address.version == 4:
        header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, _TTL, _TCP, 0)
        header = header[:10] + _checksum(header + ends)
    else:
        header = struct.pack(">IHBB", 6 << 28, len(segment), _TCP, _TTL)
    return header + ends + segment


def _checksum(octets: bytes) -> bytes:
    """Of IP and TCP (RFC 1071): the complement of the sum of all 16-bit words, carries added."""
    padded = octets + b"\0" * (len(octets) % 2)
    # The whole as one number has the same remainder as the sum of its words, 65536 leaving 1.
    total = int.from_bytes(padded, "big") % 0xFFFF
    return (0xFFFF - total).to_bytes(2, "big")
