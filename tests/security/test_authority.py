"""A small authority: what it signs, what it remembers, and what it revokes."""

import os
import stat
import subprocess
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from rtu.security.certificates import keys, pki
from rtu.security.certificates.keys import CertificateError
from rtu.security.certificates.role import certificate_role
from rtu.security.enrolment import authority, register
from rtu.security.enrolment.authority import Wanted

NOW = datetime.now(UTC).replace(microsecond=0)
PASSPHRASE = b"correct horse battery"


def make(directory, **more):
    given = {"name": "Authority", "kind": "P-256", "days": 3650, "passphrase": PASSPHRASE, "now": NOW} | more
    return authority.create(directory, **given)


@pytest.fixture
def ours(tmp_path):
    return make(tmp_path / "ca")


def wanted(name="scada", **more):
    given = {"names": (f"dns:{name}",), "profile": "master", "role": None, "days": 730}
    key = given.pop("key", None) or keys.KINDS["P-256"]().public_key()
    return Wanted(**({"key": key, "name": name} | given | more))


def test_its_key_is_encrypted_and_its_owners_only(ours):
    key = ours.directory / "ca.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with pytest.raises(TypeError):
        serialization.load_pem_private_key(key.read_bytes(), None)
    assert (
        authority.open_authority(ours.directory, lambda: PASSPHRASE).issued.certificate
        == ours.issued.certificate
    )


def test_a_wrong_pass_phrase_is_said(ours):
    with pytest.raises(CertificateError, match="this is not its pass phrase"):
        authority.open_authority(ours.directory, lambda: b"wrong")


def test_an_authority_is_made_once(ours):
    with pytest.raises(CertificateError, match="an authority is made once"):
        make(ours.directory)


def test_files_of_two_authorities_are_not_mixed(ours, tmp_path):
    other = make(tmp_path / "other")
    (ours.directory / "ca.key").unlink()
    (other.directory / "ca.key").rename(ours.directory / "ca.key")
    with pytest.raises(CertificateError, match="put the files of one authority together"):
        authority.open_authority(ours.directory, lambda: PASSPHRASE)


def test_what_it_signs_is_in_the_register(ours):
    made = ours.sign(wanted(role="operator"), NOW)
    (entry,) = register.load(ours.directory / "issued.csv")
    assert entry.serial == made.serial_number
    assert (entry.name, entry.profile, entry.role, entry.names) == (
        "scada",
        "master",
        "operator",
        ("dns:scada",),
    )
    assert (entry.not_after, entry.revoked) == (made.not_valid_after_utc, None)
    assert entry.key_sha256 == pki.spki_sha256(made)


@pytest.mark.parametrize("role", ["viewer", "operator", "engineer"])
def test_a_role_is_written_as_it_is_read(ours, role):
    assert certificate_role(ours.sign(wanted(role=role), NOW)) == role


def test_nothing_outlives_the_authority(tmp_path):
    ours = make(tmp_path / "short", days=100)
    assert ours.draft(wanted(), NOW).not_valid_after_utc == ours.issued.certificate.not_valid_after_utc
    with pytest.raises(CertificateError, match="the authority itself has expired"):
        ours.draft(wanted(), NOW + timedelta(days=101))


def test_a_certificate_that_nobody_would_take_is_not_made(ours):
    names = tuple(f"uri:urn:{number}:{'x' * 250}" for number in range(32))
    with pytest.raises(CertificateError, match="8192 are the most"):
        ours.sign(wanted(names=names), NOW)
    assert ours.register() == []


def test_a_revoked_key_is_not_signed_again(ours):
    again = wanted()
    made = ours.sign(again, NOW)
    authority.revoke(ours.directory, made.serial_number, "key-compromise", NOW)
    with pytest.raises(CertificateError, match="is revoked: make a new key"):
        ours.sign(again, NOW)


def test_a_superseded_certificate_says_nothing_against_its_key(ours):
    again = wanted()
    authority.revoke(ours.directory, ours.sign(again, NOW).serial_number, "superseded", NOW)
    ours.sign(again, NOW)


def test_a_certificate_is_found_by_serial_and_by_name(ours):
    made = ours.sign(wanted(), NOW)
    serial = register.serial_text(made.serial_number)
    colons = ":".join(serial[at : at + 2] for at in range(0, len(serial), 2)).lower()
    for which in (serial, colons, "scada", "dns:scada"):
        assert authority.find(ours.directory, which).serial == made.serial_number
    with pytest.raises(CertificateError, match="no certificate of that serial number or name"):
        authority.find(ours.directory, "scada-b")


