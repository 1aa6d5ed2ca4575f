"""The controlling station as a part: window, order, bounds and ends."""

import asyncio

import pytest

from rtu.cli import master as module
from rtu.cli.master import ConnectionLost, Master
from rtu.iec104 import ASDU, Cause, InformationObject, Link, LinkBusy, LinkParameters, Role, TypeID
from rtu.iec104.elements import SCO, SIQ
from rtu.iec104.link import AsduReceived

COMMAND = ASDU(TypeID.C_SC_NA_1, Cause.ACT, 1, (InformationObject(5, (SCO(True),)),))


def event(ioa):
    return ASDU(TypeID.M_SP_NA_1, Cause.SPONT, 1, (InformationObject(ioa, (SIQ(True),)),)).encode()


class Station(asyncio.Protocol):
    """Sends `events` once started, as its window allows."""

    def __init__(self, events):
        self.events = list(events)
        self.link = Link(Role.CONTROLLED, LinkParameters(), 0.0)
        self.received = []

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        for happened in self.link.receive(data, 0.0):
            if isinstance(happened, AsduReceived):
                self.received.append(happened.octets)
        while self.events and self.link.can_send:
            self.link.send(self.events.pop(0), 0.0)
        self.transport.write(self.link.data_to_send(0.0))


async def connected(events=()):
    """A master and the station it is connected to; the caller closes the server."""
    stations = []

    def accept():
        stations.append(Station(events))
        return stations[-1]

    server = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", 0)
    master = await Master.connect("127.0.0.1", server.sockets[0].getsockname()[1])
    server.close()
    return master, stations


def run(scenario):
    asyncio.run(scenario())


def test_start_and_stop_are_confirmed():
    async def scenario():
        master, stations = await connected()
        assert not master.started
        await master.start()
        assert master.started
        await master.stop()
        assert not master.started
        await master.close()
        assert master.closed_reason == "closed by this side"
        assert stations[0].link.closed_reason is None

    run(scenario)


def test_nothing_is_sent_before_the_start():
    async def scenario():
        master, _ = await connected()
        with pytest.raises(LinkBusy):
            await master.send(COMMAND)
        await master.close()

    run(scenario)


def test_more_than_k_asdus_wait_for_acknowledgement_and_arrive_in_order():
    async def scenario():
        master, stations = await connected()
        await master.start()
        sent = [ASDU(45, Cause.ACT, 1, (InformationObject(n, (SCO(True),)),)).encode() for n in range(1, 101)]
        for octets in sent:
            await master.send(octets)
        await master.stop()
        assert stations[0].received == sent
        assert master.acknowledged >= 100 - LinkParameters().k
        await master.close()

    run(scenario)


def test_who_takes_nothing_stops_the_reading_and_loses_nothing(monkeypatch):
    monkeypatch.setattr(module, "QUEUE", 10)
    events = [event(n) for n in range(1, 501)]

    async def scenario():
        master, stations = await connected(events)
        await master.start()
        got = [await master.receive()]
        while len(got) < len(events):
            # While nobody reads, the station can send no more than its window.
            assert len(events) - len(stations[0].events) - len(got) <= 2 * (10 + LinkParameters().k)
            got.append(await master.receive())
        assert got == events
        await master.close()

    run(scenario)


def test_what_was_received_can_be_taken_after_the_end():
    async def scenario():
        master, stations = await connected([event(1), event(2)])
        await master.start()
        got = [await master.receive()]
        stations[0].transport.close()
        got += [octets async for octets in master]
        assert got == [event(1), event(2)]
        with pytest.raises(ConnectionLost, match="closed by the station") as caught:
            await master.receive()
        assert caught.value.by_station

    run(scenario)


def test_a_station_that_breaks_the_protocol_is_left():
    async def scenario():
        master, stations = await connected()
        await master.start()
        stations[0].transport.write(b"GET / HTTP/1.1\r\n")
        with pytest.raises(ConnectionLost) as caught:
            await master.receive()
        assert not caught.value.by_station
        await master.close()

    run(scenario)


def test_a_wait_that_is_given_up_loses_no_asdu():
    async def scenario():
        master, stations = await connected()
        await master.start()
        waiting = asyncio.ensure_future(master.receive())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        stations[0].link.send(event(1), 0.0)
        stations[0].transport.write(stations[0].link.data_to_send(0.0))
        assert await master.receive() == event(1)
        await master.close()

    run(scenario)
