"""The files of the TLS listener while it runs: replaced, spoilt, taken away."""

from __future__ import annotations

import logging

import msgspec
import pytest

from rtu.security.certificates import pki
from rtu.security.tls.context import TlsError
from tests.certificates import CLIENT, make, renamed
from tests.tls_parts import Now, Tls

DAY_S = 86400.0


@pytest.fixture
def master(ca):
    return pki.issue(ca, "master", "master", ["dns:scada-a.example"])


@pytest.fixture
def with_list(listen, ca, tmp_path):
    """A station whose authority has a list, number 5."""
    put_list(tmp_path, ca, [], 5)
    return msgspec.structs.replace(listen, revoked=["ca.crl"])


def put_list(where, ca, serials, number, name="ca.crl", **how):
    (where / name).write_bytes(pki.revocation_list(ca, serials, number=number, **how))


@pytest.fixture
def verdict(master_context, handshake):
    """What becomes of a master: None if it gets in, else event and reason."""

    def of(tls, issued):
        return tls.verdict(handshake(tls.take(), master_context(issued)))

    return of


# Made ahead


def test_a_connection_finds_its_context_made(listen, tmp_path):
    tls = Tls(listen, tmp_path)
    ahead = tls.contexts._next
    assert tls.take() is ahead[2]


def test_no_two_connections_share_a_context(listen, tmp_path):
    tls = Tls(listen, tmp_path)
    taken = [tls.take(), tls.take()]
    tls.quiet()
    taken += [tls.take(), tls.take()]
    assert len({id(context) for context in taken}) == 4


def test_one_is_made_ahead_however_many_were_taken(listen, tmp_path):
    tls = Tls(listen, tmp_path)
    for _ in range(5):
        tls.take()
    tls.work[0]()
    ahead = tls.contexts._next
    tls.quiet()
    assert tls.contexts._next is ahead


@pytest.mark.parametrize("name", ["station.crt", "station.key", "ca.crt"])
def test_a_file_that_was_replaced_is_read_before_the_next_connection(name, listen, tmp_path):
    tls = Tls(listen, tmp_path)
    before = tls.contexts.generation
    again = tmp_path / "again"
    again.write_bytes((tmp_path / name).read_bytes())
    again.chmod(0o600)
    again.replace(tmp_path / name)
    tls.take()
    assert tls.contexts.generation is not before


def test_a_new_certificate_is_shown_from_the_next_connection(
    listen, ca, master, handshake, master_context, tmp_path
):
    tls = Tls(listen, tmp_path)
    renewed = pki.issue(ca, "station", "station", ["ip:127.0.0.1"])
    renewed.write(tmp_path / "station.crt", tmp_path / "station.key")
    ends = []
    handshake(tls.take(), master_context(master), ends=ends)
    assert ends[0].getpeercert(True) == renewed.certificate.public_bytes(pki.serialization.Encoding.DER)
    told = tls.trail.of("certificate.change")[-1]
    assert told["file"] == "station.crt"
    assert told["fingerprint"] == renewed.certificate.fingerprint(pki.keys.hashes.SHA256()).hex()


def test_files_are_read_in_the_background_and_the_connection_waits(listen, tmp_path):
    tls = Tls(listen, tmp_path)
    (tmp_path / "station.crt").touch()
    tls.background.held = []
    waited = []
    tls.contexts.refresh(lambda: waited.append("one"))
    tls.contexts.refresh(lambda: waited.append("two"))
    assert len(tls.background.held) == 1
    assert waited == []
    tls.background.let_go()
    assert waited == ["one", "two"]


def test_who_cannot_read_the_files_goes_on_with_what_he_has(listen, tmp_path, caplog, monkeypatch):
    tls = Tls(listen, tmp_path)

    def broken(*_):
        raise RuntimeError("no such thing")

    monkeypatch.setattr("rtu.security.tls.contexts.load", broken)
    (tmp_path / "station.crt").touch()
    with caplog.at_level(logging.ERROR):
        assert tls.take()
    assert "no such thing" in caplog.text


