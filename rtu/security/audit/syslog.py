"""A record as a syslog message: RFC 5424, with the structured data of IEC 62351-14, and framed for TLS (RFC 5425, 4.3).

    <108>1 2026-01-31T10:20:30.123Z rtu-0007 outstation - IEC62351-14:1 [62351-14@41912 ID="IEC62351-3:2.6" ...] {"seq": ...}

The message itself is the line of the chain, octet by octet: what a server keeps can be checked as the files can.
"""

from __future__ import annotations

from collections.abc import Mapping

from .events import mnemonic

PRIVAL = {"notice": 109, "warning": 108, "alarm": 105}
"""Facility 13 (log audit); severities notice, warning, alert."""
MSGID = "IEC62351-14:1"
LAST_NUMBER = 4_294_967_295
"""SqNum counts from 1 to this and begins again."""

LONGEST_TEXT = 1000
"""Characters; servers need not take messages of more than 2048 octets (RFC 5424, 6.1), most take 8192."""

_ROLES = {"viewer": 0, "operator": 1, "engineer": 2}
"""IEC 62351-8."""
_OWN = frozenset({"seq", "prev", "time", "time_valid", "event", "id", "severity", "peer", "role"})
_USER = ("by", "who", "master")


def message(record: Mapping[str, object], line: bytes, host: str) -> bytes:
    """The message about a record, whose `line` it is; `host` names this station's machine."""
    event, identifier = str(record.get("event", "")), str(record.get("id", ""))
    user = next((name for name in _USER if record.get(name)), "")
    fields = {
        "ID": identifier,
        "MNEMONIC": mnemonic(event, identifier),
        "SqNum": _number(record.get("seq")),
        "PeerInfo": record.get("peer"),
        "UsrID": record.get(user),
        "Role": _role(record.get("role")),
        "Text": _text(record, user),
    }
    data = "".join(f' {name}="{_escaped(str(value))}"' for name, value in fields.items() if value)
    quality = "" if record.get("time_valid") else '[timeQuality tzKnown="1" isSynced="0"]'
    header = f"<{PRIVAL.get(str(record.get('severity')), 109)}>1 {_word(record.get('time'))} {_word(host)} outstation - {MSGID}"
    return f"{header} {quality}[62351-14@41912{data}] ".encode() + line


def framed(octets: bytes) -> bytes:
    """With its length before it."""
    return b"%d %s" % (len(octets), octets)


def _number(seq: object) -> str:
    return str((seq - 1) % LAST_NUMBER + 1) if isinstance(seq, int) and seq > 0 else ""


def _role(role: object) -> str:
    """Its number, revision and the document that defines it."""
    return f"{_ROLES[role]}:0:IEC62351-8" if isinstance(role, str) and role in _ROLES else ""


def _text(record: Mapping[str, object], user: str) -> str:
    more = {name: value for name, value in record.items() if name not in _OWN and name != user}
    return " ".join([str(record.get("event", "")), *(f"{name}={value}" for name, value in more.items())])[
        :LONGEST_TEXT
    ]


def _escaped(value: str) -> str:
    """A PARAM-VALUE (RFC 5424, 6.3.3); beyond that, nothing that would end a line somewhere."""
    value = value.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")
    return "".join(c if c.isprintable() else ascii(c)[1:-1].replace("\\", "\\\\") for c in value)


def _word(value: object) -> str:
    """Printable ASCII without spaces, as header fields are; "-" for nothing."""
    return "".join(c for c in str(value or "") if "!" <= c <= "~")[:255] or "-"
