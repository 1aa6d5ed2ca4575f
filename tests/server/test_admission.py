"""Who knocks with what: known masters are served, everybody else is refused with one line on record.

Real sockets on loopback, the station behind them stands still. While strangers try, a master of its own is served.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import ssl
import warnings
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from rtu.cli.master import Master
from rtu.config.schema import Identity, ListenTls
from rtu.config.schema import Master as MasterTable
from rtu.iec104.asdu import ASDU, InformationObject
from rtu.iec104.elements import QOI, SIQ
from rtu.points.model import Value
from rtu.security.certificates import pki
from rtu.security.identity import Gate
from rtu.security.tls.context import client_context
from rtu.server import listener as module
from rtu.server.listener import Door, Listener, ListenError
from rtu.server.waiting_room import PER_ADDRESS
from tests.tls_parts import Tls

DEADLINE_S = 10.0
STARTDT_ACT, STARTDT_CON = bytes.fromhex("680407000000"), bytes.fromhex("68040b000000")
INTERROGATION = ASDU(100, 6, 1, (InformationObject(0, (QOI(20),)),))
REFUSED = ("tls.refuse", "plain.refuse")
HERE, ELSEWHERE = "127.0.0.1", "127.0.0.2"
MASTERS = [
    MasterTable(
        name="scada", identity=Identity(issuer="ca.crt", san="dns:scada.example"), from_=[HERE], group="main"
    ),
    MasterTable(name="local", from_=[HERE], group="other"),
]


def expired(ca):
    """A master's certificate that was valid until yesterday, which `pki` would never make."""
    good = pki.issue(ca, "scada", "master", ["dns:scada.example"])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(good.certificate.subject)
        .issuer_name(good.certificate.issuer)
        .public_key(good.certificate.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=30))
        .not_valid_after(now - dt.timedelta(days=1))
    )
    for extension in good.certificate.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return pki.Issued(builder.sign(ca.key, hashes.SHA256()), good.key)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with the station's files, and a certificate and key per name of a visitor."""
    where = tmp_path_factory.mktemp("pki")
    ca = pki.make_ca("CA")
    ca.write(where / "ca.crt")
    namesake = pki.make_ca("CA")
    for name, issued in {
        "station": pki.issue(ca, "station", "station", ["ip:127.0.0.1"]),
        "scada": pki.issue(ca, "scada", "master", ["dns:scada.example"]),
        "foreign": pki.issue(namesake, "scada", "master", ["dns:scada.example"]),
        "expired": expired(ca),
        "unknown": pki.issue(ca, "someone", "master", ["dns:someone.example"]),
        "server": pki.issue(ca, "scada", "station", ["dns:scada.example"]),
    }.items():
        issued.write(where / f"{name}.crt", where / f"{name}.key")
    return where