def test_files_that_cannot_be_read_at_the_start_keep_nothing_from_running(
    listen, tmp_path, caplog, monkeypatch
):
    def broken(*_):
        raise RuntimeError("no such thing")

    with monkeypatch.context() as patched, caplog.at_level(logging.ERROR):
        patched.setattr("rtu.security.tls.contexts.load", broken)
        tls = Tls(listen, tmp_path)
    assert "no such thing" in caplog.text
    assert not tls.contexts.status().usable
    assert tls.take()


# Spoilt


SPOILT = {
    "the key of another certificate": lambda at, other: other.write(at / "other.crt", at / "station.key"),
    "a certificate without its key": lambda at, other: other.write(at / "station.crt"),
    "half a certificate": lambda at, other: (at / "station.crt").write_bytes(
        (at / "station.crt").read_bytes()[:300]
    ),
    "an empty certificate": lambda at, other: (at / "station.crt").write_bytes(b""),
    "an empty key": lambda at, other: (at / "station.key").write_bytes(b""),
    "no certificate": lambda at, other: (at / "station.crt").unlink(),
    "no key": lambda at, other: (at / "station.key").unlink(),
    "a key for everybody": lambda at, other: (at / "station.key").chmod(0o644),
    "an empty authority": lambda at, other: (at / "ca.crt").write_bytes(b""),
    "half an authority": lambda at, other: (at / "ca.crt").write_bytes((at / "ca.crt").read_bytes()[:200]),
    "an authority that is something else": lambda at, other: (at / "ca.crt").write_bytes(b"hello"),
}


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_file_that_went_bad_changes_nothing_but_is_told_once(spoil, listen, ca, master, verdict, tmp_path):
    tls = Tls(listen, tmp_path)
    good = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    SPOILT[spoil](tmp_path, pki.issue(ca, "other", "station"))
    for _ in range(3):
        assert verdict(tls, master) is None
    (told,) = tls.trail.of("tls.fault")
    assert str(tmp_path) in told["reason"]
    assert "\n" not in told["reason"]
    assert tls.contexts.status().usable
    assert tls.contexts.status().reason == told["reason"]
    for name in ("station.crt", "station.key", "ca.crt"):
        (tmp_path / name).write_bytes(good[name])
        (tmp_path / name).chmod(0o600)
    assert verdict(tls, master) is None
    assert len(tls.trail.of("tls.recovered")) == 1
    assert tls.contexts.status().reason == ""


@pytest.mark.parametrize("spoil", [*SPOILT, "no authority"])
def test_at_the_start_there_is_no_good_one_and_everybody_is_refused_until_there_is(
    spoil, listen, ca, master, verdict, tmp_path
):
    good = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    steps = SPOILT | {"no authority": lambda at, other: (at / "ca.crt").unlink()}
    steps[spoil](tmp_path, pki.issue(ca, "other", "station"))
    tls = Tls(listen, tmp_path)
    assert not tls.contexts.status().usable
    with pytest.raises(TlsError, match=r"station|ca\.crt"):
        tls.take()
    for name in ("station.crt", "station.key", "ca.crt"):
        (tmp_path / name).write_bytes(good[name])
        (tmp_path / name).chmod(0o600)
    assert verdict(tls, master) is None
    assert tls.contexts.status().usable


def test_a_name_that_cannot_be_read_keeps_nobody_else_out(listen, ca, master, verdict, unreadable, tmp_path):
    (tmp_path / "other.crt").write_bytes(unreadable)
    tls = Tls(msgspec.structs.replace(listen, trusted=["other.crt", "ca.crt"]), tmp_path)
    assert verdict(tls, master) is None
    assert "other.crt" in tls.contexts.status().reason
    named = pki.issue(ca, "Xstation", "station")
    renamed(named, ca, {b"\x0c\x08Xstation": b"\x14\x08\xd6station"}).write(
        tmp_path / "station.crt", tmp_path / "station.key"
    )
    assert verdict(tls, master) is None
    assert "station.crt: cannot be read" in tls.contexts.status().reason


