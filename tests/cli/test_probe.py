"""`rtu probe` against a scripted controlled station on loopback, in plain and over TLS."""

import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import suppress

import pytest

from rtu.cli.main import main
from rtu.config.schema import ListenTls
from rtu.iec104 import ASDU, Cause, InformationObject, Link, LinkParameters, Role, TypeID, mirror
from rtu.iec104.elements import (
    AFQ,
    CHS,
    DIQ,
    FRQ,
    IV,
    LOF,
    LSQ,
    NOF,
    NOS,
    QDS,
    R32,
    SCQ,
    SIQ,
    SOF,
    SRQ,
    CP56Time2a,
    Segment,
)  # fmt: skip
from rtu.iec104.link import AsduReceived, State
from rtu.security.certificates import pki
from rtu.security.tls.context import make_context

CA = 12
TIME = CP56Time2a(ms=1500, minute=30, hour=12, day=15, weekday=0, month=7, year=26)


class Station:
    """Accepts one master and answers each of its ASDUs by `script(octets)`, which returns the ASDUs to send."""

    def __init__(self, script, context=None):
        self.script = script
        self.context = context
        self.received = []
        self.hang_up = False  # after the first answer
        self.close_at_once = False
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def close(self):
        with suppress(OSError):  # wakes an accept nobody has answered
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.thread.join()

    def _serve(self):
        with suppress(OSError):
            conn, _ = self._listening.accept()
            with conn:
                if self.context is not None:
                    with self.context.wrap_socket(conn, server_side=True) as secured:
                        self._talk(secured)
                else:
                    self._talk(conn)

    def _talk(self, conn):
        if self.close_at_once:
            return
        link = Link(Role.CONTROLLED, LinkParameters(), 0.0)
        while data := conn.recv(4096):
            for event in link.receive(data, 0.0):
                if isinstance(event, AsduReceived):
                    self.received.append(ASDU.decode(event.octets))
                    if link.state is State.STARTED:  # it came without the stop that follows it
                        for answer in self.script(event.octets):
                            link.send(answer, 0.0)
            if octets := link.data_to_send(0.0):
                conn.sendall(octets)
            if self.hang_up and self.received:
                return


def report(type_id, ioa, *elements, cause=Cause.SPONT, ca=CA):
    return ASDU(type_id, cause, ca, (InformationObject(ioa, elements),)).encode()


def confirms(*also, termination=True):
    """A script: confirm everything, send `also`, terminate."""

    def script(octets):
        yield mirror(octets, Cause.ACTCON, negative=False, ca=CA)
        yield from also
        if termination:
            yield mirror(octets, Cause.ACTTERM, negative=False, ca=CA)

    return script


@pytest.fixture
def serve():
    stations = []

    def make(script=None, context=None):
        stations.append(Station(script or confirms(), context))
        return stations[-1]

    yield make
    for station in stations:
        station.close()


@pytest.fixture
def probe(capsys):
    """Runs `rtu probe` in plain against a station; returns the exit code and the lines it printed."""

    def run(station, *options):
        code = main(["probe", "127.0.0.1", "--port", str(station.port), "--plain", *options])
        return code, capsys.readouterr().out.splitlines()

    return run


def ends_with(words, *arguments):
    with pytest.raises(SystemExit) as caught:
        main(["probe", *arguments])
    assert str(caught.value.code).startswith("rtu: ")
    assert "\n" not in caught.value.code
    assert words in caught.value.code


# Looking


def test_an_interrogation_shows_every_object_with_its_names(serve, probe):
    station = serve(
        confirms(
            report(TypeID.M_DP_NA_1, 1001, DIQ(2), cause=Cause.INROGEN),
            report(TypeID.M_ME_NC_1, 2001, R32(12.3), QDS(IV), cause=Cause.INROGEN),
        )
    )
    code, lines = probe(station, "--listen", "0")
    assert code == 0
    assert lines[0].split() == ["CA", "IOA", "TYPE", "VALUE", "QUALITY", "TIME", "(UTC)", "CAUSE"]
    assert lines[1].split() == ["12", "0", "C_IC_NA_1", "station", "-", "-", "activation", "confirmation"]
    assert lines[2].split() == ["12", "1001", "M_DP_NA_1", "ON", "good", "-", "station", "interrogation"]
    assert lines[3].split() == ["12", "2001", "M_ME_NC_1", "12.3", "invalid", "-", "station", "interrogation"]
    assert lines[-1] == "C_IC_NA_1: confirmed and terminated"


