"""Ports for servers that a test starts: below those the kernel gives to connections, so that none is taken meanwhile."""

from __future__ import annotations

import os
import socket
from itertools import chain

_LOW, _HIGH = 20_000, 30_000
_begin = _LOW + os.getpid() * 97 % (_HIGH - _LOW)
_ports = chain(range(_begin, _HIGH), range(_LOW, _begin))


def free_port() -> int:
    """One that nobody listens on, another one each time."""
    for port in _ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("every port has been given out")
