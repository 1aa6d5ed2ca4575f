"""The audit trail: complete, in order, and not to be forged or drowned by strangers."""

import contextlib
import io
import json
import logging
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtu.clock import VirtualClock
from rtu.security.audit.bounds import BURST, MAX_SOURCES, PERIOD_S
from rtu.security.audit.chain import ORIGIN, Head, digest
from rtu.security.audit.events import COMING
from rtu.security.audit.trail import Audit, TrailHandler


class Kept(logging.Handler):
    """Keeps every record, as the lines a handler would write."""

    def __init__(self):
        super().__init__()
        self.lines = []
        self.levels = []

    def emit(self, record):
        self.lines.append(self.format(record))
        self.levels.append(record.levelno)

    @property
    def records(self):
        return [json.loads(line) for line in self.lines]


def make():
    logger = logging.Logger("rtu.audit.test")
    kept = Kept()
    logger.addHandler(kept)
    clock = VirtualClock()
    return Audit(clock, logger=logger), kept, clock


@pytest.fixture
def trail():
    return make()


def test_a_record_is_one_line_of_json(trail):
    audit, kept, _ = trail
    audit.record("tls.accept", peer="10.1.0.7", master="a", port=1234)
    assert kept.records == [
        {
            "seq": 1,
            "prev": ORIGIN,
            "time": "2026-07-15T12:00:00.000Z",
            "time_valid": True,
            "event": "tls.accept",
            "id": "IEC62351-3:1.1",
            "severity": "notice",
            "peer": "10.1.0.7",
            "master": "a",
            "port": 1234,
        }
    ]


def test_numbers_rise_without_gaps(trail):
    audit, kept, _ = trail
    for _ in range(20):
        audit.record("command.execute", point="q0")
    assert [record["seq"] for record in kept.records] == list(range(1, 21))


def test_each_record_names_the_hash_of_the_line_before_it(trail):
    audit, kept, _ = trail
    for _ in range(3):
        audit.record("command.execute", point="q0")
    lines = [line.encode() for line in kept.lines]
    assert [record["prev"] for record in kept.records] == [ORIGIN, *map(digest, lines[:-1])]
    assert audit.status().head == Head(3, digest(lines[-1]))
    assert audit.status().records == 3


def test_a_record_can_name_the_event_of_the_standard_and_is_as_grave_as_that(trail):
    audit, kept, _ = trail
    audit.record("tls.refuse", peer="10.1.0.7", id="IEC62351-3:2.6")
    audit.record("tls.refuse", peer="10.1.0.7", id=None)
    assert [(r["id"], r["severity"]) for r in kept.records] == [
        ("IEC62351-3:2.6", "warning"),
        ("outstation:3.1", "alarm"),
    ]


def test_an_event_that_is_not_in_the_catalogue_is_recorded_all_the_same(trail):
    audit, kept, _ = trail
    assert audit.record("coffee.ready", cups=2)
    assert (kept.records[0]["id"], kept.records[0]["severity"]) == ("outstation:0.0", "notice")


def test_whoever_watches_sees_each_record_and_can_do_no_harm(trail):
    audit, kept, _ = trail
    seen = []

    def fails(event, fields):
        raise RuntimeError

    audit.watch(fails)
    audit.watch(lambda event, fields: seen.append((event, fields["peer"])))
    assert audit.record("tls.accept", peer="10.1.0.7")
    assert seen == [("tls.accept", "10.1.0.7")]
    assert len(kept.lines) == 1


def test_a_record_tells_when_its_time_cannot_be_trusted(trail):
    audit, kept, clock = trail
    clock.valid = False
    audit.record("start")
    assert kept.records[0]["time_valid"] is False


@pytest.mark.parametrize("of", ["clock", "command", "cyclic", "file", "parameter", "request", "reset"])
def test_refusals_are_warnings_and_the_rest_is_information(trail, of):
    audit, kept, _ = trail
    audit.record(f"{of}.refuse", point="q0")
    audit.record("command.execute", point="q0")
    assert kept.levels == [logging.WARNING, logging.INFO]


def test_the_trail_uses_the_logger_of_its_name_at_information_level():
    Audit(VirtualClock())
    assert logging.getLogger("rtu.audit").isEnabledFor(logging.INFO)


def test_a_name_cannot_forge_a_record(trail):
    audit, kept, _ = trail
    audit.record(
        "tls.refuse", peer="10.1.0.7", reason='x"}\n{"seq": 2, "event": "tls.accept"}\r\n\x1b[31m\x00'
    )
    assert len(kept.lines) == 1
    assert kept.lines[0].isascii()
    assert kept.lines[0].isprintable()
    assert kept.records[0]["event"] == "tls.refuse"


def test_fields_cannot_pose_as_the_records_own(trail):
    audit, kept, _ = trail
    audit.record("command.refuse", seq=99, time="never", time_valid="no")
    assert kept.records[0]["seq"] == 1
    assert kept.records[0]["time_valid"] is True


@given(text=st.text(), octets=st.binary(), number=st.floats() | st.integers() | st.booleans() | st.none())
def test_whatever_comes_in_stays_one_printable_line(text, octets, number):
    audit, kept, _ = make()
    audit.record("command.refuse", text=text, octets=octets, number=number, strange={text: [octets]})
    (line,) = kept.lines
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 8000
    assert json.loads(line)["octets"].startswith(octets.hex()[:256])