def test_without_a_common_address_everyone_is_asked(serve, probe):
    station = serve()
    probe(station, "--interrogate")
    assert [(asdu.type_id, asdu.ca) for asdu in station.received] == [(100, 65535)]


def test_a_group_and_the_counters_can_be_asked_for(serve, probe):
    station = serve()
    code, _ = probe(station, "--group", "3", "--counters", "--common-address", "12", "--originator", "7")
    assert code == 0
    group, counters = station.received
    assert group.objects[0].elements[0].qoi == 23
    assert counters.objects[0].elements[0].rqt == 5
    assert {(asdu.ca, asdu.originator) for asdu in station.received} == {(12, 7)}


def test_every_station_that_confirmed_must_terminate(serve, probe):
    def script(octets):
        yield mirror(octets, Cause.ACTCON, negative=False, ca=12)
        yield mirror(octets, Cause.ACTCON, negative=False, ca=13)
        yield mirror(octets, Cause.ACTTERM, negative=False, ca=12)
        yield report(TypeID.M_SP_NA_1, 1, SIQ(True), cause=Cause.INROGEN, ca=13)
        yield mirror(octets, Cause.ACTTERM, negative=False, ca=13)

    code, lines = probe(serve(script), "--interrogate")
    assert code == 0
    assert any(line.split()[:2] == ["13", "1"] for line in lines)


def test_live_events_are_shown_until_the_connection_ends(serve, capsys):
    station = serve(confirms(report(TypeID.M_SP_TB_1, 5, SIQ(True), TIME)))
    station.hang_up = True
    ends_with("closed by the station", "127.0.0.1", "--port", str(station.port), "--plain")
    shown = capsys.readouterr().out
    assert "2026-07-15 12:30:01.500" in shown
    assert "spontaneous" in shown


