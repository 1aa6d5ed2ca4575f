"""A port that the machine does not let the station open: one line that says who forbids it and what to do."""

from __future__ import annotations

import asyncio
import errno
import os

import pytest

from rtu.server.listener import Door, Listener, ListenError


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.EPERM, "the unit has no SocketBindAllow= for it: rtu firewall apply"),
        (errno.EACCES, "ports below 1024 need a capability that the unit does not give"),
    ],
)
def test_a_port_that_is_forbidden_says_what_to_do(monkeypatch, number, hint):
    def forbidden(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Listener, "_bind", forbidden)
    listener = Listener(None, None, Door("plain", "127.0.0.1", 2404, "viewer", 16))  # type: ignore[arg-type]

    async def opened() -> None:
        listener.open()

    with pytest.raises(ListenError) as told:
        asyncio.run(opened())
    expected = f"cannot listen on 127.0.0.1:2404 (plain): [Errno {number}] {os.strerror(number)}; {hint}"
    assert str(told.value) == expected
