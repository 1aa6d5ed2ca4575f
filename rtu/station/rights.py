"""What a master may ask for, whatever it is about: by its role, by its list of commands, and how often.

Asked once for every request of every type, before anybody looks for the object: who may not command an object gets the
same answer whether there is one or not.
"""

from __future__ import annotations

from typing import NamedTuple

from rtu.config.command_list import means
from rtu.security.roles import COMMANDS, permits

from .counters import freezes
from .request import Request

NOT_ALLOWED = "outstation:10.1"
TOO_MANY = "outstation:10.2"


class Objection(NamedTuple):
    """Why a request is refused, for the audit trail, and the id of the security event it is."""

    reason: str
    id: str


def objection(request: Request) -> Objection | None:
    """None when its master may ask for this, and may do so now."""
    peer, type_id = request.session.peer, request.asdu.type_id
    if not permits(peer.role, type_id, freeze=freezes(request.asdu)):
        return Objection(f"the role of {peer.role} does not allow it", NOT_ALLOWED)
    if type_id in COMMANDS and peer.commands is not None:
        command = request.station.outputs.find(request.ca, request.ioa)
        if command is None:
            return Objection("there is no such command, and its master may give only some", NOT_ALLOWED)
        if not means(peer.commands, command.name):
            return Objection(f'"{command.name}" is none of the commands its master may give', NOT_ALLOWED)
    if type_id in COMMANDS and not request.session.group.commands.take(request.station.clock.now_ns()):
        return Objection("too many commands", TOO_MANY)
    return None