def test_a_key_that_did_not_sign_yet_is_tried_again(listen, ca, master, verdict, tmp_path, monkeypatch):
    """In a token that comes after us; no file changes by that."""

    def not_yet(pair):
        raise TlsError("station.key: is its token there?")

    with monkeypatch.context() as patched:
        patched.setattr("rtu.security.tls.files.prove_pair", not_yet)
        tls = Tls(listen, tmp_path)
    assert not tls.contexts.status().usable
    assert verdict(tls, master) is None
    assert tls.contexts.status().reason == ""


def test_one_bad_authority_of_two_keeps_only_its_own_masters_out(listen, ca, master, verdict, tmp_path):
    (tmp_path / "other.crt").write_bytes(b"")
    tls = Tls(msgspec.structs.replace(listen, trusted=["other.crt", "ca.crt"]), tmp_path)
    assert verdict(tls, master) is None
    assert "other.crt" in tls.contexts.status().reason


# Taken away


def test_an_authority_whose_file_is_deleted_is_trusted_no_more(listen, ca, master, verdict, tmp_path):
    other = pki.make_ca("Other CA")
    other.write(tmp_path / "other.crt")
    tls = Tls(msgspec.structs.replace(listen, trusted=["ca.crt", "other.crt"]), tmp_path)
    end = verdict(tls, master)
    assert end is None
    (tmp_path / "ca.crt").unlink()
    with pytest.raises(Exception, match=r"(?i)certificate|unknown"):
        verdict(tls, master)
    assert "is gone" in tls.contexts.status().reason
    assert tls.contexts.status().usable


# Lists


def test_a_revocation_counts_from_the_next_connection(with_list, ca, master, verdict, tmp_path):
    tls = Tls(with_list, tmp_path)
    assert verdict(tls, master) is None
    put_list(tmp_path, ca, [master.certificate.serial_number], 6)
    assert verdict(tls, master) == "IEC62351-3:2.4 the peer's certificate is revoked"
    told = tls.trail.of("revocation.change")
    assert [each["number"] for each in told] == [5, 6]


def test_a_list_that_is_gone_still_revokes(with_list, ca, master, verdict, tmp_path):
    put_list(tmp_path, ca, [master.certificate.serial_number], 6)
    tls = Tls(with_list, tmp_path)
    (tmp_path / "ca.crl").unlink()
    assert "is revoked" in verdict(tls, master)
    assert "ca.crl" in tls.contexts.status().reason


def test_an_older_list_takes_nothing_back(with_list, ca, master, verdict, tmp_path):
    put_list(tmp_path, ca, [master.certificate.serial_number], 6)
    tls = Tls(with_list, tmp_path)
    put_list(tmp_path, ca, [], 5)
    assert "is revoked" in verdict(tls, master)
    (told,) = tls.trail.of("tls.fault")
    assert "older (number 5)" in told["reason"]


def test_an_older_list_takes_nothing_back_after_a_restart_either(with_list, ca, master, verdict, tmp_path):
    put_list(tmp_path, ca, [master.certificate.serial_number], 6)
    Tls(with_list, tmp_path)
    put_list(tmp_path, ca, [], 5)
    again = Tls(with_list, tmp_path)
    assert "is revoked" in verdict(again, master)
    (tmp_path / "ca.crl").unlink()
    assert "is revoked" in verdict(Tls(with_list, tmp_path), master)


def test_who_removes_what_is_remembered_may_begin_again(with_list, ca, master, verdict, tmp_path):
    put_list(tmp_path, ca, [master.certificate.serial_number], 6)
    Tls(with_list, tmp_path)
    put_list(tmp_path, ca, [], 1)
    (kept,) = (tmp_path / "state").iterdir()
    assert str(kept) in Tls(with_list, tmp_path).contexts.status().reason
    kept.unlink()
    assert verdict(Tls(with_list, tmp_path), master) is None


