"""The trail reaches each log server: over TLS, framed, in order, at least once, however often the connection breaks."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import ssl
import threading

import pytest

from rtu.config.schema import LogServer
from rtu.security.audit import sender
from rtu.security.audit.chain import files
from rtu.security.audit.sender import Sender
from rtu.security.certificates import pki
from tests.security.chained import Trail, lines

DEADLINE_S = 30
_FRAME = re.compile(rb"(\d+) ")


class LogHost:
    """A log server. `messages` are those that came, `connections` how many there were."""

    def __init__(self, context: ssl.SSLContext, port: int = 0) -> None:
        self._context = context
        self._listening = socket.create_server(("127.0.0.1", port))
        self.port = self._listening.getsockname()[1]
        self.messages: list[bytes] = []
        self.connections = 0
        self._changed = threading.Condition()
        self._line = self._listening
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            self._line = plain.dup()  # the one to break it off with
            with (
                self._line,
                contextlib.suppress(OSError),
                self._context.wrap_socket(plain, server_side=True) as connection,
            ):
                self._read(connection)

    def _read(self, connection: ssl.SSLSocket) -> None:
        octets = b""
        while True:
            while found := _FRAME.match(octets):
                length = int(found[1])
                if len(octets) < found.end() + length:
                    break
                with self._changed:
                    self.messages.append(octets[found.end() : found.end() + length])
                    self._changed.notify_all()
                octets = octets[found.end() + length :]
            assert len(octets) < 100_000
            more = connection.recv(65536)
            if not more:
                return
            octets += more

    def until(self, count: int) -> list[bytes]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.messages) >= count, DEADLINE_S), len(self.messages)
        return self.messages

    def complete(self, lines: list[bytes]) -> None:
        """Wait until each of these lines has come."""
        with self._changed:
            assert self._changed.wait_for(lambda: set(lines) <= set(bodies(self.messages)), DEADLINE_S)

    def break_off(self) -> None:
        with contextlib.suppress(OSError):  # it may be over, or never have begun
            self._line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._listening.fileno() >= 0:
            self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()
        self.break_off()
        self._thread.join(DEADLINE_S)


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    where = tmp_path_factory.mktemp("keys")
    ca, other = pki.make_ca("Logs CA"), pki.make_ca("Other CA")
    ca.write(where / "ca.crt")
    other.write(where / "other.crt")
    pki.issue(ca, "logs", "station", ["dns:logs.example", "ip:127.0.0.1"]).write(
        where / "logs.crt", where / "logs.key"
    )
    pki.issue(ca, "rtu", "master", ["dns:rtu.example"]).write(where / "rtu.crt", where / "rtu.key")
    return where


@pytest.fixture
def context(keys):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys / "logs.crt", keys / "logs.key")
    return context


@pytest.fixture
def host(context):
    host = LogHost(context)
    yield host
    host.close()


@pytest.fixture
def trail(tmp_path):
    return Trail(tmp_path / "audit")


@pytest.fixture
def where(tmp_path):
    return tmp_path / "audit"


@pytest.fixture
def make(keys, where):
    def make(port, **more):
        server = LogServer(host="127.0.0.1", port=port, **{"trusted": ["ca.crt"], **more})
        return Sender(server, keys, where, "rtu-0007")

    return make


@pytest.fixture
def running(monkeypatch):
    """Run senders beside the test; they are stopped at its end."""
    monkeypatch.setattr(sender, "SHORTEST_WAIT_S", 0.05)
    monkeypatch.setattr(sender, "POLL_S", 0.05)
    stop, threads = threading.Event(), []

    def start(*senders):
        for each in senders:
            thread = threading.Thread(target=each.run, args=(stop,))
            thread.start()
            threads.append(thread)

    yield start
    stop.set()
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def once(sender):
    return sender.run(threading.Event(), once=True)


def bodies(messages):
    return [message.partition(b"] ")[2] for message in messages]


def test_every_line_arrives_as_it_is_in_the_order_of_the_chain(make, host, trail, where):
    trail.record("start")
    trail.commands(250)
    assert once(make(host.port))
    assert bodies(host.until(251)) == lines(where)


def test_the_next_time_only_what_is_new_is_sent(make, host, trail, where):
    trail.commands(5)
    assert once(make(host.port))
    trail.commands(3)
    assert once(make(host.port))
    assert bodies(host.until(8)) == lines(where)
    assert len(host.messages) == 8


def test_what_comes_while_it_runs_is_sent_at_once(make, host, trail, where, running):
    running(make(host.port))
    for count in (1, 2, 3):
        trail.commands(1)
        host.until(count)
    assert bodies(host.messages) == lines(where)


def test_a_server_that_is_away_gets_everything_when_it_comes_back(make, context, host, trail, where, running):
    host.close()
    running(make(host.port))
    trail.commands(20)
    back = LogHost(context, host.port)
    assert bodies(back.until(20)) == lines(where)
    back.close()


def test_each_server_gets_all_though_the_other_is_away(make, host, trail, where, running):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    running(make(port), make(host.port))
    trail.commands(10)
    assert bodies(host.until(10)) == lines(where)


def test_when_a_connection_breaks_nothing_is_lost_and_the_order_stays(make, host, trail, where, running):
    running(make(host.port))
    for round_ in range(1, 6):
        before = len(host.messages)
        trail.commands(30)
        host.until(before + 1)
        host.break_off()
        host.complete(lines(where))
        assert host.connections >= round_
    last = {line: at for at, line in enumerate(bodies(host.messages))}
    assert [last[line] for line in lines(where)] == sorted(last.values())
    first = list(dict.fromkeys(bodies(host.messages)))
    assert first == lines(where)


def test_it_goes_on_from_file_to_file(make, host, where):
    trail = Trail(where)
    trail.commands(1500, reason="x" * 100)
    assert len(files(where)) > 1
    assert once(make(host.port))
    assert bodies(host.until(1500)) == lines(where)


def test_the_server_is_told_how_many_gave_way_before_they_could_be_sent(make, host, trail, where):
    trail.commands(10)
    assert once(make(host.port))
    trail.commands(6000, reason="x" * 200)
    trail.clock.advance(1)
    left = lines(where)
    assert once(make(host.port))
    messages = host.until(10 + 1 + len(left))
    assert b'ID="outstation:2.7"' in messages[10]
    first = int(re.search(rb'"seq": (\d+)', left[0])[1])
    assert b"missing=%d" % (first - 11) in messages[10]
    assert bodies(messages[11:]) == left


def test_a_trail_that_was_begun_anew_is_sent_from_its_beginning(make, host, trail, where):
    trail.commands(5)
    assert once(make(host.port))
    trail.end()
    for path in files(where):
        path.unlink()
    trail = Trail(where)
    trail.commands(2)
    (remembered,) = where.glob("sent-*.json")
    remembered.write_bytes(remembered.read_bytes().replace(b'"file":1', b'"file":9'))
    assert once(make(host.port))
    assert bodies(host.until(7))[5:] == lines(where)


def test_a_line_that_was_cut_off_meanwhile_does_not_confuse_it(make, host, trail, where):
    trail.commands(5)
    assert once(make(host.port))
    path = where / "audit-000001.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines(where)[:3]))
    trail.die()
    trail = Trail(where)
    trail.commands(4)
    assert once(make(host.port))
    assert bodies(host.until(7))[5:] == lines(where)[5:]


def test_what_is_remembered_may_be_spoilt_then_all_is_sent_again(make, host, trail, where):
    trail.commands(3)
    assert once(make(host.port))
    (remembered,) = where.glob("sent-*.json")
    assert remembered.name == f"sent-127.0.0.1-{host.port}.json"
    remembered.write_bytes(b'{"file": "1"')
    assert once(make(host.port))
    assert bodies(host.until(6)) == 2 * lines(where)


# Whom it talks to


def test_a_server_of_another_authority_gets_nothing(make, host, trail, caplog):
    trail.commands(1)
    assert not once(make(host.port, trusted=["other.crt"]))
    assert host.messages == []
    assert (
        "its certificate is not accepted: unable to get local issuer certificate; records wait" in caplog.text
    )


def test_a_server_of_another_name_gets_nothing(make, host, trail, caplog):
    trail.commands(1)
    assert not once(make(host.port, name="elsewhere.example"))
    assert host.messages == []
    assert "Hostname mismatch" in caplog.text
    assert once(make(host.port, name="logs.example"))


def test_a_server_that_speaks_no_tls_gets_nothing(make, trail, caplog):
    trail.commands(1)
    heard = []

    def serve():
        connection, _ = listening.accept()
        with connection:
            heard.append(connection.recv(1000))
            connection.sendall(b"220 welcome\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        assert not once(make(listening.getsockname()[1]))
        thread.join()
    assert b"command.execute" not in heard[0]
    assert "records wait" in caplog.text


def test_a_server_that_asks_for_a_certificate_is_shown_one(make, context, host, trail, keys, where):
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(keys / "ca.crt")
    trail.commands(1)
    assert not once(make(host.port))
    assert host.messages == []
    assert once(make(host.port, certificate="rtu.crt", private_key="rtu.key"))
    assert bodies(host.until(1)) == lines(where)


def test_old_versions_of_tls_are_not_spoken(make, keys, trail):
    trail.commands(1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys / "logs.crt", keys / "logs.key")
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    old = LogHost(context)
    assert not once(make(old.port))
    old.close()
    assert old.messages == []


def test_files_that_cannot_be_used_are_named(make, host, trail, keys, tmp_path, caplog):
    trail.commands(1)
    (keys / "empty.crt").write_text("")
    for name, words in (
        ("missing.crt", "No such file or directory"),
        ("empty.crt", "not a certificate (PEM)"),
    ):
        assert not once(make(host.port, trusted=[name]))
        assert f"{keys / name}: {words}" in caplog.text


def test_the_trail_is_only_read(make, host, trail, where):
    trail.commands(3)
    before = shutil.copytree(where, where.parent / "before")
    assert once(make(host.port))
    assert [path.read_bytes() for path in files(where)] == [path.read_bytes() for path in files(before)]
