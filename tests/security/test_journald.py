"""Records in the journal: fields that no text can end, priorities nobody else chooses, and nobody who waits."""

from __future__ import annotations

import io
import json
import logging
import os
import socket

import pytest

from rtu.clock import VirtualClock
from rtu.security.audit.journald import Journal, JournalHandler, JournalTrail, LineFormatter, is_journal
from rtu.security.audit.trail import Audit

FORGED = "scada-a\n<0>tls.accept: CN=admin\nPRIORITY=0\nMESSAGE=all is well\x1b[31m"


def parse(datagram):
    """The fields of a datagram, as the journal reads them."""
    fields = []
    while datagram:
        name, separator, rest = datagram.partition(b"\n")
        if b"=" in name:
            name, _, value = name.partition(b"=")
            datagram = rest
        else:
            assert separator
            length = int.from_bytes(rest[:8], "little")
            value, end, datagram = rest[8 : 8 + length], rest[8 + length : 9 + length], rest[9 + length :]
            assert end == b"\n"
        fields.append((name.decode(), value.decode()))
    assert len({name for name, _ in fields}) == len(fields)
    return dict(fields)


@pytest.fixture
def heard(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "journal"))
        heard.settimeout(5)
        yield heard


@pytest.fixture
def journal(tmp_path):
    journal = Journal(str(tmp_path / "journal"))
    yield journal
    journal.close()


@pytest.fixture
def audit(journal):
    logger = logging.Logger("rtu.audit.test")
    logger.addHandler(JournalTrail(journal))
    return Audit(VirtualClock(), logger=logger)


def test_a_record_of_the_trail_has_a_field_for_each_of_its_own(heard, audit):
    assert audit.record("tls.refuse", peer="203.0.113.9", reason="is revoked", id="IEC62351-3:2.4")
    fields = parse(heard.recv(65536))
    assert fields["RTU_EVENT"] == "tls.refuse"
    assert fields["RTU_EVENT_ID"] == "IEC62351-3:2.4"
    assert fields["RTU_PEER"] == "203.0.113.9"
    assert fields["RTU_REASON"] == "is revoked"
    assert fields["RTU_SEQ"] == "1"
    assert fields["RTU_PREV"] == "0" * 64
    assert fields["RTU_HASH"] == audit.status().head.hash
    assert fields["RTU_TIME_VALID"] == "true"
    assert fields["PRIORITY"] == "1"
    assert fields["SYSLOG_IDENTIFIER"] == "outstation"
    assert json.loads(fields["MESSAGE"])["event"] == "tls.refuse"


@pytest.mark.parametrize(
    ("event", "priority"), [("tls.accept", "5"), ("command.refuse", "4"), ("plain.refuse", "1")]
)
def test_the_priority_is_that_of_the_severity(heard, audit, event, priority):
    audit.record(event)
    assert parse(heard.recv(65536))["PRIORITY"] == priority


def test_a_name_can_forge_neither_a_record_nor_a_field(heard, audit):
    audit.record("tls.refuse", peer="203.0.113.9", reason=FORGED)
    fields = parse(heard.recv(65536))
    assert fields["RTU_REASON"] == FORGED
    assert fields["PRIORITY"] == "1"
    assert fields["MESSAGE"].isprintable()
    assert "\n" not in fields["MESSAGE"]
    heard.setblocking(False)
    with pytest.raises(BlockingIOError):
        heard.recv(65536)


def test_what_other_parts_log_cannot_forge_one_either(heard, journal):
    logger = logging.Logger("rtu.server")
    logger.addHandler(JournalHandler(journal))
    logger.warning("who is %s", FORGED)
    fields = parse(heard.recv(65536))
    assert fields["MESSAGE"] == f"who is {FORGED}"
    assert (fields["PRIORITY"], fields["RTU_LOGGER"]) == ("4", "rtu.server")


def test_a_trace_stays_one_record(heard, journal):
    logger = logging.Logger("rtu.server")
    logger.addHandler(JournalHandler(journal))
    try:
        raise ValueError(FORGED)
    except ValueError:
        logger.exception("it failed")
    fields = parse(heard.recv(65536))
    assert fields["MESSAGE"].startswith("it failed\nTraceback")
    assert fields["PRIORITY"] == "3"


def test_a_journal_that_is_away_takes_nothing_and_breaks_nothing(audit, journal):
    assert audit.record("command.execute") is False
    logger = logging.Logger("rtu.server")
    logger.addHandler(JournalHandler(journal))
    logger.warning("nobody hears this")


def test_a_journal_that_does_not_keep_up_is_not_waited_for(heard, audit):
    for _ in range(100_000):
        if not audit.record("command.execute"):
            break
    else:
        pytest.fail("the socket never filled up")
    while True:
        heard.settimeout(0)
        try:
            heard.recv(65536)
        except BlockingIOError:
            break
    assert audit.record("command.execute")


def test_a_huge_trace_is_cut_to_what_a_datagram_holds(heard, journal):
    logger = logging.Logger("rtu.server")
    logger.addHandler(JournalHandler(journal))
    logger.error("%s", "x" * 10_000_000)
    assert len(parse(heard.recv(100_000))["MESSAGE"]) == 48 * 1024


def test_the_journal_is_known_by_what_standard_error_is(tmp_path):
    with (tmp_path / "stream").open("w") as stream:
        status = os.fstat(stream.fileno())
        assert is_journal(stream, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
        assert not is_journal(stream, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino + 1}"})
        assert not is_journal(stream, {})
    assert not is_journal(stream, {"JOURNAL_STREAM": "1:1"})
    assert not is_journal(io.StringIO(), {"JOURNAL_STREAM": "1:1"})


def test_on_standard_error_no_text_begins_a_line():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter("%(levelname).1s %(name)s: %(message)s"))
    logger = logging.Logger("rtu.server")
    logger.addHandler(handler)
    logger.warning("who is %s", FORGED.replace("\n", "\r\n"))
    first, *more = stream.getvalue().splitlines()
    assert first == "W rtu.server: who is scada-a\\r"
    assert all(line.startswith("    ") for line in more)
    assert stream.getvalue().replace("\n", "").isprintable()
