"""Contexts and handshakes: real certificates, real TLS, in memory."""

import ssl
import warnings
from decimal import Decimal, localcontext

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from rtu.security.certificates import pki
from rtu.security.tls.context import (
    TlsError,
    address_contradicts,
    client_context,
    describe_failure,
    make_context,
)
from rtu.security.tls.profiles import FFDHE2048, SUITES, TLS_1_3

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
CLIENT_AUTH = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])


@pytest.fixture
def master(ca):
    return pki.issue(ca, "master", "master", ["dns:scada-a.example"])


@pytest.fixture(params=VERSIONS, ids=["TLS 1.2", "TLS 1.3"])
def version(request):
    return request.param


@pytest.fixture
def connect(listen, master_context, handshake, tmp_path, version):
    """A handshake in one TLS version; returns the station's end or raises what the station saw."""

    def run(issued, **changes):
        client = master_context(issued)
        client.minimum_version = client.maximum_version = version
        return handshake(make_context(msgspec.structs.replace(listen, **changes), tmp_path), client)

    return run


def failure(connect, issued, **changes):
    with pytest.raises(ssl.SSLError) as caught:
        connect(issued, **changes)
    return describe_failure(caught.value)


def test_both_sides_show_their_certificates(connect, master, octets, version):
    end = connect(master)
    assert end.getpeercert(True) == octets(master)
    assert end.version() == {VERSIONS[0]: "TLSv1.2", VERSIONS[1]: "TLSv1.3"}[version]
    assert "GCM" in end.cipher()[0] or "CHACHA20" in end.cipher()[0]


def test_a_master_of_another_authority_is_refused(connect):
    stranger = pki.issue(pki.make_ca("Other CA"), "master", "master", ["dns:scada-a.example"])
    event, text = failure(connect, stranger)
    assert event == "IEC62351-3:2.2"
    assert "not trusted" in text


def test_an_authority_of_the_same_name_is_refused(connect):
    impostor = pki.issue(pki.make_ca("Utility CA"), "master", "master", ["dns:scada-a.example"])
    assert failure(connect, impostor).event == "IEC62351-3:2.2"


def test_an_expired_certificate_is_refused(connect, odd):
    event, text = failure(connect, odd.certificate(CLIENT_AUTH, days=(-30, -1)))
    assert event == "IEC62351-3:2.8"
    assert "has expired" in text


def test_a_certificate_of_tomorrow_points_at_the_clock(connect, odd):
    assert "clock" in failure(connect, odd.certificate(CLIENT_AUTH, days=(1, 30))).text


def test_the_certificate_of_a_station_is_refused(connect, ca):
    station = pki.issue(ca, "station", "station", ["dns:scada-a.example"])
    assert "another purpose" in failure(connect, station).text


def test_a_certificate_without_extended_key_usage_passes_tls(connect, odd):
    # which is why the gate asks again
    assert connect(odd.certificate()).getpeercert(True)


def test_no_certificate_is_refused(listen, handshake, tmp_path, version):
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(tmp_path / "ca.crt")
    client.minimum_version = client.maximum_version = version
    with pytest.raises(ssl.SSLError) as caught:
        handshake(make_context(listen, tmp_path), client)
    assert describe_failure(caught.value) == ("IEC62351-3:1.6", "the peer showed no certificate")


def test_a_certificate_of_eight_kilobytes_passes(connect, odd):
    padding = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), bytes(7600))
    assert len(connect(odd.certificate(CLIENT_AUTH, padding)).getpeercert(True)) > 8000


def test_an_oversize_chain_of_a_stranger_is_refused(connect, odd):
    padding = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), bytes(120_000))
    assert failure(connect, odd.certificate(CLIENT_AUTH, padding)).event == "IEC62351-3:2.1"


def test_control_characters_in_a_name_do_not_reach_the_words(connect):
    stranger = pki.issue(pki.make_ca("evil\n<0>CA"), "mas\x1bter", "master")
    assert failure(connect, stranger).text.isprintable()


