"""The status as OpenMetrics text, for whatever collects figures: made from what `rtu status --json` prints.

Labels have their values from the station file and from this program, never from a peer: nobody can make more of them.
Any reader of the older Prometheus text format takes it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

Status = Mapping[str, Any]
Labels = Mapping[str, str]
Sample = tuple[Labels, float]

NOTHING: Labels = {}

_COMMANDS = {
    "command.select": "selected",
    "command.execute": "executed",
    "command.refuse": "refused",
    "command.cancel": "cancelled",
    "command.test": "tested",
}
_CONNECTIONS = {
    f"{listener}.{event}": (listener, result)
    for listener in ("tls", "plain")
    for event, result in (("accept", "accepted"), ("refuse", "refused"))
}


class Family(NamedTuple):
    """One metric: its name without "rtu_", what it means, and its samples."""

    name: str
    kind: Literal["gauge", "counter"]
    help: str
    samples: Iterable[Sample]


def render(status: Status) -> str:
    """Every metric, ending with "# EOF"."""
    lines: list[str] = []
    for family in _families(status):
        name = f"rtu_{family.name}"
        lines += [f"# TYPE {name} {family.kind}", f"# HELP {name} {family.help}"]
        total = "_total" if family.kind == "counter" else ""
        lines += [f"{name}{total}{_labels(labels)} {_number(value)}" for labels, value in family.samples]
    return "\n".join([*lines, "# EOF\n"])


def _families(s: Status) -> Iterator[Family]:
    yield Family("build_info", "gauge", "The version that runs.", [({"version": s["version"]}, 1)])
    yield Family("config_hash_info", "gauge", "The station file.", [({"hash": s["configuration"]}, 1)])
    yield _gauge("up_seconds", "Since the start.", s["up_s"])
    yield _gauge("warnings", "What somebody should look after, as `rtu status` tells.", len(s["warnings"]))
    yield _gauge("clock_synchronised", "1 while time tags are valid.", s["clock"]["synchronised"])
    yield _gauge("loop_stall_seconds", "How long the program stood still at most.", s["longest_stall_s"])
    plain = any(each["name"] == "plain" for each in s["listeners"])
    yield _gauge("plain_enabled", "1 while a port without protection is open.", plain)
    yield from _tls(s["tls"])
    yield from _traffic(s["masters"])
    yield from _records(s["records"])
    yield _counter("late_commands", "Not carried out because of their time tag.", s["late_commands"])
    yield Family(
        "lock_group_locked",
        "gauge",
        "1 while nothing of it operates.",
        [({"lock_group": each["name"]}, each["state"] == "locked") for each in s["lock_groups"]],
    )
    yield Family(
        "event_queue_length",
        "gauge",
        "Rows that wait for a redundancy group.",
        [({"group": each["name"]}, each["waiting"]) for each in s["groups"]],
    )
    yield Family(
        "events_dropped",
        "counter",
        "Rows a redundancy group will never get, since it exists.",
        [({"group": each["name"]}, each["lost"]) for each in s["groups"]],
    )
    events = s["events"]
    yield _gauge("storage_failed", "1 while events are in memory only.", events["fault"] is not None)
    yield _counter("storage_commits", "Transactions of the event log.", events["commits"])
    yield _gauge("storage_commit_seconds", "The last one, from its event on.", events["last_commit_ms"] / 1e3)
    yield _gauge("audit_failed", "1 while the audit files take no records.", s["audit"]["failed"])
    yield Family(
        "device_up",
        "gauge",
        "1 while a device is open and answers.",
        [({"device": each["name"]}, not each["error"]) for each in s["devices"]],
    )
    inputs = s["inputs"]
    yield _counter("io_scans", "Readings of devices.", inputs["scans"])
    yield _counter("io_errors", "Readings in which something could not be read.", inputs["scan_errors"])
    yield _counter("io_silences", "Times a device did not answer in time.", inputs["silences"])
    yield _counter("io_lost_edges", "Edges of contacts the kernel dropped.", inputs["lost_edges"])


def _tls(tls: Mapping[str, Any] | None) -> Iterator[Family]:
    if tls is None:
        return
    yield _gauge("tls_usable", "1 while masters can connect over TLS.", tls["usable"])
    own = [] if tls["not_after"] is None else [({"which": "station"}, _unix(tls["not_after"]))]
    yield Family("tls_cert_not_after_seconds", "gauge", "When the certificate runs out, Unix time.", own)
    lists = [({"issuer": each["issuer"]}, each) for each in tls["lists"]]
    yield Family(
        "tls_crl_next_update_seconds",
        "gauge",
        "Until when a revocation list is valid, Unix time.",
        [(labels, _unix(each["next_update"])) for labels, each in lists if each["next_update"] is not None],
    )
    yield Family(
        "tls_crl_valid",
        "gauge",
        "1 while certificates can be judged by it.",
        [(labels, each["state"] == "valid") for labels, each in lists],
    )


def _traffic(masters: Iterable[Mapping[str, Any]]) -> Iterator[Family]:
    states = ("started", "standby", "stopped")
    yield Family(
        "sessions",
        "gauge",
        "Connections of a master.",
        [
            (
                {"master": each["name"], "transport": each["over"], "state": state},
                sum(one["state"] == state for one in each["connections"]),
            )
            for each in masters
            for state in states
        ],
    )
    yield Family(
        "apdu",
        "counter",
        "APDUs of a master.",
        [
            ({"master": each["name"], "direction": direction, "format": format_}, count)
            for each in masters
            for direction in ("received", "sent")
            for format_, count in each["traffic"][direction].items()
        ],
    )
    for name, key, help_ in (
        ("protocol_errors", "faults", "Violations of the protocol and time-outs."),
        ("requests_refused", "refused", "Requests answered negatively."),
    ):
        samples = [({"master": each["name"]}, each["traffic"][key]) for each in masters]
        yield Family(name, "counter", help_, samples)


def _records(records: Mapping[str, int]) -> Iterator[Family]:
    yield Family(
        "connections",
        "counter",
        "Connections that were admitted or not.",
        [
            ({"transport": transport, "result": result}, records.get(event, 0))
            for event, (transport, result) in _CONNECTIONS.items()
        ],
    )
    yield Family(
        "commands",
        "counter",
        "What became of commands.",
        [({"result": result}, records.get(event, 0)) for event, result in _COMMANDS.items()],
    )
    yield Family(
        "audit_records",
        "counter",
        "Records of the audit trail, suppressed ones included.",
        [({"event": event}, count) for event, count in sorted(records.items())],
    )


def _gauge(name: str, help_: str, value: float) -> Family:
    return Family(name, "gauge", help_, [(NOTHING, value)])


def _counter(name: str, help_: str, value: float) -> Family:
    return Family(name, "counter", help_, [(NOTHING, value)])


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return f"{float(value):.12g}"


def _unix(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
