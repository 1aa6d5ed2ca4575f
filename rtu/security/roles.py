"""What a master may do: three roles, each with the rights of the one before and some more.

    viewer      interrogation, counter interrogation without freeze, read, test
    operator    and commands, set-points, freezing counters, clock synchronisation
    engineer    and reset process, parameters, files

They are VIEWER, OPERATOR and ENGINEER of IEC 62351-8. Roles only ever narrow each other: the least of listener, master
and certificate counts. A master's list of commands narrows its role further (`rtu.station.rights`). Whether a single
command, at this moment, is safe is not decided here.
"""

from collections.abc import Mapping
from types import MappingProxyType

from rtu.config.schema import Role

ROLES: tuple[Role, ...] = ("viewer", "operator", "engineer")
"""In rising order."""

_C_CI_NA_1 = 101

COMMANDS = frozenset((*range(45, 52), *range(58, 65)))
"""Type identifications of commands and set-points, without and with time tag."""

_VIEW = frozenset({100, _C_CI_NA_1, 102, 107})
_OPERATE = _VIEW | COMMANDS | {103}
_ENGINEER = _OPERATE | {105} | frozenset(range(110, 114)) | frozenset(range(120, 128))

PERMITTED: Mapping[Role, frozenset[int]] = MappingProxyType(
    {"viewer": _VIEW, "operator": _OPERATE, "engineer": _ENGINEER}
)
"""Type identifications each role may send in control direction."""


def least(*roles: Role) -> Role:
    """The role that remains when each of `roles` is a limit. Raises ValueError when none is given."""
    return min(roles, key=ROLES.index)


def greatest(*roles: Role) -> Role:
    """The role of someone who has each of `roles`. Raises ValueError when none is given."""
    return max(roles, key=ROLES.index)


def permits(role: Role, type_id: int, *, freeze: bool = False) -> bool:
    """Whether `role` may send this type; `freeze` is True for a counter interrogation with FRZ other than 0."""
    if freeze and type_id == _C_CI_NA_1 and role == "viewer":
        return False
    return type_id in PERMITTED[role]
