"""Reset process C_RP_NA_1: this station does not let a master restart it, and says so."""

from __future__ import annotations

from .request import Request


def handle(request: Request) -> None:
    request.confirm(positive=False)
