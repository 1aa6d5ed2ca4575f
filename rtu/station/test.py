"""Test command C_TS_TA_1: the counter and time come back as they were (IEC 60870-5-104, 8.9)."""

from __future__ import annotations

from .request import Request


def handle(request: Request) -> None:
    request.confirm(positive=True)
