"""The request "unlock": somebody on site takes the lock of a lock group away, and is on record with it."""

from __future__ import annotations

import asyncio

from rtu.outputs.outputs import Outputs

from .socket import Asked, Refused


async def unlock(outputs: Outputs, asked: Asked) -> None:
    """Its argument `lock_group` is the name. Raises Refused, also when a line is not at rest: the lock stays then."""
    name = asked.arguments.get("lock_group")
    if not isinstance(name, str):
        raise Refused("name a lock group")
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def done(objection: str) -> None:
        if not answer.done():  # the station stops, and does not wait for a line that is still read back
            answer.set_result(objection)

    try:
        outputs.unlock(name, asked.by, done)
    except KeyError:
        known = ", ".join(each.name for each in outputs.status()) or "none"
        raise Refused(f'there is no lock group "{name}", but {known}') from None
    if objection := await answer:
        raise Refused(objection)
