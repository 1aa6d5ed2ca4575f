"""What is recorded of a session over TLS is that session: the foreign master and tshark agree on every ASDU."""

import pytest

from rtu.cli.main import main
from rtu.iec104.catalogue import TypeID
from tests.interop.test_wire import a_whole_session, told
from tests.tshark import WARNING, packets


@pytest.mark.parametrize("way", ["TLS 1.2", "TLS 1.3", "plain"])
def test_a_recorded_session_is_the_one_the_master_had(run, connect, tmp_path, way):
    station = run()
    assert main(["trace", "on", str(station.file)]) == 0
    master = connect(station, way).start()
    a_whole_session(master)
    master.ask("disconnect")
    master.becomes("CLOSED")
    file = tmp_path / "saved.pcap"
    assert main(["trace", "off", str(station.file)]) == 0
    assert main(["trace", "save", str(file), str(station.file)]) == 0

    faults = f"_ws.malformed || _ws.expert.severity >= {WARNING} || tcp.analysis.flags"
    assert packets(file, faults, "frame.number", "_ws.expert.message") == []
    said = {
        "typeid": [TypeID[asdu.type] for asdu in master.asdus],
        "causetx": [asdu.cause for asdu in master.asdus],
        "nega": [int(asdu.negative) for asdu in master.asdus],
        "addr": [asdu.ca for asdu in master.asdus],
        "oa": [asdu.originator for asdu in master.asdus],
        "numix": [len(asdu.objects) or 1 for asdu in master.asdus],
        "ioa": [one.ioa for asdu in master.asdus for one in asdu.objects or [asdu]],
    }
    ours = packets(
        file,
        "iec60870_asdu && tcp.srcport == 2404",
        "iec60870_104.tx",
        *(f"iec60870_asdu.{name}" for name in said),
    )
    for name, values in said.items():
        # What was under way when the master closed was sent, and never seen by it.
        assert told(ours, f"iec60870_asdu.{name}")[: len(values)] == values, name
    sent = told(ours, "iec60870_104.tx")
    assert sent == list(range(len(sent)))