def test_ctrl_c_is_how_listening_ends(serve):
    station = serve(confirms(report(TypeID.M_SP_TB_1, 5, SIQ(True), TIME), termination=True))
    command = [
        sys.executable,
        "-m",
        "rtu.cli.main",
        "probe",
        "127.0.0.1",
        "--port",
        str(station.port),
        "--plain",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr.readline() == "rtu: listening; Ctrl-C ends it\n"
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
        assert process.stderr.read() == ""
        assert "confirmed and terminated" in process.stdout.read()


def test_an_option_cut_short_is_no_command(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["probe", "127.0.0.1", "--plain", "--sing", "5001=on"])
    assert caught.value.code == 2
    assert "--sing" in capsys.readouterr().err


def test_reading_shows_the_object(serve, probe):
    def script(octets):
        yield report(TypeID.M_SP_NA_1, 4, SIQ(False))
        yield report(TypeID.M_SP_NA_1, 1001, SIQ(True), cause=Cause.REQ)

    station = serve(script)
    code, lines = probe(station, "--read", "1001", "--common-address", "12")
    assert (code, lines[-1]) == (0, "C_RD_NA_1 1001: answered")


def test_reading_what_is_not_there_fails(serve, probe):
    station = serve(lambda octets: [mirror(octets, Cause.UNKNOWN_IOA, negative=True)])
    code, lines = probe(station, "--read", "9", "--common-address", "12")
    assert code == 1
    assert lines[-1] == "C_RD_NA_1 9: refused: NEGATIVE unknown information object address"


def test_json_is_one_object_per_line(serve, probe):
    station = serve(confirms(report(TypeID.M_SP_TB_1, 5, SIQ(True, IV), TIME)))
    code, lines = probe(station, "--json", "--interrogate")
    confirmation, event, termination, result = (json.loads(line) for line in lines)
    assert code == 0
    assert event == {
        "ca": 12,
        "ioa": 5,
        "type": "M_SP_TB_1",
        "value": "ON",
        "quality": ["invalid"],
        "time": "2026-07-15 12:30:01.500",
        "time_valid": True,
        "summer": False,
        "cause": "spontaneous",
        "negative": False,
        "test": False,
    }
    assert confirmation["cause"] == "activation confirmation"
    assert termination["cause"] == "activation termination"
    assert result == {"request": "C_IC_NA_1", "ok": True, "result": "confirmed and terminated"}


def test_an_asdu_that_makes_no_sense_is_mentioned_and_the_rest_goes_on(serve, capsys):
    station = serve(confirms(bytes((200, 1, 3, 0, 12, 0, 1, 2, 3, 4))))
    code = main(["probe", "127.0.0.1", "--port", str(station.port), "--plain", "--interrogate"])
    assert code == 0
    assert "rtu: the station sent something odd: type identification 200" in capsys.readouterr().err


# Commands


@pytest.mark.parametrize(
    ("option", "type_id", "value"),
    [
        (["--single", "5001=on"], TypeID.C_SC_NA_1, ("scs", True)),
        (["--single", "5001=OFF"], TypeID.C_SC_NA_1, ("scs", False)),
        (["--double", "5001=on"], TypeID.C_DC_NA_1, ("dcs", 2)),
        (["--double", "5001=off"], TypeID.C_DC_NA_1, ("dcs", 1)),
        (["--step", "5001=up"], TypeID.C_RC_NA_1, ("rcs", 2)),
        (["--step", "5001=down"], TypeID.C_RC_NA_1, ("rcs", 1)),
        (["--float", "5001=-12.5"], TypeID.C_SE_NC_1, ("value", -12.5)),
        (["--scaled", "5001=-300"], TypeID.C_SE_NB_1, ("value", -300)),
        (["--normalized", "5001=0.5"], TypeID.C_SE_NA_1, ("raw", 16384)),
    ],
)
def test_a_command_is_sent_as_it_was_written(option, type_id, value, serve, probe):
    station = serve()
    code, lines = probe(station, *option, "--common-address", "12")
    (asdu,) = station.received
    assert code == 0
    assert (asdu.type_id, asdu.cause, asdu.ca, asdu.objects[0].ioa) == (type_id, Cause.ACT, 12, 5001)
    assert getattr(asdu.objects[0].elements[0], value[0]) == value[1]
    assert not any(getattr(element, "select", False) for element in asdu.objects[0].elements)
    assert lines[-1] == f"{type_id.name} 5001: confirmed and terminated"


def test_select_goes_before_operate(serve, probe):
    station = serve(lambda octets: [mirror(octets, Cause.ACTCON, negative=False)])
    code, _ = probe(station, "--double", "5001=on", "--select", "--common-address", "12", "--timeout", "1")
    assert code == 0
    assert [asdu.objects[0].elements[0].select for asdu in station.received] == [True, False]


def test_a_set_point_is_selected_by_its_qualifier(serve, probe):
    station = serve()
    probe(station, "--float", "5001=1", "--select", "--common-address", "12")
    assert [asdu.objects[0].elements[1].select for asdu in station.received] == [True, False]


def test_a_refused_select_is_never_followed_by_an_execute(serve, probe):
    station = serve(lambda octets: [mirror(octets, Cause.ACTCON, negative=True)])
    code, lines = probe(station, "--double", "5001=on", "--select", "--common-address", "12")
    assert code == 1
    assert len(station.received) == 1
    assert lines[-1] == "C_DC_NA_1 5001: refused: NEGATIVE activation confirmation"


def test_a_refused_command_ends_the_list(serve, probe):
    station = serve(lambda octets: [mirror(octets, Cause.ACTCON, negative=True)])
    code, _ = probe(station, "--single", "1=on", "--single", "2=on", "--common-address", "12")
    assert code == 1
    assert [asdu.objects[0].ioa for asdu in station.received] == [1]


def test_a_negative_termination_is_a_failure(serve, probe):
    def script(octets):
        yield mirror(octets, Cause.ACTCON, negative=False)
        yield mirror(octets, Cause.ACTTERM, negative=True)

    code, lines = probe(serve(script), "--double", "5001=on", "--common-address", "12")
    assert (code, lines[-1]) == (1, "C_DC_NA_1 5001: refused: NEGATIVE activation termination")


def test_a_command_needs_no_termination(serve, probe):
    station = serve(confirms(termination=False))
    code, lines = probe(station, "--single", "5001=on", "--common-address", "12", "--timeout", "1")
    assert (code, lines[-1]) == (0, "C_SC_NA_1 5001: confirmed; no termination within 1 s")


def test_an_interrogation_needs_its_termination(serve, probe):
    code, lines = probe(serve(confirms(termination=False)), "--interrogate", "--timeout", "1")
    assert (code, lines[-1]) == (1, "C_IC_NA_1: no termination within 1 s")


def test_silence_is_a_failure(serve, probe):
    code, lines = probe(serve(lambda octets: []), "--test", "--common-address", "12", "--timeout", "1")
    assert (code, lines[-1]) == (1, "C_TS_TA_1: no answer within 1 s")


def test_answers_to_another_object_do_not_count(serve, probe):
    def script(octets):
        yield mirror(octets[:6] + b"\x01\x00\x00" + octets[9:], Cause.ACTCON, negative=False)
        yield mirror(octets, Cause.ACTCON, negative=True)

    assert probe(serve(script), "--single", "5001=on", "--common-address", "12")[0] == 1


def test_the_common_address_is_found_by_asking(serve, probe):
    station = serve()
    code, lines = probe(station, "--single", "5001=on")
    assert code == 0
    assert [(asdu.type_id, asdu.ca) for asdu in station.received] == [(100, 65535), (45, 12)]
    assert not any("C_IC_NA_1" in line for line in lines)


def test_a_choice_of_common_addresses_is_left_to_the_user(serve, probe):
    def script(octets):
        for ca in (12, 13):
            yield mirror(octets, Cause.ACTCON, negative=False, ca=ca)
        yield mirror(octets, Cause.ACTTERM, negative=False, ca=12)

    station = serve(script)
    code, lines = probe(station, "--single", "5001=on")
    assert (code, lines[-1]) == (1, "C_SC_NA_1 5001: which common address? say --common-address N")
    assert [asdu.type_id for asdu in station.received] == [100]


def test_commands_can_carry_the_time(serve, probe):
    station = serve()
    assert probe(station, "--double", "5001=on", "--time-tag", "--common-address", "12")[0] == 0
    (asdu,) = station.received
    assert asdu.type_id == TypeID.C_DC_TA_1
    assert asdu.objects[0].elements[1].defect() is None


def test_clock_and_test_end_with_their_confirmation(serve, probe):
    station = serve(lambda octets: [mirror(octets, Cause.ACTCON, negative=False)])
    code, lines = probe(station, "--clock", "--test", "--common-address", "12")
    assert code == 0
    assert [asdu.type_id for asdu in station.received] == [103, 107]
    assert lines[-1] == "C_TS_TA_1: confirmed"


def test_times_are_sent_and_shown_in_the_zone_of_the_station(serve, probe, monkeypatch):
    monkeypatch.setattr(
        "rtu.cli.probe.time.time_ns", lambda: 1_784_118_600_500_000_000
    )  # 12:30:00.500 UTC in July
    station = serve(confirms())
    options = ["--clock", "--double", "5001=on", "--time-tag", "--common-address", "12"]
    code, lines = probe(station, "--zone", "Europe/Berlin", *options)
    clock, command = (asdu.objects[0].elements[-1] for asdu in station.received)
    assert code == 0
    assert (clock.hour, clock.minute, clock.ms, clock.summer) == (14, 30, 500, True)
    assert clock == command
    assert "TIME (Europe/Berlin)" in lines[0]
    assert "2026-07-15 14:30:00.500 S " in lines[1]


def test_a_zone_nobody_knows_sends_nothing(capsys):
    with pytest.raises(SystemExit):
        main(["probe", "127.0.0.1", "--plain", "--zone", "Nowhere/Here", "--clock"])
    assert 'the time zone "Nowhere/Here" is not known' in capsys.readouterr().err


@pytest.mark.parametrize(("option", "rqt"), [(["--freeze"], 5), (["--freeze", "3"], 3)])
def test_counters_can_be_frozen_without_reset(option, rqt, serve, probe):
    station = serve()
    code, _ = probe(station, "--common-address", "12", *option)
    ((qualifier,),) = (asdu.objects[0].elements for asdu in station.received)
    assert code == 0
    assert (qualifier.rqt, qualifier.frz) == (rqt, 1)


# Files


def entry(ioa, last, cause=Cause.REQ):
    return report(TypeID.F_DR_TA_1, ioa, NOF(2), LOF(1237), SOF(last=last), TIME, cause=cause)


def test_the_directory_ends_with_its_last_entry(serve, probe):
    station = serve(lambda octets: [entry(9, True, Cause.SPONT), entry(7101, False), entry(7102, True)])
    code, lines = probe(station, "--files", "--common-address", "12")
    (asdu,) = station.received
    assert (asdu.type_id, asdu.cause, asdu.objects[0].ioa) == (TypeID.F_SC_NA_1, Cause.REQ, 0)
    assert (code, lines[-1]) == (0, "F_SC_NA_1: complete")
    assert "file 2, 1237 octets, last" in lines[-2]
    assert "2026-07-15 12:30:01.500" in lines[-2]


def test_a_station_without_files_refuses_its_directory(serve, probe):
    station = serve(lambda octets: [mirror(octets, Cause.UNKNOWN_TYPE, negative=True)])
    assert probe(station, "--files", "--common-address", "12")[0] == 1


def serves(sections, wrong_once=frozenset()):
    """A script: a file of these sections; those numbered in `wrong_once` are damaged the first time."""
    wrong = set(wrong_once)

    def about(type_id, *elements):
        return report(type_id, 7101, NOF(0), *elements, cause=Cause.FILE)

    def ready(number):
        return about(TypeID.F_SR_NA_1, NOS(number), LOF(len(sections[number - 1])), SRQ())

    def total(octets):
        return CHS(sum(octets) & 0xFF)

    def script(octets):
        asdu = ASDU.decode(octets)
        match asdu.objects[0].elements:
            case (_, _, SCQ(1)):
                yield about(TypeID.F_FR_NA_1, LOF(sum(map(len, sections))), FRQ())
            case (_, _, SCQ(2)):
                yield ready(1)
            case (_, NOS(number), SCQ(6)):
                sent = octets_of = sections[number - 1]
                if number in wrong:
                    wrong.discard(number)
                    sent = bytes(len(sent))
                for at in range(0, len(sent), 236):
                    yield about(TypeID.F_SG_NA_1, NOS(number), Segment(sent[at : at + 236]))
                yield about(TypeID.F_LS_NA_1, NOS(number), LSQ(3), total(octets_of))
            case (_, NOS(number), AFQ(4)):
                yield ready(number)
            case (_, NOS(number), AFQ(3)) if number < len(sections):
                yield ready(number + 1)
            case (_, NOS(number), AFQ(3)):
                yield about(TypeID.F_LS_NA_1, NOS(number), LSQ(1), total(b"".join(sections)))

    return script


CFG, DAT = b"a title" * 60, b"1,2,3\n" * 90


def test_a_record_becomes_its_two_files(serve, probe, tmp_path):
    station = serve(serves([CFG, DAT]))
    path = tmp_path / "trip.cfg"
    code, lines = probe(station, "--fetch", f"7101={path}", "--common-address", "12")
    assert code == 0
    assert lines == [f"file 7101: {len(CFG + DAT)} octets to {path} and {tmp_path / 'trip.dat'}"]
    assert (path.read_bytes(), (tmp_path / "trip.dat").read_bytes()) == (CFG, DAT)
    assert station.received[-1].objects[0].elements == (NOF(0), NOS(0), AFQ(1))


def test_any_other_file_is_its_sections_one_after_the_other(serve, probe, tmp_path):
    path = tmp_path / "log.txt"
    assert probe(serve(serves([CFG, DAT])), "--fetch", f"7101={path}", "--common-address", "12")[0] == 0
    assert path.read_bytes() == CFG + DAT


def test_a_file_on_standard_output_is_alone_there(serve, capsys):
    station = serve(serves([DAT]))
    options = ["--common-address", "12", "--fetch", "7101"]
    assert main(["probe", "127.0.0.1", "--port", str(station.port), "--plain", *options]) == 0
    shown = capsys.readouterr()
    assert shown.out.encode() == DAT
    assert shown.err == f"file 7101: {len(DAT)} octets to standard output\n"


def test_a_section_that_does_not_add_up_is_asked_for_again(serve, probe, tmp_path):
    station = serve(serves([CFG, DAT], wrong_once={2}))
    path = tmp_path / "file"
    assert probe(station, "--fetch", f"7101={path}", "--common-address", "12")[0] == 0
    assert path.read_bytes() == CFG + DAT
    answers = [asdu.objects[0].elements[2] for asdu in station.received if asdu.type_id == TypeID.F_AF_NA_1]
    assert answers == [AFQ(3), AFQ(4, 2), AFQ(3), AFQ(1)]


def refuses(type_id, *elements):
    return lambda octets: [report(type_id, 7101, NOF(0), *elements, cause=Cause.FILE)]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (refuses(TypeID.F_FR_NA_1, LOF(0), FRQ(True)), "not ready: it is not there, or not now"),
        (refuses(TypeID.F_SR_NA_1, NOS(1), LOF(0), SRQ(True)), "section 1 is not ready"),
        (refuses(TypeID.F_SG_NA_1, NOS(1), Segment(b"x")), "section 0 is longer than announced"),
        (refuses(TypeID.F_LS_NA_1, NOS(1), LSQ(2), CHS(0)), "the station broke it off"),
        (refuses(TypeID.F_LS_NA_1, NOS(1), LSQ(1), CHS(1)), "it does not add up"),
        (refuses(TypeID.F_LS_NA_1, NOS(1), LSQ(3), CHS(1)), "section 0 did not add up 3 times"),
        (
            lambda octets: [mirror(octets, Cause.UNKNOWN_IOA, negative=True)],
            "refused: NEGATIVE unknown information object address",
        ),
        (lambda octets: [], "no answer within 1 s"),
    ],
)
def test_what_is_not_a_whole_file_is_not_written(script, words, serve, probe, tmp_path):
    path = tmp_path / "file"
    station = serve(script)
    code, lines = probe(station, "--fetch", f"7101={path}", "--common-address", "12", "--timeout", "1")
    assert (code, lines) == (1, [f"file 7101: {words}"])
    assert not path.exists()


