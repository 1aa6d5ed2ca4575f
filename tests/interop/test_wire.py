"""A session of the foreign master, read off the wire by tshark: a second opinion on every octet."""

import json
import shutil
import signal
import subprocess
import time
from itertools import pairwise

import pytest

from rtu.iec104.catalogue import TypeID

CAPTURE_S = 15.0
WARNING = "0x600000"
CLIENT_HELLO, SERVER_HELLO = "1", "2"
STARTDT_ACT = "68:04:07:00:00:00"
STARTDT_CON = "68:04:0b:00:00:00"
INTERROGATION = "64:01:06:00:01:00:00:00:00:14"


class Capture:
    """What goes over loopback on one port from now on, until `stop`."""

    def __init__(self, file, port, protocol):
        self._file = file
        self._decode = f"tcp.port=={port},{protocol}"
        command = ["dumpcap", "-q", "-i", "lo", "-f", f"tcp port {port}", "-w", str(file)]
        self._dumpcap = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        said = []
        for line in self._dumpcap.stderr:
            said.append(line)
            if line.startswith("File:"):  # the interface is open from here on
                return
        self.stop()
        raise PermissionError("".join(said).strip())

    def stop(self):
        if self._dumpcap.poll() is None:
            self._dumpcap.send_signal(signal.SIGINT)
        self._dumpcap.communicate(timeout=CAPTURE_S)

    def until_closed(self):
        """Wait for the end of the connection: dumpcap writes to the file what it has, now and then."""
        deadline = time.monotonic() + CAPTURE_S
        while not self.packets("tcp.flags.fin == 1 || tcp.flags.reset == 1", "frame.number"):
            assert time.monotonic() < deadline, "the end of the connection was not captured"

    def packets(self, display_filter, *names):
        """All values of these fields, for every packet that passes; a packet may hold several APDUs."""
        fields = [argument for name in names for argument in ("-e", name)]
        told = json.loads(self._tshark("-Y", display_filter, "-T", "json", *fields) or "[]")
        return [
            {name: packet["_source"].get("layers", {}).get(name, []) for name in names} for packet in told
        ]

    def _tshark(self, *arguments):
        command = ["tshark", "-r", str(self._file), "-n", "-d", self._decode, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def capture(tmp_path, cannot_run):
    """Starts capturing on a port, whose octets are to be read as this protocol."""
    for program in ("dumpcap", "tshark"):
        if shutil.which(program) is None:
            cannot_run(f"{program} is not installed: apt-get install tshark")
    started = []

    def start(port, protocol):
        try:
            started.append(Capture(tmp_path / "wire.pcapng", port, protocol))
        except PermissionError as error:
            cannot_run(f"capturing on lo is not permitted: {error}")
        return started[-1]

    yield start
    for one in started:
        one.stop()


def a_whole_session(master):
    """Something of everything, refusals too, until there is nothing more to tell."""
    for group in (0, 1):
        master.ask("interrogate", group=group)
        master.until(type="C_IC_NA_1", cause=10)
    master.ask("interrogate", group=9)
    master.ask("interrogate", ca=77)
    for freeze in ("FREEZE_WITHOUT_RESET", "READ"):
        master.ask("count", freeze=freeze)
        master.until(type="C_CI_NA_1", cause=10)
    master.ask("test")
    master.ask("synchronise")
    master.ask("read", ioa=1101)
    master.ask("command", type="C_DC_NA_1", ioa=5101, value=1, select=True)
    master.until(ioa=5101, cause=10)
    for type_id, ioa, value in (
        ("C_SC_NA_1", 5001, 1),
        ("C_RC_NA_1", 5201, 2),
        ("C_SE_NC_1", 6001, 6.5),
        ("C_SE_NB_1", 6012, 7),
        ("C_SE_NA_1", 6023, 0.5),
    ):
        master.ask("command", type=type_id, ioa=ioa, value=value)
        master.until(ioa=ioa, cause=10)
    master.ask("command", type="C_SC_NA_1", ioa=5999, value=1)
    master.until(ioa=5999)
    for ioa, value in ((2001, 6.5), (2012, 7), (2023, pytest.approx(0.5, abs=1e-3))):
        master.until_known(ioa, value)


def told(packets, name):
    """The field's values in the order of the wire."""
    return [int(value) if value.isdigit() else value for packet in packets for value in packet[name]]


def test_tshark_reads_the_same_session_as_the_master(run, connect, capture):
    station = run()
    wire = capture(station.plain, "iec60870_104")
    master = connect(station, "plain").start()
    a_whole_session(master)
    master.ask("disconnect")
    master.becomes("CLOSED")
    wire.until_closed()

    faults = f"iec60870_104 && (_ws.malformed || _ws.expert.severity >= {WARNING})"
    assert wire.packets(faults, "frame.number", "_ws.expert.message") == []

    said = {
        "typeid": [TypeID[asdu.type] for asdu in master.asdus],
        "causetx": [asdu.cause for asdu in master.asdus],
        "nega": [int(asdu.negative) for asdu in master.asdus],
        "addr": [asdu.ca for asdu in master.asdus],
        "oa": [asdu.originator for asdu in master.asdus],
        "numix": [len(asdu.objects) or 1 for asdu in master.asdus],
        "ioa": [one.ioa for asdu in master.asdus for one in asdu.objects or [asdu]],
    }
    tx, rx, port = "iec60870_104.tx", "iec60870_104.rx", "tcp.srcport"
    packets = wire.packets("iec60870_104", port, tx, rx, *(f"iec60870_asdu.{name}" for name in said))
    ours = [packet for packet in packets if packet[port] == [str(station.plain)]]
    theirs = [packet for packet in packets if packet not in ours]
    for name, values in said.items():
        assert told(ours, f"iec60870_asdu.{name}") == values, name

    assert told(ours, tx) == list(range(len(master.asdus)))
    assert told(theirs, tx) == list(range(len(told(theirs, tx))))
    assert all(one <= other for one, other in pairwise(told(ours, rx)))
    assert told(ours, rx)[-1] == len(told(theirs, tx))


@pytest.mark.parametrize(("version", "code"), [("1.2", "0x0303"), ("1.3", "0x0304")])
def test_the_tls_port_shows_a_handshake_and_no_telecontrol(run, connect, capture, version, code):
    station = run()
    wire = capture(station.tls, "tls")
    master = connect(station, f"TLS {version}").start()
    master.ask("interrogate")
    master.until(type="C_IC_NA_1", cause=10)
    master.ask("disconnect")
    master.becomes("CLOSED")
    wire.until_closed()

    kind, oldest, supported = (
        f"tls.handshake.{name}" for name in ("type", "version", "extensions.supported_version")
    )
    client, server, *_ = wire.packets("tls.handshake.type", kind, oldest, supported)
    assert client[kind] == [CLIENT_HELLO]
    assert server[kind][0] == SERVER_HELLO
    assert (server[supported] or server[oldest])[0] == code
    assert wire.packets(f"tls.app_data && tcp.srcport == {station.tls}", "frame.number")
    plain = " || ".join(
        f"tcp.payload contains {octets}" for octets in (STARTDT_ACT, STARTDT_CON, INTERROGATION)
    )
    assert wire.packets(plain, "frame.number") == []