def test_what_is_remembered_has_to_be_proven_again(with_list, ca, master, verdict, tmp_path):
    Tls(with_list, tmp_path)
    (kept,) = (tmp_path / "state").iterdir()
    forger = pki.make_ca("Utility CA")
    kept.write_bytes(pki.revocation_list(forger, [master.certificate.serial_number], number=99))
    assert verdict(Tls(with_list, tmp_path), master) is None


def test_a_list_of_somebody_else_does_not_count(with_list, ca, master, verdict, tmp_path):
    tls = Tls(with_list, tmp_path)
    put_list(tmp_path, pki.make_ca("Utility CA"), [master.certificate.serial_number], 9)
    assert verdict(tls, master) is None
    assert "signature" in tls.contexts.status().reason
    put_list(tmp_path, pki.make_ca("Nobody"), [master.certificate.serial_number], 9)
    assert verdict(tls, master) is None
    assert "not in `trusted`" in tls.contexts.status().reason


def test_a_list_comes_with_a_new_certificate_of_its_authority(with_list, ca, master, verdict, tmp_path):
    """The same name and key: its list, and who it revoked, stay what they are."""
    put_list(tmp_path, ca, [master.certificate.serial_number], 6)
    tls = Tls(with_list, tmp_path)
    (tmp_path / "ca.crt").touch()
    assert "is revoked" in verdict(tls, master)


def test_an_authority_with_a_new_key_revokes_what_the_old_one_signed(
    with_list, ca, master, verdict, tmp_path
):
    renewed = pki.make_ca("Utility CA")
    renewed.write(tmp_path / "renewed.crt")
    put_list(tmp_path, renewed, [master.certificate.serial_number], 1, name="renewed.crl")
    trusting_both = msgspec.structs.replace(
        with_list, trusted=["ca.crt", "renewed.crt"], revoked=["ca.crl", "renewed.crl"]
    )
    assert "is revoked" in verdict(Tls(trusting_both, tmp_path), master)


def test_until_the_clock_is_known_a_renewed_authority_is_the_one_that_counts(
    listen, verdict, ca, tmp_path, handshake, master_context
):
    old = make(None, name="Root", authority=True, days=(-30, -1))
    new = make(None, name="Root", authority=True, days=(-2, 300), key=old.key)
    old.write(tmp_path / "old.crt")
    new.write(tmp_path / "new.crt")
    for trusted in (["old.crt", "new.crt"], ["new.crt", "old.crt"]):
        tls = Tls(msgspec.structs.replace(listen, trusted=trusted), tmp_path, now=Now(valid=False))
        assert verdict(tls, make(old, CLIENT)) is None
    tls = Tls(msgspec.structs.replace(listen, trusted=["old.crt"]), tmp_path, now=Now(valid=False))
    assert "has expired" in verdict(tls, make(old, CLIENT))


def test_a_disk_that_is_full_does_not_keep_a_revocation_from_counting(
    with_list, ca, master, verdict, tmp_path
):
    (tmp_path / "state").write_bytes(b"in the way")
    put_list(tmp_path, ca, [master.certificate.serial_number], 6)
    tls = Tls(with_list, tmp_path)
    assert "is revoked" in verdict(tls, master)
    assert "cannot be kept" in tls.contexts.status().reason
    (tmp_path / "station.crt").touch()
    tls.take()
    assert "cannot be kept" in tls.contexts.status().reason
    assert tls.trail.of("tls.recovered") == []