@pytest.mark.parametrize(
    "option",
    [
        ["--fetch", "7101="],
        ["--fetch", "x=file"],
        ["--freeze", "5"],
        ["--single", "5001"],
        ["--single", "5001=open"],
        ["--single", "0=on"],
        ["--single", "16777216=on"],
        ["--double", "x=on"],
        ["--float", "1=nan"],
        ["--float", "1=1e99"],
        ["--scaled", "1=1.5"],
        ["--scaled", "1=40000"],
        ["--normalized", "1=1"],
        ["--normalized", "1=inf"],
        ["--group", "17"],
        ["--read", "-1"],
        ["--common-address", "65535"],
        ["--originator", "256"],
    ],
)
def test_a_request_written_wrongly_sends_nothing(option, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["probe", "127.0.0.1", "--plain", *option])
    assert caught.value.code == 2
    assert "rtu probe: error: " in capsys.readouterr().err


# Getting in


def test_how_to_connect_must_be_said():
    ends_with("--plain", "127.0.0.1")
    ends_with("--key FILE", "127.0.0.1", "--tls")
    ends_with("--key FILE", "127.0.0.1", "--ca", "ca.crt")
    ends_with("exclude each other", "127.0.0.1", "--plain", "--ca", "ca.crt")


def test_nobody_listening_is_told():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ends_with(f"127.0.0.1 port {port}: connection refused", "127.0.0.1", "--plain", "--port", str(port))