def test_of_two_of_a_name_the_serial_has_to_say_which(ours):
    serials = [register.serial_text(ours.sign(wanted(), NOW).serial_number) for _ in range(2)]
    with pytest.raises(CertificateError, match=f"give a serial: {serials[0]}, {serials[1]}"):
        authority.find(ours.directory, "scada")
    authority.revoke(ours.directory, int(serials[0], 16), "superseded", NOW)
    assert authority.find(ours.directory, "scada").serial_text == serials[1]


def test_nothing_is_revoked_twice(ours):
    serial = ours.sign(wanted(), NOW).serial_number
    authority.revoke(ours.directory, serial, "unspecified", NOW)
    with pytest.raises(CertificateError, match="has been revoked on"):
        authority.find(ours.directory, "scada")


def test_who_was_revoked_stays_so_when_the_register_is_lost_or_began_later(ours):
    gone = ours.sign(wanted("gone"), NOW).serial_number
    authority.revoke(ours.directory, gone, "key-compromise", NOW)
    before = ours.make_list(30, NOW)
    (ours.directory / "issued.csv").unlink()
    also = ours.sign(wanted("also"), NOW).serial_number
    authority.revoke(ours.directory, also, "unspecified", NOW)
    made = ours.make_list(30, NOW)
    assert {entry.serial_number for entry in made} == {gone, also}
    entry = made.get_revoked_certificate_by_serial_number(gone)
    assert entry.revocation_date_utc == before[0].revocation_date_utc
    assert [each.value for each in entry.extensions] == [each.value for each in before[0].extensions]


@pytest.mark.parametrize("reason", authority.REASONS)
def test_a_list_names_what_is_revoked_and_why(ours, reason):
    kept, gone = ours.sign(wanted("kept"), NOW), ours.sign(wanted("gone"), NOW)
    authority.revoke(ours.directory, gone.serial_number, reason, NOW)
    made = ours.make_list(30, NOW)
    assert made.get_revoked_certificate_by_serial_number(kept.serial_number) is None
    entry = made.get_revoked_certificate_by_serial_number(gone.serial_number)
    told = [extension.value.reason for extension in entry.extensions]
    assert told == ([] if reason == "unspecified" else [authority.REASONS[reason]])


def test_the_numbers_of_lists_only_grow_even_when_the_list_is_lost(ours):
    numbers = []
    for _ in range(3):
        made = ours.make_list(30, NOW)
        numbers.append(made.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number)
        (ours.directory / "ca.crl").unlink()
    assert numbers == [1, 2, 3]


def test_an_expired_certificate_stays_in_the_list(ours):
    """A station whose clock is slow would take it."""
    gone = ours.sign(wanted(days=1), NOW)
    authority.revoke(ours.directory, gone.serial_number, "unspecified", NOW)
    assert len(ours.make_list(30, NOW + timedelta(days=400))) == 1


def test_a_damaged_register_is_not_written_over(ours):
    path = ours.directory / "issued.csv"
    ours.sign(wanted(), NOW)
    damaged = path.read_text().replace("valid,scada", "valid,scada,,,,,,,,,,").replace("+00:00", "")
    path.write_text(damaged)
    with pytest.raises(CertificateError, match=r"issued\.csv:2: not a line of the register"):
        ours.sign(wanted(), NOW)
    assert path.read_text() == damaged


def test_two_who_sign_at_once_both_are_in_the_register(ours):
    threads = [threading.Thread(target=ours.sign, args=(wanted(f"m{number}"), NOW)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ours.register()) == 8


@pytest.mark.parametrize("kind", ["P-256", "P-384"])
@pytest.mark.parametrize("holder", keys.KINDS)
@pytest.mark.parametrize(("profile", "purpose"), [("station", "sslserver"), ("master", "sslclient")])
def test_openssl_verifies_strictly_what_is_signed(tmp_path, kind, holder, profile, purpose):
    ours = make(tmp_path / "ca", kind=kind)
    made = ours.sign(wanted(profile=profile, key=keys.KINDS[holder]().public_key()), NOW)
    (tmp_path / "x.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def verify():
        return subprocess.run(
            ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", ours.directory / "ca.crt",
             "-CRLfile", ours.directory / "ca.crl", "-crl_check_all", tmp_path / "x.crt"],
            capture_output=True, text=True, check=False, env=os.environ | {"OPENSSL_CONF": "/dev/null"},
        )  # fmt: skip

    ours.make_list(30, NOW)
    assert verify().stdout == f"{tmp_path / 'x.crt'}: OK\n"
    authority.revoke(ours.directory, made.serial_number, "unspecified", NOW)
    ours.make_list(30, NOW)
    assert "certificate revoked" in verify().stderr