class House:
    """The station with both doors open, and who comes."""

    def __init__(self, rig, files, most_connections=8):
        self.rig = rig
        self.files = files
        gate = Gate(MASTERS, files)
        listen = ListenTls(certificate="station.crt", private_key="station.key", trusted=["ca.crt"])
        self.tls, self.plain = (
            Listener(rig.station, gate, Door(name, HERE, 0, "engineer", most_connections, make))
            for name, make in (("tls", Tls(listen, files).contexts), ("plain", None))
        )
        self.gate = gate

    @asynccontextmanager
    async def open(self):
        self.tls.open()
        self.plain.open()
        try:
            yield self
        finally:
            for door in (self.tls, self.plain):
                await door.close("the test is over")

    def context(self, who):
        """What a visitor with the certificate of this name speaks TLS with."""
        return client_context([self.files / "ca.crt"], self.files / f"{who}.crt", self.files / f"{who}.key")

    async def scada(self):
        """A master that is known, over TLS, started."""
        master = await Master.connect(HERE, self.tls.port, context=self.context("scada"))
        await master.start()
        return master

    def records(self, *events):
        return [record for record in self.rig.audit.records if record["event"] in events]

    async def until(self, condition: Callable[[], object]):
        """Let the loop run until it is so."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():  # noqa: ASYNC110 - whatever it looks at has no event to wait for
                await asyncio.sleep(0.005)


async def visit(port, *, context=None, say=b"", source=HERE, leave=False):
    """Connect, say something, and stay until shown out; what was heard by then."""
    try:
        reader, writer = await asyncio.open_connection(HERE, port, ssl=context, local_addr=(source, 0))
    except (OSError, ssl.SSLError):
        return b""
    try:
        writer.write(say)
        return b"" if leave else await asyncio.wait_for(reader.read(), DEADLINE_S)
    except (OSError, ssl.SSLError):
        return b""
    finally:
        writer.close()
        with suppress(OSError, ssl.SSLError):
            await writer.wait_closed()


async def ask(master):
    """One interrogation, from its confirmation to its termination."""
    await master.send(INTERROGATION)
    async with asyncio.timeout(DEADLINE_S):
        while ASDU.decode(await master.receive()).cause != 10:
            pass


async def keep_asking(master, count):
    """Never stop; `count[0]` says how often it was answered."""
    while True:
        await ask(master)
        count[0] += 1
        await asyncio.sleep(0)


def uncertified():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def outdated(house, minor):
    """A known master whose TLS 1.`minor` is no more: it has to be told that this is what it wants."""
    context = house.context("scada")
    context.set_ciphers("ALL:@SECLEVEL=0")
    version = {0: ssl.TLSVersion.TLSv1, 1: ssl.TLSVersion.TLSv1_1}[minor]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    return context


Stranger = Callable[[House], Awaitable[object]]
STRANGERS: dict[str, tuple[Stranger, str, str]] = {
    "a certificate of another authority of that name": (
        lambda house: visit(house.tls.port, context=house.context("foreign")),
        "tls.refuse",
        "wrong signature|not trusted|authority key",
    ),
    "no certificate": (
        lambda house: visit(house.tls.port, context=uncertified()),
        "tls.refuse",
        "showed no certificate",
    ),
    "an expired certificate": (
        lambda house: visit(house.tls.port, context=house.context("expired")),
        "tls.refuse",
        "has expired",
    ),
    "a certificate of nobody we know": (
        lambda house: visit(house.tls.port, context=house.context("unknown")),
        "tls.refuse",
        "belongs to no master",
    ),
    "a station's certificate": (
        lambda house: visit(house.tls.port, context=house.context("server")),
        "tls.refuse",
        "made for another purpose",
    ),
    "the right certificate from elsewhere": (
        lambda house: visit(house.tls.port, context=house.context("scada"), source=ELSEWHERE),
        "tls.refuse",
        "from this address",
    ),
    "plain TCP from elsewhere": (
        lambda house: visit(house.plain.port, say=STARTDT_ACT, source=ELSEWHERE),
        "plain.refuse",
        "from this address",
    ),
    "plain 104 on the TLS port": (
        lambda house: visit(house.tls.port, say=STARTDT_ACT),
        "tls.refuse",
        "does not speak TLS",
    ),
    "nothing said on the TLS port": (
        lambda house: visit(house.tls.port),
        "tls.refuse",
        "did not finish the handshake in time",
    ),
    **{
        f"TLS 1.{minor}": (
            lambda house, minor=minor: visit(house.tls.port, context=outdated(house, minor)),
            "tls.refuse",
            "version",
        )
        for minor in (0, 1)
    },
    "gone before the handshake": (
        lambda house: visit(house.tls.port, leave=True),
        "tls.refuse",
        "closed the connection during the handshake",
    ),
}


ROWS = {
    "a certificate of another authority of that name": "M02",
    "no certificate": "M02",
    "an expired certificate": "M02",
    "plain TCP from elsewhere": "D12",
    "plain 104 on the TLS port": "M03",
    "TLS 1.0": "M04",
    "TLS 1.1": "M04",
}


@pytest.mark.parametrize(
    "stranger",
    [pytest.param(one, marks=[pytest.mark.checklist(ROWS[one])] if one in ROWS else []) for one in STRANGERS],
)
def test_a_stranger_is_refused_with_one_line_and_disturbs_nobody(rig, files, monkeypatch, stranger):
    monkeypatch.setattr(module, "HANDSHAKE_TIMEOUT", 0.5)
    knock, event, reason = STRANGERS[stranger]

    async def test():
        async with House(rig, files).open() as house:
            master = await house.scada()
            answered = [0]
            asking = asyncio.create_task(keep_asking(master, answered))
            heard = await knock(house)
            await house.until(lambda: house.records(*REFUSED))
            before = answered[0]
            await house.until(lambda: answered[0] > before + 3)
            asking.cancel()
            assert STARTDT_CON not in heard
            (record,) = house.records(*REFUSED)
            assert record["event"] == event
            assert record["peer"] == (ELSEWHERE if "elsewhere" in stranger else HERE)
            assert [words for words in reason.split("|") if words in record["reason"]], record["reason"]
            assert [record["master"] for record in house.records("tls.accept", "plain.accept")] == ["scada"]
            assert house.records("session.close") == []
            await master.close()

    asyncio.run(test())


def test_m03_a_tls_hello_on_the_plain_port_ends_that_connection_only(rig, files):
    async def test():
        async with House(rig, files).open() as house:
            master = await house.scada()
            await visit(house.plain.port, context=uncertified())
            await house.until(lambda: house.records("session.close"))
            (closed,) = house.records("session.close")
            assert closed["master"] == "local"
            assert closed["reason"]
            await ask(master)
            await master.close()

    asyncio.run(test())


def test_a20_no_more_masters_than_configured(rig, files):
    async def test():
        async with House(rig, files, most_connections=2).open() as house:
            master = await house.scada()
            second = await Master.connect(HERE, house.tls.port, context=house.context("scada"))
            await house.until(lambda: len(house.records("tls.accept")) == 2)
            await visit(house.tls.port, context=house.context("scada"))
            await house.until(lambda: house.records("tls.refuse"))
            (refused,) = house.records("tls.refuse")
            assert "too many connections" in refused["reason"]
            await ask(master)
            await second.close()
            await house.until(lambda: house.records("session.close"))
            third = await Master.connect(HERE, house.tls.port, context=house.context("scada"))
            await house.until(lambda: len(house.records("tls.accept")) == 3)
            await third.close()
            await master.close()

    asyncio.run(test())


def test_peers_that_say_nothing_do_not_keep_a_master_of_their_address_waiting(rig, files):
    """They take no turn, and have their time for nothing; what one address may have is left for one more."""

    async def test():
        async with House(rig, files).open() as house:
            silent = [socket.create_connection((HERE, house.tls.port)) for _ in range(PER_ADDRESS - 1)]
            async with asyncio.timeout(DEADLINE_S):
                master = await house.scada()
            await ask(master)
            assert not house.records("tls.refuse")
            for peer in silent:
                peer.close()
            await house.until(lambda: len(house.records("tls.refuse")) == PER_ADDRESS - 1)
            await master.close()

    asyncio.run(test())


def test_m01_over_tls_the_station_says_what_it_says_over_plain_tcp(rig, files):
    async def test():
        async with House(rig, files).open() as house:
            told = []
            for master in (await Master.connect(HERE, house.plain.port), await house.scada()):
                if not told:
                    await master.start()
                await master.send(INTERROGATION)
                octets = []
                async with asyncio.timeout(DEADLINE_S):
                    while not octets or ASDU.decode(octets[-1]).cause != 10:
                        octets.append(await master.receive())
                told.append(octets)
                await master.close()
            assert told[0] == told[1]
            assert len(told[0]) > 2

    asyncio.run(test())


def test_tls_bytes_are_one_record_per_apdu(rig, files):
    """A master that looks at its socket only, not into its TLS library, must find every APDU there."""

    async def test():
        async with House(rig, files).open() as house:
            raw = socket.create_connection((HERE, house.tls.port))
            raw.setblocking(False)
            loop = asyncio.get_running_loop()
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = house.context("scada").wrap_bio(incoming, outgoing)

            async def exchange(operation):
                async with asyncio.timeout(DEADLINE_S):
                    while True:
                        try:
                            result = operation()
                        except ssl.SSLWantReadError:
                            result = None
                        if outgoing.pending:
                            await loop.sock_sendall(raw, outgoing.read())
                        if result is not None:
                            return result
                        # One record at a time: its header, then what that announces.
                        header = await receive(5)
                        incoming.write(header + await receive(int.from_bytes(header[3:5], "big")))

            async def receive(count):
                octets = b""
                while len(octets) < count:
                    octets += await loop.sock_recv(raw, count - len(octets))
                return octets

            await exchange(lambda: tls.do_handshake() or True)
            await exchange(lambda: tls.write(STARTDT_ACT))
            frames = []
            while len(frames) < 2 + len(rig.station.common_addresses) or frames[-1][6:9] != b"\x64\x01\x0a":
                frames.append(await exchange(lambda: tls.read(1 << 14)))
                if frames == [STARTDT_CON]:
                    await exchange(lambda: tls.write(bytes.fromhex("680e00000000") + INTERROGATION.encode()))
            assert [len(frame) for frame in frames] == [2 + frame[1] for frame in frames]
            raw.close()

    asyncio.run(test())


def test_the_second_connection_of_a_group_is_confirmed_after_the_first_is_closed(rig, files):
    async def test():
        async with House(rig, files).open() as house:
            loop = asyncio.get_running_loop()
            first, second = (socket.create_connection((HERE, house.plain.port)) for _ in range(2))
            for one in (first, second):
                one.setblocking(False)
            await loop.sock_sendall(first, STARTDT_ACT)
            async with asyncio.timeout(DEADLINE_S):
                heard = await loop.sock_recv(first, 4096)
                assert heard.startswith(STARTDT_CON)
                await loop.sock_sendall(second, STARTDT_ACT)
                heard = await loop.sock_recv(second, 6)
            assert heard == STARTDT_CON
            with suppress(ConnectionResetError):
                while octets := first.recv(4096):  # raises BlockingIOError if it is still open
                    assert octets
            (closed,) = house.records("session.close")
            assert "another connection" in closed["reason"]
            first.close()
            second.close()

    asyncio.run(test())


def test_a_master_that_never_reads_keeps_nothing_from_the_others(rig, files):
    async def test():
        async with House(rig, files).open() as house:
            deaf = socket.create_connection((HERE, house.plain.port))
            deaf.sendall(STARTDT_ACT)
            await house.until(lambda: rig.station.groups["other"].holder is not None)
            master = await house.scada()
            await ask(master)
            index = rig.table.index("door")
            for number in range(1, 201):
                rig.table.update(index, Value(number % 2, 0, rig.clock.now_ns()))
                async with asyncio.timeout(DEADLINE_S):
                    told = ASDU.decode(await master.receive())
                    while told.ca != 1:
                        told = ASDU.decode(await master.receive())
                assert {one.elements[0] for one in told.objects} == {SIQ(bool(number % 2))}
            await ask(master)
            deaf.close()
            await master.close()

    asyncio.run(test())


def test_closing_the_doors_ends_every_connection_and_the_port_is_free_at_once(rig, files):
    async def test():
        async with House(rig, files).open() as house:
            master = await house.scada()
            local = await Master.connect(HERE, house.plain.port)
            await local.start()
            port = house.plain.port
            for door in (house.tls, house.plain):
                await door.close("the station stops")
            for one in (master, local):
                async with asyncio.timeout(DEADLINE_S):
                    told = [octets async for octets in one]
                assert one.closed_reason
                assert told
                await one.close()
            reasons = {record["master"]: record["reason"] for record in house.records("session.close")}
            assert reasons == {"scada": "the station stops", "local": "the station stops"}
            with pytest.raises(OSError, match="refused"):
                socket.create_connection((HERE, port))
            again = Listener(rig.station, house.gate, Door("plain", HERE, port, "engineer", 8))
            again.open()
            local = await Master.connect(HERE, port)
            await local.start()
            await local.close()
            await again.close("the test is over")

    asyncio.run(test())


def test_a_port_in_use_is_said_in_one_line(rig, files):
    async def test():
        async with House(rig, files).open() as house:
            second = Listener(rig.station, house.gate, Door("plain", HERE, house.plain.port, "engineer", 8))
            with pytest.raises(
                ListenError, match=rf"cannot listen on 127\.0\.0\.1:{house.plain.port} \(plain\)"
            ):
                second.open()

    asyncio.run(test())
