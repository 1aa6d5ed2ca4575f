"""Certificates for stations and masters."""

import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from rtu.security.certificates import pki


def extension(issued, kind):
    return issued.certificate.extensions.get_extension_for_class(kind)


def test_an_authority_signs_certificates_and_lists_and_nothing_else(ca):
    usage = extension(ca, x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert usage.value.crl_sign
    assert not usage.value.digital_signature
    constraints = extension(ca, x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)


@pytest.mark.parametrize(
    ("profile", "purpose"),
    [("station", ExtendedKeyUsageOID.SERVER_AUTH), ("master", ExtendedKeyUsageOID.CLIENT_AUTH)],
)
def test_a_profile_has_one_purpose_and_is_no_authority(ca, profile, purpose):
    issued = pki.issue(ca, "someone", profile)
    assert list(extension(issued, x509.ExtendedKeyUsage).value) == [purpose]
    assert extension(issued, x509.BasicConstraints).value.ca is False
    assert extension(issued, x509.KeyUsage).value.key_cert_sign is False
    issued.certificate.verify_directly_issued_by(ca.certificate)


def test_key_identifiers_link_a_certificate_to_its_authority(ca):
    issued = pki.issue(ca, "someone", "master")
    authority = extension(issued, x509.AuthorityKeyIdentifier).value.key_identifier
    assert authority == extension(ca, x509.SubjectKeyIdentifier).value.digest


def test_alternative_names_are_written_as_in_a_station_file(ca):
    issued = pki.issue(ca, "s", "station", pki.own_addresses("station.example", "10.0.0.1", "2001:db8::1"))
    names = extension(issued, x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["station.example"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1", "2001:db8::1"]


def test_a_wrong_alternative_name_is_refused(ca):
    with pytest.raises(ValueError, match='write "dns:NAME"'):
        pki.issue(ca, "s", "station", ["station.example"])


def test_a_key_is_for_its_owner_only_even_over_an_old_file(ca, tmp_path):
    (tmp_path / "m.key").write_text("old")
    (tmp_path / "m.key").chmod(0o666)
    issued = pki.issue(ca, "m", "master")
    issued.write(tmp_path / "m.crt", tmp_path / "m.key")
    assert stat.S_IMODE((tmp_path / "m.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "m.crt").stat().st_mode) == 0o644
    key = serialization.load_pem_private_key((tmp_path / "m.key").read_bytes(), None)
    assert key.public_key() == issued.certificate.public_key()


def test_a_revocation_list_is_signed_and_numbered(ca):
    crl = x509.load_pem_x509_crl(pki.revocation_list(ca, [7, 9], number=3))
    assert crl.is_signature_valid(ca.certificate.public_key())
    assert {entry.serial_number for entry in crl} == {7, 9}
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 3


def test_certificates_can_be_used_at_once_and_end_after_their_days(ca):
    issued = pki.issue(ca, "m", "master", days=10)
    life = issued.certificate.not_valid_after_utc - issued.certificate.not_valid_before_utc
    assert life.days == 10
