"""What the audit trail knows: each event's identifier, how grave it is, and how often one source may cause it.

An identifier never changes its meaning. "IEC62351-3:..." are the events of IEC 62351-3, Annex A; those of this program are
"outstation:GROUP.NUMBER". A new event gets the next free number of its group, and a row in docs/operate.md.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Severity(Enum):
    """As IEC 62351-14 grades events."""

    NOTICE = "notice"
    WARNING = "warning"
    ALARM = "alarm"


NOTICE, WARNING, ALARM = Severity.NOTICE, Severity.WARNING, Severity.ALARM


class Kind(NamedTuple):
    """`per_minute`: records of one source in a minute, all others are counted; None: every one is written."""

    id: str
    severity: Severity = NOTICE
    per_minute: int | None = 600


STRANGER = 5
"""Records a minute that somebody who is not admitted can cause."""
COMING = 60
"""Records a minute of one master that comes and goes."""

EVENTS = {
    # The station.
    "start": Kind("outstation:1.1"),
    "stop": Kind("outstation:1.2"),
    # The trail itself.
    "suppressed": Kind("outstation:2.1", WARNING, None),
    "audit.repaired": Kind("outstation:2.2", WARNING),
    "audit.broken": Kind("outstation:2.3", ALARM),
    "audit.fault": Kind("outstation:2.4", ALARM),
    "audit.gap": Kind("outstation:2.5", WARNING, None),
    "audit.prune": Kind("outstation:2.6", NOTICE, None),
    "audit.unsent": Kind("outstation:2.7", WARNING, None),
    # Who comes.
    "tls.accept": Kind("IEC62351-3:1.1", NOTICE, COMING),
    "tls.refuse": Kind("outstation:3.1", ALARM, STRANGER),
    "plain.accept": Kind("outstation:3.2", NOTICE, COMING),
    "plain.refuse": Kind("outstation:3.3", ALARM, STRANGER),
    "session.close": Kind("outstation:3.4", NOTICE, COMING),
    "request.refuse": Kind("outstation:3.5", WARNING),
    # 3.6 to 3.9: refusals with a reason of their own, named by `id` (rtu.security.identity, rtu.security.tls.trust).
    # What TLS rests on.
    "tls.fault": Kind("outstation:3.10", ALARM),
    "tls.recovered": Kind("outstation:3.11"),
    "certificate.change": Kind("outstation:3.12"),
    "certificate.expiring": Kind("outstation:3.13", WARNING),
    "revocation.change": Kind("outstation:3.14"),
    "revocation.stale": Kind("outstation:3.15", WARNING),
    # Outputs. Each is on record: what is not recorded does not move.
    "command.select": Kind("outstation:4.1", NOTICE, None),
    "command.execute": Kind("outstation:4.2", NOTICE, None),
    "command.result": Kind("outstation:4.3", NOTICE, None),
    "command.refuse": Kind("outstation:4.4", WARNING, None),
    "command.cancel": Kind("outstation:4.5", NOTICE, None),
    "command.test": Kind("outstation:4.6", NOTICE, None),
    "command.unlock": Kind("outstation:4.7", WARNING, None),
    "command.unlock_refuse": Kind("outstation:4.8", WARNING),
    "command.lock_removed": Kind("outstation:4.9", WARNING, None),
    # The clock.
    "clock.set": Kind("outstation:5.1"),
    "clock.refuse": Kind("outstation:5.2", WARNING),
    "clock.test": Kind("outstation:5.3"),
    "clock.synchronise": Kind("outstation:5.4"),
    # Resets.
    "reset.process": Kind("outstation:6.1", WARNING),
    "reset.events": Kind("outstation:6.2", WARNING),
    "reset.refuse": Kind("outstation:6.3", WARNING),
    "reset.test": Kind("outstation:6.4"),
    # Parameters.
    "parameter.load": Kind("outstation:7.1"),
    "parameter.refuse": Kind("outstation:7.2", WARNING),
    "parameter.test": Kind("outstation:7.3"),
    "cyclic.start": Kind("outstation:7.4"),
    "cyclic.stop": Kind("outstation:7.5"),
    "cyclic.refuse": Kind("outstation:7.6", WARNING),
    # Files.
    "file.read": Kind("outstation:8.1"),
    "file.store": Kind("outstation:8.2"),
    "file.delete": Kind("outstation:8.3"),
    "file.refuse": Kind("outstation:8.4", WARNING),
    # The event log.
    "events.group_removed": Kind("outstation:9.1", WARNING),
    "events.addresses_removed": Kind("outstation:9.2", WARNING),
    "events.lost_untold": Kind("outstation:9.3", WARNING),
    "events.subscriber_failed": Kind("outstation:9.4", ALARM),
    "store.fault": Kind("outstation:9.5", ALARM),
    "store.recovered": Kind("outstation:9.6"),
    "store.set_aside": Kind("outstation:9.7", ALARM),
    # More than one may. request.refuse names 10.1 for what role or list of commands forbid, 10.2 for too many commands.
    "security.sweep": Kind("outstation:10.3", ALARM, None),
    # Who looked at the traffic.
    "trace.on": Kind("outstation:12.1"),
    "trace.off": Kind("outstation:12.2"),
    "trace.save": Kind("outstation:12.3"),
    "trace.follow": Kind("outstation:12.4"),
    # The operator on site.
    "local.refuse": Kind("outstation:13.1", WARNING, COMING),
}

UNKNOWN = Kind("outstation:0.0")

STANDARD = {
    "IEC62351-3:1.1": ("TLS_HS_SUCCESS", NOTICE),
    "IEC62351-3:1.2": ("", ALARM),
    "IEC62351-3:1.4": ("", ALARM),
    "IEC62351-3:1.6": ("TLS_NO_PEER_CERT", ALARM),
    "IEC62351-3:1.7": ("TLS_NO_LOCAL_CERT", ALARM),
    "IEC62351-3:1.8": ("TLS_SESSION_CLOSED_REV", ALARM),
    "IEC62351-3:1.9": ("TLS_DISALLOWED_CIPHER", WARNING),
    "IEC62351-3:1.11": ("", ALARM),
    "IEC62351-3:1.19": ("", ALARM),
    "IEC62351-3:2.1": ("TLS_CERT_SIZE_MISMATCH", ALARM),
    "IEC62351-3:2.2": ("TLS_NO_CA_MATCH", ALARM),
    "IEC62351-3:2.3": ("TLS_NO_TRUSTED_CERT_MATCH", ALARM),
    "IEC62351-3:2.4": ("TLS_CERT_REVOKED", ALARM),
    "IEC62351-3:2.5": ("TLS_NO_CRL", WARNING),
    "IEC62351-3:2.6": ("TLS_CRL_EXP", WARNING),
    "IEC62351-3:2.8": ("TLS_CERT_EXP", ALARM),
    "IEC62351-3:2.10": ("TLS_SIG_V_FAILED", ALARM),
    "IEC62351-3:2.11": ("TLS_SHORT_RSA_KEY", ALARM),
}
"""Mnemonic and severity of the events of IEC 62351-3 that records may name with `id`."""


def kind_of(event: str, id: object = None) -> Kind:
    """The row of an event; with the identifier and severity of `id`, if the record names one."""
    kind = EVENTS.get(event, UNKNOWN)
    if not isinstance(id, str) or not id:
        return kind
    _, severity = STANDARD.get(id, ("", kind.severity))
    return kind._replace(id=id, severity=severity)


def mnemonic(event: str, id: str) -> str:
    """The standard's word for `id`, or the event's own name as one word."""
    word, _ = STANDARD.get(id, ("", NOTICE))
    return word or event.upper().replace(".", "_")
