"""Why this station starts, as the end of initialisation tells it (COI: IEC 60870-5-101, 7.2.6.21).

    0  power on       this boot of the machine is not that of the last run
    1  local reset    it is: somebody, or an error, restarted the program
    2  remote reset   it is, and the last run ended with a reset process command

Bit 8 says that the station file is not what it was. A start counts from the moment masters are let in: one that
failed leaves everything to be told by the next.
"""

from __future__ import annotations

from collections.abc import Mapping

from rtu.events.log import EventLog
from rtu.events.rows import Scalar
from rtu.iec104.elements import COI

POWER_ON, LOCAL_RESET, REMOTE_RESET = range(3)

_BOOT = "start.boot"
_CONFIGURATION = "start.configuration"
_RESET = "start.reset"  # the boot in which a master asked for it


def cause(meta: Mapping[str, Scalar], boot: str, configuration: str) -> COI:
    """`boot` names this boot of the machine, `configuration` what the station file says; `meta` is the log's."""
    number = LOCAL_RESET
    if not boot or meta.get(_BOOT) != boot:
        number = POWER_ON
    elif meta.get(_RESET) == boot:
        number = REMOTE_RESET
    return COI(number, changed=meta.get(_CONFIGURATION, configuration) != configuration)


def started(log: EventLog, boot: str, configuration: str) -> None:
    """Masters are let in: remember what the next start is compared with."""
    log.remember(_BOOT, boot)
    log.remember(_CONFIGURATION, configuration)
    log.remember(_RESET, "")


def reset(log: EventLog, boot: str) -> None:
    """A master asked for the restart that follows."""
    log.remember(_RESET, boot)
