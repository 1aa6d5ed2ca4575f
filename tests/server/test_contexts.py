"""What TLS needs for a connection goes with it: hundreds of kilobytes a time, which no garbage collector need find."""

from __future__ import annotations

import asyncio
import gc
import weakref

from rtu.cli.master import Master
from rtu.config import schema
from rtu.security import pki
from rtu.security.identity import Gate
from rtu.security.tls import Contexts, client_context
from rtu.server.listener import Door, Listener

DEADLINE_S = 10.0


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
    contexts = Contexts(listen, tmp_path, lambda work: None)
    made = []

    def take():
        context = contexts.take()
        made.append(weakref.ref(context))
        return context

    async def story():
        listener = Listener(rig.station, gate, Door("tls", "127.0.0.1", 0, "viewer", 4, take))
        listener.open()
        gc.disable()
        try:
            for _ in range(3):
                client = client_context([tmp_path / "ca.crt"], tmp_path / "m.crt", tmp_path / "m.key")
                master = await Master.connect("127.0.0.1", listener.port, context=client)
                await master.start()
                await master.close()
            async with asyncio.timeout(DEADLINE_S):
                while any(context() is not None for context in made):  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0.005)
        finally:
            gc.enable()
            await listener.close("the test is over")

    asyncio.run(story())
    assert len(made) == 3
