"""Files that other people hand over: certificates, requests and lists, in PEM and in DER."""

import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from rtu.security.certificates import documents, pki
from rtu.security.certificates.keys import CertificateError
from rtu.security.enrolment import request


@pytest.fixture
def station(ca):
    return pki.issue(ca, "station", "station", ["ip:127.0.0.1"])


@pytest.fixture
def put(tmp_path):
    def put(octets):
        path = tmp_path / "file"
        path.write_bytes(octets)
        return path

    return put


def test_a_chain_is_read_in_its_order_with_whatever_text_around_it(put, ca, station):
    path = put(b"Bag Attributes\n" + station.certificate_pem + b"\n  and\n" + ca.certificate_pem)
    assert documents.certificates(path) == (station.certificate, ca.certificate)


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_each_kind_is_told_from_the_others_in_both_forms(put, ca, station, encoding):
    crl = x509.load_pem_x509_crl(pki.revocation_list(ca, [7]))
    csr = x509.load_pem_x509_csr(request.make(station.key, "station", ["ip:127.0.0.1"]))
    assert documents.certificates(put(station.certificate.public_bytes(encoding))) == (station.certificate,)
    assert documents.lists(put(crl.public_bytes(encoding))) == (crl,)
    assert documents.request(put(csr.public_bytes(encoding))) == csr


def test_the_wrong_kind_is_named(put, ca, station):
    crl, csr = pki.revocation_list(ca, []), request.make(station.key, "s", [])
    for read, octets, words in (
        (documents.certificates, crl, "a revocation list, not a certificate"),
        (documents.certificates, csr, "a request, not a certificate"),
        (documents.lists, station.certificate_pem, "a certificate, not a revocation list"),
        (documents.request, station.certificate_pem, "a certificate, not a request"),
    ):
        with pytest.raises(CertificateError, match=words):
            read(put(octets))


def test_a_key_that_has_travelled_is_refused(put, station):
    with pytest.raises(CertificateError, match="holds a private key, which never leaves its machine"):
        documents.refuse_key(put(station.certificate_pem + station.key_pem))
    documents.refuse_key(put(station.certificate_pem))


def test_a_certificate_is_found_beside_its_key(put, station):
    assert documents.certificates(put(station.key_pem + station.certificate_pem)) == (station.certificate,)


@pytest.mark.parametrize(
    "octets", [b"", b"hello", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_nothing_of_it_is_said_in_one_line(put, octets):
    with pytest.raises(CertificateError, match="not a certificate, request or revocation list") as caught:
        documents.read(put(octets))
    assert "\n" not in str(caught.value)


def test_a_file_without_end_is_not_read(monkeypatch, put):
    monkeypatch.setattr(documents, "LARGEST", 100)
    with pytest.raises(CertificateError, match="larger than"):
        documents.read(put(b"x" * 101))


@given(st.data())
def test_a_damaged_file_raises_nothing_else(tmp_path_factory, ca, data):
    octets = bytearray(ca.certificate.public_bytes(Encoding.DER))
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(octets)
    try:
        documents.read(path)
    except CertificateError:
        pass


@pytest.mark.parametrize(
    "octets",
    [
        b"-----BEGIN X509 CRL-----\n" * 50_000,
        b"-----BEGIN A-----\n-----END B-----\n" * 50_000,
        b"-----BEGIN " + b"A" * 1_000_000,
    ],
)
def test_a_file_made_to_keep_us_busy_does_not(put, octets):
    """Nothing else of the station runs while a pattern is looked for: lists come over networks that nobody vouches for."""
    began = time.process_time()
    with pytest.raises(CertificateError):
        documents.lists(put(octets))
    assert time.process_time() - began < 5


def test_a_name_that_cannot_be_read_is_found_out_when_the_file_is_read(put, unreadable):
    with pytest.raises(CertificateError, match="not a certificate"):
        documents.certificates(put(unreadable))