def test_a_station_that_closes_at_once_does_not_know_us(serve):
    station = serve()
    station.close_at_once = True
    where = ("127.0.0.1", "--plain", "--port", str(station.port))
    ends_with("does not know this address, or speaks TLS on this port; its log says why", *where)


@pytest.fixture(scope="module")
def ca():
    return pki.make_ca("Probe CA")


@pytest.fixture
def files(ca, tmp_path):
    """A station and a master of one authority; returns the directory."""
    ca.write(tmp_path / "ca.crt")
    pki.issue(ca, "station", "station", ["dns:station.example", "ip:127.0.0.1"]).write(
        tmp_path / "station.crt", tmp_path / "station.key"
    )
    pki.issue(ca, "master", "master").write(tmp_path / "master.crt", tmp_path / "master.key")
    return tmp_path


@pytest.fixture
def secured(serve, files):
    def make():
        listen = ListenTls(certificate="station.crt", private_key="station.key", trusted=["ca.crt"])
        return serve(confirms(), make_context(listen, files))

    return make


def tls(station, files, *options, ca="ca.crt", cert="master", host="127.0.0.1"):
    pair = ["--cert", str(files / f"{cert}.crt"), "--key", str(files / f"{cert}.key")]
    return [host, "--port", str(station.port), "--ca", str(files / ca), *pair, *options]