def test_long_values_are_cut(trail):
    audit, kept, _ = trail
    audit.record("command.refuse", reason="x" * 100_000)
    assert len(kept.lines[0]) < 500


# Floods


def test_refusals_of_one_source_are_bounded_and_counted(trail):
    audit, kept, clock = trail
    for _ in range(1000):
        audit.record("plain.refuse", peer="203.0.113.9")
    assert len(kept.lines) == BURST
    clock.advance(PERIOD_S)
    last = kept.records[-1]
    assert (last["event"], last["of"], last["peer"], last["count"]) == (
        "suppressed",
        "plain.refuse",
        "203.0.113.9",
        1000 - BURST,
    )
    assert [record["seq"] for record in kept.records] == list(range(1, BURST + 2))


def test_one_source_does_not_silence_another(trail):
    audit, kept, _ = trail
    for _ in range(100):
        audit.record("plain.refuse", peer="203.0.113.9")
    audit.record("plain.refuse", peer="203.0.113.10")
    audit.record("tls.refuse", peer="203.0.113.9")
    assert [record["event"] for record in kept.records[-2:]] == ["plain.refuse", "tls.refuse"]


def test_commands_are_never_suppressed(trail):
    audit, kept, _ = trail
    for _ in range(1000):
        audit.record("command.refuse", who="scada")
    assert len(kept.lines) == 1000


@pytest.mark.parametrize(
    ("event", "most"),
    [
        ("tls.accept", COMING),
        ("session.close", COMING),
        ("clock.refuse", 600),
        ("parameter.load", 600),
        ("unheard.of", 600),
    ],
)
def test_a_master_cannot_fill_the_trail_either(trail, event, most):
    audit, kept, clock = trail
    for _ in range(5000):
        audit.record(event, master="scada", peer="10.1.0.7")
    audit.record(event, master="standby", peer="10.1.0.8")
    assert [record["master"] for record in kept.records].count("scada") == most
    assert kept.records[-1]["master"] == "standby"
    clock.advance(PERIOD_S)
    assert (kept.records[-1]["peer"], kept.records[-1]["count"]) == ("scada", 5000 - most)


def test_a_crowd_of_strangers_that_never_tires_leaves_a_megabyte_a_day_at_most(trail):
    audit, kept, clock = trail
    before = 0
    for minute in range(2 * 24 * 60):
        for host in range(70):
            for _ in range(2 * BURST if minute < 10 else 1):
                audit.record("tls.refuse", peer=f"10.{minute % 256}.{host}.1", reason="x" * 80)
        clock.advance(PERIOD_S)
        if minute == 24 * 60:
            before = sum(map(len, kept.lines))
    assert before < 1_000_000
    assert sum(map(len, kept.lines)) - before < 1_000_000
    audit.close("")
    refused = [record for record in kept.records if record["event"] == "tls.refuse"]
    told = sum(record["count"] for record in kept.records if record["event"] == "suppressed")
    assert len(refused) + told == 10 * 70 * 2 * BURST + (2 * 24 * 60 - 10) * 70


def test_a_new_period_begins_afresh(trail):
    audit, kept, clock = trail
    for _ in range(3):
        audit.record("plain.refuse", peer="203.0.113.9")
    clock.advance(PERIOD_S)
    assert len(kept.lines) == 3
    for _ in range(BURST):
        audit.record("plain.refuse", peer="203.0.113.9")
    assert len(kept.lines) == 3 + BURST


def test_a_flood_from_everywhere_is_bounded_too(trail):
    audit, kept, clock = trail
    for host in range(5000):
        audit.record("tls.refuse", peer=f"10.{host // 256}.{host % 256}.1")
    assert len(kept.lines) == MAX_SOURCES + BURST
    clock.advance(PERIOD_S)
    assert kept.records[-1]["peer"] == "others"
    assert kept.records[-1]["count"] == 5000 - MAX_SOURCES - BURST


def test_what_was_suppressed_is_told_at_the_end(trail):
    audit, kept, clock = trail
    for _ in range(BURST + 2):
        audit.record("tls.refuse", peer="203.0.113.9")
    audit.close("SIGTERM")
    assert kept.records[-2]["count"] == 2
    assert (kept.records[-1]["event"], kept.records[-1]["reason"]) == ("stop", "SIGTERM")
    clock.advance(PERIOD_S)
    assert len(kept.lines) == BURST + 2


def test_a_record_that_could_not_be_written_is_admitted():
    class Full(io.StringIO):
        def write(self, text):
            raise OSError("no space left on device")

    logger = logging.Logger("trail")
    logger.addHandler(TrailHandler(Full()))
    audit = Audit(VirtualClock(), logger=logger)
    assert audit.record("command.execute", ioa=1) is False
    logger.handlers[:] = [TrailHandler(io.StringIO())]
    assert audit.record("command.execute", ioa=1) is True


def test_a_log_that_nobody_reads_any_more_is_admitted():
    reading, writing = os.pipe()
    logger = logging.Logger("trail")
    with open(writing, "w", buffering=1, closefd=False) as stream:
        logger.addHandler(TrailHandler(stream))
        audit = Audit(VirtualClock(), logger=logger)
        assert audit.record("start") is True
        os.close(reading)
        assert audit.record("command.execute", ioa=1) is False
        with contextlib.suppress(OSError):
            stream.close()
    os.close(writing)
