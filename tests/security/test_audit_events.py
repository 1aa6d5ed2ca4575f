"""The catalogue of events is complete, its identifiers are unique, and all of it is documented."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtu.security.audit.events import EVENTS, STANDARD, Severity, kind_of, mnemonic

ROOT = Path(__file__).parents[2]
_EVENT = re.compile(r"[a-z]+\.[a-z_]+|start|stop|suppressed")
_RECORDS = re.compile(r"_?(record|report|write|refused?|note|tell|notes)", re.IGNORECASE)


def recorded() -> Iterator[tuple[str, str]]:
    """Events that calls of something like `record` name, and where."""
    for path in (ROOT / "rtu").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if not re.fullmatch(r"_?record", called):
                continue
            for argument in node.args:
                for part in ast.walk(argument):
                    value = part.value if isinstance(part, ast.Constant) else None
                    if isinstance(value, str) and _EVENT.fullmatch(value):
                        yield value, f"{path.relative_to(ROOT)}:{node.lineno}"


def test_every_event_that_is_recorded_is_in_the_catalogue():
    assert {event: where for event, where in recorded() if event not in EVENTS} == {}
    assert len({event for event, _ in recorded()}) > 15


def test_no_identifier_stands_for_two_events():
    counts = Counter(kind.id for kind in EVENTS.values())
    assert [id for id, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_is_explained_to_operators(event):
    assert f"`{event}`" in (ROOT / "docs" / "operate.md").read_text()


@pytest.mark.parametrize("event", [event for event in EVENTS if event.endswith("refuse")])
def test_what_is_refused_is_at_least_a_warning(event):
    assert EVENTS[event].severity is not Severity.NOTICE


def test_identifiers_of_the_standard_that_the_program_gives_are_known():
    text = "".join(
        path.read_text() for path in (ROOT / "rtu").rglob("*.py") if path.name != "audit_events.py"
    )
    assert set(re.findall(r"IEC62351-3:\d+\.\d+", text)) <= set(STANDARD)


def test_the_mnemonic_is_the_standards_or_the_events_own_name():
    assert mnemonic("tls.refuse", "IEC62351-3:2.4") == "TLS_CERT_REVOKED"
    assert mnemonic("tls.refuse", "IEC62351-3:1.4") == "TLS_REFUSE"
    assert mnemonic("command.execute", kind_of("command.execute").id) == "COMMAND_EXECUTE"