# No resumption


def test_a_session_never_resumes_in_another_context(listen, master, master_context, handshake, tmp_path):
    for version in VERSIONS:
        client = master_context(master)
        client.minimum_version = client.maximum_version = version
        ends = []
        handshake(make_context(listen, tmp_path), client, ends=ends)
        again = handshake(make_context(listen, tmp_path), client, session=ends[0].session, ends=ends)
        assert not again.session_reused
        assert not ends[1].session_reused


def test_no_tickets_are_handed_out(listen, tmp_path):
    assert make_context(listen, tmp_path).num_tickets == 0


# Versions and suites


def test_nothing_below_tls_1_2(listen, tmp_path):
    assert make_context(listen, tmp_path).minimum_version == ssl.TLSVersion.TLSv1_2


def test_tls_1_3_can_be_demanded(listen, master, master_context, handshake, tmp_path):
    client = master_context(master)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    station = make_context(msgspec.structs.replace(listen, min_version="1.3"), tmp_path)
    with pytest.raises(ssl.SSLError) as caught:
        handshake(station, client)
    assert describe_failure(caught.value).event == "IEC62351-3:1.4"


def test_tls_1_2_suites_are_ephemeral_and_authenticated(listen, tmp_path):
    old = [suite for suite in make_context(listen, tmp_path).get_ciphers() if suite["protocol"] == "TLSv1.2"]
    assert old
    assert all(suite["name"].startswith("ECDHE-") and "GCM" in suite["name"] for suite in old)


def test_the_suites_are_those_of_the_profile_and_no_others(listen, tmp_path):
    for profile, suites in SUITES.items():
        context = make_context(msgspec.structs.replace(listen, profile=profile), tmp_path)
        assert [suite["name"] for suite in context.get_ciphers()] == [*TLS_1_3, *suites]


def test_the_group_for_dhe_is_that_of_rfc_7919():
    """p = 2^2048 - 2^1984 + {[2^1918 * e] + 560316 } * 2^64 - 1, RFC 7919, A.1"""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library discourages such groups altogether
        parameters = serialization.load_pem_parameters(FFDHE2048.read_bytes()).parameter_numbers()
    with localcontext() as exact:
        exact.prec = 700
        e = Decimal(1).exp()
        p = 2**2048 - 2**1984 + (int(e * 2**1918) + 560316) * 2**64 - 1
    assert (parameters.p, parameters.g) == (p, 2)


def test_a_suite_that_is_not_allowed_is_told(listen, master, master_context, handshake, tmp_path):
    client = master_context(master)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers("ECDHE-ECDSA-AES128-SHA256")
    with pytest.raises(ssl.SSLError) as caught:
        handshake(make_context(listen, tmp_path), client)
    assert describe_failure(caught.value).event == "IEC62351-3:1.9"


# What goes over the wire instead of TLS


@pytest.mark.parametrize(
    ("octets_sent", "words"),
    [(b"\x68\x04\x07\x00\x00\x00", "plain 104"), (b"GET / HTTP/1.1\r\n\r\n", "HTTP")],
)
def test_other_protocols_on_the_tls_port_are_named(octets_sent, words, listen, tmp_path):
    incoming = ssl.MemoryBIO()
    incoming.write(octets_sent)
    end = make_context(listen, tmp_path).wrap_bio(incoming, ssl.MemoryBIO(), server_side=True)
    with pytest.raises(ssl.SSLError) as caught:
        end.do_handshake()
    assert words in describe_failure(caught.value).text


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "in time"),
        (ConnectionAbortedError("SSL handshake is taking longer than 5 seconds"), "in time"),
        (ConnectionResetError(), "closed the connection"),
        (EOFError(), "closed the connection"),
        (TlsError("station.crt: gone"), "station.crt: gone"),
        (OSError("weird\nthing"), "weird\\nthing"),
    ],
)
def test_every_way_to_fail_has_words(error, words):
    event, text = describe_failure(error)
    assert words in text
    assert "\n" not in text
    assert ":" in event


