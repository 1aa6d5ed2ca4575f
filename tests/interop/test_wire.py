"""A session of the foreign master, read off the wire by tshark: a second opinion on every octet."""

from itertools import pairwise

import pytest

from rtu.iec104.catalogue import TypeID

WARNING = "0x600000"
CLIENT_HELLO, SERVER_HELLO = "1", "2"
STARTDT_ACT = "68:04:07:00:00:00"
STARTDT_CON = "68:04:0b:00:00:00"
INTERROGATION = "64:01:06:00:01:00:00:00:00:14"


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
