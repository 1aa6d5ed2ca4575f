"""Records as syslog messages: RFC 5424 to the letter, with what IEC 62351-14 puts into them."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtu.security.audit.syslog import framed, message

RECORD = {
    "seq": 17,
    "prev": "5b" * 32,
    "time": "2026-01-31T10:20:30.123Z",
    "time_valid": True,
    "event": "tls.refuse",
    "id": "IEC62351-3:2.6",
    "severity": "warning",
    "peer": "192.0.2.10",
    "reason": "the revocation list has expired",
}

_VALUE = r'(?:[^"\\\]]|\\["\\\]])*'
_ELEMENT = rf'\[[^ =\]"]{{1,32}}(?: [^ =\]"]{{1,32}}="{_VALUE}")*\]'
RFC5424 = re.compile(
    rf"<(\d{{1,3}})>1 ([\d:.TZ-]+|-) ([!-~]{{1,255}}) ([!-~]{{1,48}}) ([!-~]{{1,128}}) ([!-~]{{1,32}}) ((?:{_ELEMENT})+) (.*)",
    re.DOTALL,
)
_PARAMETER = re.compile(rf' ([^ =\]"]+)="({_VALUE})"')


def render(**fields):
    record = RECORD | fields
    line = json.dumps(record).encode()
    return message(record, line, "rtu-0007").decode(), line.decode()


def parameters(text):
    data = RFC5424.fullmatch(text)[7].partition("[62351-14@41912")[2]
    return {name: re.sub(r"\\(.)", r"\1", value) for name, value in _PARAMETER.findall(data)}


def test_a_record_of_the_standard_is_written_as_the_standard_does():
    text, line = render()
    assert text == (
        "<108>1 2026-01-31T10:20:30.123Z rtu-0007 outstation - IEC62351-14:1 "
        '[62351-14@41912 ID="IEC62351-3:2.6" MNEMONIC="TLS_CRL_EXP" SqNum="17" PeerInfo="192.0.2.10"'
        f' Text="tls.refuse reason=the revocation list has expired"] {line}'
    )


def test_who_did_it_and_in_which_role():
    told = parameters(render(event="command.execute", who="scada", role="operator", id="outstation:4.2")[0])
    assert told["MNEMONIC"] == "COMMAND_EXECUTE"
    assert (told["UsrID"], told["Role"]) == ("scada", "1:0:IEC62351-8")


@pytest.mark.parametrize(("severity", "value"), [("notice", 109), ("warning", 108), ("alarm", 105)])
def test_the_severity_is_in_the_priority(severity, value):
    assert render(severity=severity)[0].startswith(f"<{value}>1 ")


def test_a_time_that_is_not_known_is_said_to_be_so():
    text, _ = render(time_valid=False)
    assert '[timeQuality tzKnown="1" isSynced="0"][62351-14@41912 ' in text
    assert RFC5424.fullmatch(text)


@pytest.mark.parametrize(("seq", "number"), [(1, "1"), (4_294_967_295, "4294967295"), (4_294_967_296, "1")])
def test_the_number_has_32_bits_and_is_never_zero(seq, number):
    assert parameters(render(seq=seq)[0])["SqNum"] == number


@given(peer=st.text(min_size=1), reason=st.text(), who=st.text(min_size=1))
def test_no_text_leaves_its_place(peer, reason, who):
    text, line = render(peer=peer, reason=reason, who=who)
    found = RFC5424.fullmatch(text)
    assert found
    assert found[8] == line
    assert (found[1], found[3], found[6]) == ("108", "rtu-0007", "IEC62351-14:1")
    assert found[7].isprintable()
    told = parameters(text)
    assert list(told) == ["ID", "MNEMONIC", "SqNum", "PeerInfo", "UsrID", "Text"]
    if peer.isprintable():
        assert told["PeerInfo"] == peer


def test_a_long_record_fits_what_servers_take():
    text, _ = render(**{f"field{number}": "\\" * 256 for number in range(10)})
    assert len(text) < 8192


def test_the_frame_is_the_number_of_octets():
    assert framed("é".encode()) == b"2 \xc3\xa9"


def test_a_record_that_lacks_everything_is_still_a_message():
    assert RFC5424.fullmatch(message({}, b"{}", "").decode())
