"""`rtu audit`: the trail checked, read and sent, as an engineer types it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from rtu.cli.main import main
from tests.ports import free_port
from tests.security.chained import Trail, lines

STATION = """
format = 1
station = { name = "audited", common_address = 1 }
events = { directory = "events" }
"""


@pytest.fixture
def station(tmp_path):
    path = tmp_path / "station.toml"
    path.write_text(STATION)
    return path


@pytest.fixture
def where(tmp_path):
    return tmp_path / "events" / "audit"


@pytest.fixture
def trail(where):
    trail = Trail(where)
    trail.record("start", station="1")
    trail.commands(3)
    trail.record("tls.refuse", peer="203.0.113.9", reason="\x1b[31m is revoked", id="IEC62351-3:2.4")
    return trail


def test_a_whole_trail_is_verified_by_station_file_and_by_directory(trail, station, where, capsys):
    head = trail.audit.status().head
    for given in (station, where):
        assert main(["audit", "verify", str(given)]) == 0
        out = capsys.readouterr().out
        assert out.startswith("whole: 5 records, 1 to 5\n")
        assert f"head 5:{head.hash}\n" in out
    assert main(["audit", "verify", str(where), "--head", f"5:{head.hash}"]) == 0


def test_a_changed_trail_is_told_with_file_and_line(trail, where, capsys):
    path = where / "audit-000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"number": 1', b'"number": 7'))
    assert main(["audit", "verify", str(where)]) == 1
    assert capsys.readouterr().out.startswith(f"{path}:4: record 4 does not name the hash of record 3")


def test_a_cut_off_end_is_told_with_the_head(trail, where, capsys):
    head = trail.audit.status().head
    path = where / "audit-000001.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines(where)[:3]))
    assert main(["audit", "verify", str(where)]) == 0
    assert main(["audit", "verify", str(where), "--head", f"5:{head.hash}"]) == 1
    assert "records after 3 are missing" in capsys.readouterr().out


def test_the_verdict_as_json(trail, where, capsys):
    assert main(["audit", "verify", str(where), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["whole"], told["records"], told["breaks"]) == (True, 5, [])
    assert told["head"] == {"seq": 5, "hash": trail.audit.status().head.hash}


@pytest.mark.parametrize("head", ["5", "x:" + "0" * 64, "5:" + "g" * 64])
def test_a_head_that_is_none_is_used_wrongly(head, where, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["audit", "verify", str(where), "--head", head])
    assert ended.value.code == 2


def test_a_trail_that_is_not_there_is_one_line(station):
    with pytest.raises(SystemExit, match=r"rtu: .*/events/audit: No such file or directory"):
        main(["audit", "verify", str(station)])


def test_show_prints_what_an_engineer_reads(trail, where, capsys):
    assert main(["audit", "show", str(where)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "1 2026-07-15T12:00:00.000Z start station=1"
    assert shown[1] == "2 2026-07-15T12:00:00.000Z command.execute who=scada number=0"
    assert shown[4].startswith("5 2026-07-15T12:00:00.000Z tls.refuse peer=203.0.113.9 reason=")
    assert all(line.isprintable() for line in shown)


def test_show_can_be_narrowed(trail, where, capsys):
    trail.clock.advance(3600)
    trail.record("command.refuse", who="scada")
    main(["audit", "show", str(where), "--event", "command."])
    assert len(capsys.readouterr().out.splitlines()) == 4
    main(["audit", "show", str(where), "--since", "2026-07-15T12:30"])
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == ["command.refuse"]
    main(["audit", "show", str(where), "--json"])
    assert capsys.readouterr().out.encode().splitlines() == lines(where)


def test_a_time_of_an_unsynchronised_clock_is_marked(trail, where, capsys):
    trail.clock.valid = False
    trail.record("stop")
    main(["audit", "show", str(where), "--event", "stop"])
    assert "Z? stop" in capsys.readouterr().out


def test_without_a_log_server_there_is_nothing_to_send(trail, station, capsys):
    process = subprocess.run(
        [sys.executable, "-m", "rtu", "audit", "send", station], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0
    assert process.stderr == f"rtu: {station} has no [[audit.server]]: nothing is sent\n"


def test_the_sender_says_what_is_wrong_and_stops_in_order(trail, tmp_path, station):
    from rtu.security.certificates import pki

    pki.make_ca("Logs CA").write(tmp_path / "ca.crt")
    port = free_port()
    station.write_text(
        STATION + f'[[audit.server]]\nhost = "127.0.0.1"\nport = {port}\ntrusted = ["ca.crt"]\n'
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "rtu", "audit", "send", station], stderr=subprocess.PIPE, text=True
    )
    guard = threading.Timer(60, process.kill)
    guard.start()
    for line in process.stderr:
        if "records wait" in line:
            assert (
                line == f"W rtu.security.audit.sender: 127.0.0.1:{port}: Connection refused; records wait\n"
            )
            process.send_signal(signal.SIGTERM)
            break
    process.communicate()
    guard.cancel()
    assert process.returncode == 0


def test_the_station_itself_keeps_a_trail_that_survives_being_killed(tmp_path):
    station = tmp_path / "station.toml"
    port = free_port()
    station.write_text(STATION + f'listen.plain = {{ address = "127.0.0.1", port = {port} }}\n')
    ends = [signal.SIGKILL, signal.SIGTERM, signal.SIGTERM]
    for end in ends:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
            (tmp_path / "notify").unlink(missing_ok=True)
            heard.bind(str(tmp_path / "notify"))
            heard.settimeout(30)
            process = subprocess.Popen(
                [sys.executable, "-m", "rtu", "run", station],
                stderr=subprocess.DEVNULL,
                env=os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify")},
            )
            heard.recv(200)
            process.send_signal(end)
            process.wait(30)
    where = tmp_path / "events" / "audit"
    records = [json.loads(line) for line in lines(where)]
    starts = [record for record in records if record["event"] == "start"]
    assert [record["previous_end"] for record in starts] == ["", "unexpected", "stop"]
    assert all(len(record["configuration"]) == 64 and record["version"] for record in starts)
    assert [record["event"] for record in records].count("stop") == 2
    assert main(["audit", "verify", str(station)]) == 0