def test_a_list_is_kept_when_there_is_room_again(with_list, ca, master, verdict, tmp_path):
    (tmp_path / "state").write_bytes(b"in the way")
    put_list(tmp_path, ca, [master.certificate.serial_number], 6)
    tls = Tls(with_list, tmp_path)
    (tmp_path / "state").unlink()
    (tmp_path / "station.crt").touch()
    tls.take()
    assert len(tls.trail.of("tls.recovered")) == 1
    put_list(tmp_path, ca, [], 5)
    assert "is revoked" in verdict(Tls(with_list, tmp_path), master)


# Status and warnings


def test_the_status_tells_of_each_list(with_list, ca, tmp_path):
    other = pki.make_ca("Other CA")
    other.write(tmp_path / "other.crt")
    tls = Tls(msgspec.structs.replace(with_list, trusted=["ca.crt", "other.crt"]), tmp_path)
    status = tls.contexts.status()
    assert [(each.issuer, each.state) for each in status.lists] == [
        ('"CN=Utility CA"', "valid"),
        ('"CN=Other CA"', "missing"),
    ]
    assert status.not_after is not None


def test_without_lists_there_is_nothing_to_tell(listen, tmp_path):
    tls = Tls(listen, tmp_path)
    assert tls.contexts.status().lists == ()
    tls.contexts.warn(0)
    assert tls.trail.of("revocation.stale") == []


def test_a_stale_list_is_on_record_every_hour(with_list, ca, tmp_path):
    tls = Tls(with_list, tmp_path, now=Now(ahead_s=30 * 86400.0))
    for minute in range(0, 121, 10):
        tls.contexts.warn(minute * 60 * 10**9)
    told = tls.trail.of("revocation.stale")
    assert len(told) == 3
    assert told[0]["id"] == "IEC62351-3:2.6"
    put_list(tmp_path, ca, [], 6, days=60)
    tls.take()
    tls.contexts.warn(10**15)
    assert len(tls.trail.of("revocation.stale")) == 3


def test_authorities_of_one_name_are_told_each_once_an_hour(with_list, ca, tmp_path):
    pki.make_ca("Utility CA").write(tmp_path / "renewed.crt")
    tls = Tls(msgspec.structs.replace(with_list, trusted=["ca.crt", "renewed.crt"]), tmp_path)
    for second in range(0, 3600, 5):
        tls.contexts.warn(second * 10**9)
    assert len(tls.trail.of("revocation.stale")) == 1
    present, missing = tls.contexts.status().lists
    assert (present.state, missing.state) == ("valid", "missing")
    assert present.issuer == f'"CN=Utility CA" (key {ca.spki_sha256[:8]})' != missing.issuer


def test_an_authority_with_two_certificates_of_one_key_is_told_once(with_list, ca, tmp_path):
    make(None, name="Utility CA", authority=True, key=ca.key).write(tmp_path / "renewed.crt")
    tls = Tls(msgspec.structs.replace(with_list, trusted=["ca.crt", "renewed.crt"]), tmp_path)
    assert [each.state for each in tls.contexts.status().lists] == ["valid"]


def test_the_end_of_our_certificate_is_told_although_the_clock_was_ahead(listen, ca, tmp_path):
    pki.issue(ca, "station", "station", days=100).write(tmp_path / "station.crt", tmp_path / "station.key")
    tls = Tls(listen, tmp_path, now=Now(ahead_s=200 * DAY_S))
    for tls.now.ahead_s in (200 * DAY_S, 0.0, 41 * DAY_S, 71 * DAY_S):
        tls.contexts.warn(0)
    assert [each["days_left"] for each in tls.trail.of("certificate.expiring")] == [0, 58, 28]


def test_the_end_of_our_certificate_is_told_at_each_threshold_once(listen, ca, tmp_path):
    pki.issue(ca, "station", "station", days=100).write(tmp_path / "station.crt", tmp_path / "station.key")
    tls = Tls(listen, tmp_path)
    for day in range(105):
        tls.now.ahead_s = day * 86400.0
        tls.contexts.warn(day)
    assert [each["days_left"] for each in tls.trail.of("certificate.expiring")] == [59, 29, 13, 6, 0, 0]