def test_tls_with_certificates_of_both_sides(secured, files):
    assert main(["probe", *tls(secured(), files, "--interrogate")]) == 0


def test_a_name_can_be_expected(secured, files):
    options = ("--interrogate", "--server-name", "station.example")
    assert main(["probe", *tls(secured(), files, *options)]) == 0
    ends_with("another host name", *tls(secured(), files, "--server-name", "other.example"))


def test_a_host_name_must_be_in_the_certificate(secured, files):
    ends_with("another host name", *tls(secured(), files, host="localhost"))


def test_a_certificate_of_another_address_is_not_this_station(secured, files, ca):
    pki.issue(ca, "station", "station", ["ip:10.9.9.9"]).write(files / "station.crt", files / "station.key")
    ends_with("made out to other addresses", *tls(secured(), files))


def test_a_station_of_another_authority_is_refused(secured, files):
    pki.make_ca("Other CA").write(files / "other.crt")
    ends_with(
        "the station's certificate leads to a root authority that is not trusted",
        *tls(secured(), files, ca="other.crt"),
    )


def test_a_master_of_another_authority_is_told_that_it_is_not_known(secured, files):
    # With TLS 1.3 our STARTDT crosses the station's alert, and the reset that answers it may overtake the alert.
    pki.issue(pki.make_ca("Other CA"), "m", "master").write(files / "m.crt", files / "m.key")
    with pytest.raises(SystemExit) as caught:
        main(["probe", *tls(secured(), files, cert="m")])
    assert caught.value.code.partition("the station ")[2] in {
        "refused the handshake: it does not trust our authority",
        "closed the connection: it does not know this address or certificate; its log says why",
    }


def test_a_master_nobody_lists_is_told_so(secured, files):
    station = secured()
    station.close_at_once = True
    ends_with("does not know this address or certificate", *tls(station, files))


def test_plain_104_on_the_tls_port_is_named(serve, files):
    class Plain:
        def wrap_socket(self, conn, server_side):
            conn.recv(1)
            conn.sendall(b"\x68\x04\x83\x00\x00\x00")
            conn.shutdown(socket.SHUT_WR)
            raise ssl.SSLError("no handshake here")

    ends_with("the station does not speak TLS", *tls(serve(None, Plain()), files))


def test_a_missing_file_is_named(files):
    pair = ["--cert", str(files / "master.crt"), "--key", str(files / "master.key")]
    ends_with("gone.crt: cannot be read", "127.0.0.1", "--ca", str(files / "gone.crt"), *pair)


def test_the_demo_must_run(monkeypatch, tmp_path):
    monkeypatch.setattr("rtu.cli.demo.directory", lambda: tmp_path / "demo")
    ends_with("start it with `rtu demo`", "demo")
