"""A certificate and its key change together, whatever happens in between."""

import os
import ssl
import stat
from pathlib import Path

import pytest

from rtu.security.certificates import pki
from rtu.security.certificates.keys import CertificateError
from rtu.security.enrolment.pair import Pair


class PowerCut(BaseException):
    """Nothing more is done."""


class Disk:
    """Counts what is asked of the disk, and fails for good at a given step.

    What was written and not synchronised is gone then; renames happen in order, as ext4's journal has it.
    """

    CALLS = ("mkdir", "rename", "replace", "symlink", "unlink", "rmdir", "fsync")

    def __init__(self, monkeypatch, fails_at=None):
        self.steps = 0
        self.fails_at = fails_at
        self.unsynced = {}
        for name in self.CALLS:
            monkeypatch.setattr(os, name, self._step(name, getattr(os, name)))
        self._open = os.open
        monkeypatch.setattr(os, "open", self._opened)

    def _opened(self, path, flags, mode=0o777, **more):
        handle = self._open(path, flags, mode, **more)
        if flags & os.O_CREAT:
            self.unsynced[os.fstat(handle).st_ino] = Path(path)
        return handle

    def _step(self, name, call):
        def step(*args, **kwargs):
            if self.fails_at is not None and self.steps >= self.fails_at:
                raise PowerCut
            self.steps += 1
            if name == "fsync":
                self.unsynced.pop(os.fstat(args[0]).st_ino, None)
            return call(*args, **kwargs)

        return step

    def lose(self, root):
        for path in root.rglob("*"):
            if path.is_file() and not path.is_symlink() and path.stat().st_ino in self.unsynced:
                path.write_bytes(b"")


@pytest.fixture(scope="module")
def made():
    ca = pki.make_ca("CA")
    return [pki.issue(ca, f"station {number}", "station", ["ip:127.0.0.1"]) for number in range(3)]


@pytest.fixture
def pair(tmp_path):
    return Pair(tmp_path / "station.crt", tmp_path / "station.key")


def install(pair, issued):
    pair.install(issued.certificate_pem, issued.key_pem)


def in_use(pair):
    """The certificate, which its key fits."""
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(pair.certificate, pair.key)
    return pair.certificate.read_bytes()


def test_a_first_pair_is_put_where_the_station_file_says(pair, made):
    install(pair, made[0])
    assert in_use(pair) == made[0].certificate_pem
    assert pair.before() is None


def test_plain_files_are_kept_as_the_pair_before(pair, made, tmp_path):
    made[0].write(pair.certificate, pair.key)
    install(pair, made[1])
    assert in_use(pair) == made[1].certificate_pem
    certificate, key = pair.before()
    assert (certificate.read_bytes(), key.read_bytes()) == (made[0].certificate_pem, made[0].key_pem)


def test_a_pair_can_be_taken_back_and_back_again(pair, made):
    for issued in made[:2]:
        install(pair, issued)
    pair.rollback()
    assert in_use(pair) == made[0].certificate_pem
    pair.rollback()
    assert in_use(pair) == made[1].certificate_pem


def test_only_the_pair_before_is_kept(pair, made, tmp_path):
    for issued in made:
        install(pair, issued)
    kept = {path.read_bytes() for path in tmp_path.rglob("key.pem") if not path.is_symlink()}
    assert kept == {made[1].key_pem, made[2].key_pem}


def test_there_is_nothing_before_the_first(pair, made):
    install(pair, made[0])
    with pytest.raises(CertificateError, match="no pair before"):
        pair.rollback()


def test_files_replaced_by_hand_are_taken_as_they_are(pair, made, tmp_path):
    install(pair, made[0])
    for path, octets in ((pair.certificate, made[1].certificate_pem), (pair.key, made[1].key_pem)):
        path.with_suffix(".tmp").write_bytes(octets)
        path.with_suffix(".tmp").rename(path)
    install(pair, made[2])
    assert in_use(pair) == made[2].certificate_pem
    pair.rollback()
    assert in_use(pair) == made[1].certificate_pem


def test_a_link_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "station.crt").symlink_to("elsewhere.crt")
    with pytest.raises(CertificateError, match="a link that somebody else made"):
        Pair(tmp_path / "station.crt", tmp_path / "station.key")


def test_certificate_and_key_are_two_files(tmp_path):
    with pytest.raises(CertificateError, match="in one file"):
        Pair(tmp_path / "station.pem", tmp_path / "station.pem")


def test_the_key_may_lie_in_another_directory(tmp_path, made):
    (tmp_path / "private").mkdir()
    pair = Pair(tmp_path / "station.crt", tmp_path / "private" / "station.key")
    for issued in made[:2]:
        install(pair, issued)
    assert in_use(pair) == made[1].certificate_pem


def test_a_key_is_for_its_owner_only_whatever_the_umask(pair, made):
    before = os.umask(0)
    try:
        install(pair, made[0])
    finally:
        os.umask(before)
    assert stat.S_IMODE(pair.key.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users, which needs root")
def test_the_station_reads_its_key_by_the_group_of_the_directory(pair, made, tmp_path):
    os.chown(tmp_path, 0, 12345)
    made[0].write(pair.certificate, pair.key)  # as root made it
    install(pair, made[1])
    found = pair.key.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 12345, 0o640)


def steps_of(work, root, monkeypatch):
    with monkeypatch.context() as patch:
        disk = Disk(patch)
        work(root)
    return disk.steps


def plain(root, made):
    made[0].write(root / "station.crt", root / "station.key")


def stored(root, made):
    install(Pair(root / "station.crt", root / "station.key"), made[0])


@pytest.mark.parametrize("begin", [plain, stored])
@pytest.mark.parametrize("action", ["install", "rollback"])
def test_a_power_cut_at_any_moment_leaves_a_pair_that_works(begin, action, made, tmp_path, monkeypatch):
    def prepare(root):
        root.mkdir()
        begin(root, made)
        if action == "rollback":
            install(Pair(root / "station.crt", root / "station.key"), made[2])

    def work(root):
        pair = Pair(root / "station.crt", root / "station.key")
        pair.rollback() if action == "rollback" else install(pair, made[1])

    prepare(tmp_path / "whole")
    steps = steps_of(work, tmp_path / "whole", monkeypatch)
    assert steps > 5
    met = set()
    for cut in range(steps):
        root = tmp_path / str(cut)
        prepare(root)
        with monkeypatch.context() as patch:
            disk = Disk(patch, fails_at=cut)
            with pytest.raises(PowerCut):
                work(root)
        disk.lose(root)
        pair = Pair(root / "station.crt", root / "station.key")
        met.add(in_use(pair))
        # And what was left behind is in nobody's way.
        install(pair, made[0])
        assert in_use(pair) == made[0].certificate_pem
    assert met == {
        made[2 if action == "rollback" else 0].certificate_pem,
        made[0 if action == "rollback" else 1].certificate_pem,
    }