def test_a_refusal_by_the_peer_is_told(listen, master, ca, handshake, tmp_path):
    pki.make_ca("Other CA").write(tmp_path / "other.crt")
    master.write(tmp_path / "m.crt", tmp_path / "m.key")
    client = client_context([tmp_path / "other.crt"], tmp_path / "m.crt", tmp_path / "m.key")
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError) as caught:
        handshake(make_context(listen, tmp_path), client)
    assert "it does not trust our authority" in describe_failure(caught.value).text


# The master's side


def test_a_master_refuses_a_station_of_another_authority(listen, master, handshake, tmp_path):
    pki.make_ca("Other CA").write(tmp_path / "other.crt")
    master.write(tmp_path / "m.crt", tmp_path / "m.key")
    client = client_context([tmp_path / "other.crt"], tmp_path / "m.crt", tmp_path / "m.key")
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        handshake(make_context(listen, tmp_path), client, blame="client")
    assert describe_failure(caught.value).event == "IEC62351-3:2.2"


def test_a_certificate_that_names_addresses_must_name_this_one():
    certificate = {
        "subjectAltName": (
            ("DNS", "station"),
            ("IP Address", "10.0.0.1"),
            ("IP Address", "2001:DB8:0:0:0:0:0:1"),
        )
    }
    assert not address_contradicts(certificate, "10.0.0.1")
    assert not address_contradicts(certificate, "2001:db8::1")
    assert address_contradicts(certificate, "10.0.0.2")
    assert not address_contradicts({"subjectAltName": (("DNS", "station"),)}, "10.0.0.2")
    assert not address_contradicts({}, "10.0.0.2")


# Files that cannot be used


def encrypted(path, issued):
    path.write_bytes(
        issued.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    path.chmod(0o600)


def test_an_encrypted_key_is_refused_without_asking_for_a_password(listen, master, tmp_path):
    encrypted(tmp_path / "station.key", master)
    with pytest.raises(TlsError, match=r"station\.key: the private key is encrypted"):
        make_context(listen, tmp_path)


def test_a_key_that_everyone_may_read_is_refused(listen, tmp_path):
    (tmp_path / "station.key").chmod(0o644)
    with pytest.raises(TlsError, match="chmod 600"):
        make_context(listen, tmp_path)


def test_a_key_of_another_certificate_is_refused(listen, master, tmp_path):
    master.write(tmp_path / "m.crt", tmp_path / "station.key")
    with pytest.raises(TlsError, match=r"does not belong to .*station\.crt"):
        make_context(listen, tmp_path)


@pytest.mark.parametrize("name", ["station.crt", "station.key", "ca.crt"])
@pytest.mark.parametrize("damage", ["missing", "empty", "junk"])
def test_a_file_that_cannot_be_used_is_named(name, damage, listen, tmp_path):
    (tmp_path / name).unlink()
    if damage != "missing":
        (tmp_path / name).write_bytes(b"" if damage == "empty" else b"-----BEGIN CERTIFICATE-----\nAAAA")
        (tmp_path / name).chmod(0o600)
    with pytest.raises(TlsError) as caught:
        make_context(listen, tmp_path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_list_is_no_authority(listen, ca, tmp_path):
    (tmp_path / "ca.crl").write_bytes(pki.revocation_list(ca, []))
    with pytest.raises(TlsError, match=r"ca\.crl: does not hold a certificate"):
        make_context(msgspec.structs.replace(listen, trusted=["ca.crl"]), tmp_path)


def test_the_same_authority_may_be_named_twice(listen, tmp_path):
    assert make_context(msgspec.structs.replace(listen, trusted=["ca.crt", "ca.crt"]), tmp_path)


def test_each_call_makes_a_context_of_its_own(listen, tmp_path):
    assert make_context(listen, tmp_path) is not make_context(listen, tmp_path)
