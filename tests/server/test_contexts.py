"""What TLS needs for a connection goes with it: hundreds of kilobytes a time, which no garbage collector need find."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref

import pytest

from bench.flood import HELLO
from rtu.cli.master import Master
from rtu.config import schema
from rtu.security.certificates import pki
from rtu.security.identity import Gate
from rtu.security.tls.context import client_context
from rtu.server.listener import Door, Listener
from tests.tls_parts import Tls

DEADLINE_S = 10.0


class Watched:
    """The contexts of a listener; `made` are those it was given."""

    def __init__(self, contexts):
        self.contexts = contexts
        self.made = []

    async def take(self):
        context = await self.contexts.take()
        self.made.append(weakref.ref(context))
        return context

    def refuses(self, chain):
        return self.contexts.refuses(chain)


def test_a_context_is_gone_with_its_connection_without_the_garbage_collector(rig, tmp_path):
    ca = pki.make_ca("CA")
    ca.write(tmp_path / "ca.crt")
    pki.issue(ca, "station", "station", ["ip:127.0.0.1"]).write(
        tmp_path / "station.crt", tmp_path / "station.key"
    )
    pki.issue(ca, "master", "master", ["dns:m.example"]).write(tmp_path / "m.crt", tmp_path / "m.key")
    identity = schema.Identity(issuer="ca.crt", san="dns:m.example")
    gate = Gate([schema.Master(name="m", identity=identity, group="main")], tmp_path)
    listen = schema.ListenTls(certificate="station.crt", private_key="station.key", trusted=["ca.crt"])
    contexts = Tls(listen, tmp_path).contexts
    watched = Watched(contexts)

    async def story():
        listener = Listener(rig.station, gate, Door("tls", "127.0.0.1", 0, "viewer", 4, watched))
        listener.open()
        gc.disable()
        try:
            for _ in range(3):
                client = client_context([tmp_path / "ca.crt"], tmp_path / "m.crt", tmp_path / "m.key")
                master = await Master.connect("127.0.0.1", listener.port, context=client)
                await master.start()
                await master.close()
            await until(lambda: all(context() is None for context in watched.made))
        finally:
            gc.enable()
            await listener.close("the test is over")

    asyncio.run(story())
    assert len(watched.made) == 3


@pytest.mark.parametrize(
    "said", [b"\x16", b"GET / HTTP/1.0\r\n\r\n", HELLO], ids=["an octet", "nonsense", "hello"]
)
def test_a_context_is_gone_with_a_peer_that_did_not_get_in_too(rig, tmp_path, said):
    ca = pki.make_ca("CA")
    ca.write(tmp_path / "ca.crt")
    pki.issue(ca, "station", "station", ["ip:127.0.0.1"]).write(
        tmp_path / "station.crt", tmp_path / "station.key"
    )
    identity = schema.Identity(issuer="ca.crt", san="dns:m.example")
    gate = Gate([schema.Master(name="m", identity=identity, group="main")], tmp_path)
    listen = schema.ListenTls(certificate="station.crt", private_key="station.key", trusted=["ca.crt"])
    contexts = Watched(Tls(listen, tmp_path).contexts)

    async def story():
        listener = Listener(rig.station, gate, Door("tls", "127.0.0.1", 0, "viewer", 4, contexts))
        listener.open()
        gc.disable()
        try:
            for _ in range(3):
                with socket.create_connection(("127.0.0.1", listener.port)) as peer:
                    peer.sendall(said)
                    seen = len(contexts.made)
                    await until(lambda seen=seen: len(contexts.made) > seen)
            await until(lambda: all(context() is None for context in contexts.made))
        finally:
            gc.enable()
            await listener.close("the test is over")

    asyncio.run(story())
    assert len(contexts.made) == 3


async def until(condition):
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.005)
