"""What is taken of a request, and what is not."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rtu.security.certificates import keys
from rtu.security.certificates.keys import CertificateError
from rtu.security.enrolment import request


def asked(key, name="scada", *extensions, algorithm=None):
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical=critical)
    return builder.sign(
        key, algorithm or (None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )


@pytest.fixture(scope="module")
def key():
    return ec.generate_private_key(ec.SECP256R1())


def test_key_and_names_are_taken(key):
    csr = x509.load_pem_x509_csr(request.make(key, "Feeder 12", ["dns:feeder12.example", "ip:2001:db8::1"]))
    found = request.judge(csr)
    assert (found.key, found.name) == (key.public_key(), "Feeder 12")
    assert found.names == ("dns:feeder12.example", "ip:2001:db8::1")
    assert found.left_out == ()


def test_the_wish_to_be_an_authority_is_told_and_left_out(key):
    csr = asked(
        key,
        "scada",
        (x509.BasicConstraints(ca=True, path_length=None), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"x"), True),
    )
    assert request.judge(csr).left_out == ("to be an authority (CA:TRUE)", "extendedKeyUsage", "1.2.3.4")


def test_a_request_not_signed_with_its_key_is_refused(key):
    octets = bytearray(asked(key).public_bytes(serialization.Encoding.DER))
    octets[-1] ^= 1
    with pytest.raises(CertificateError, match=r"not signed with its own key|cannot be read"):
        request.judge(x509.load_der_x509_csr(bytes(octets)))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: rsa.generate_private_key(65537, 1024), "RSA-1024"),
        (lambda: rsa.generate_private_key(3, 2048), "RSA-2048"),
        (lambda: ec.generate_private_key(ec.SECP521R1()), "secp521r1"),
        (lambda: ec.generate_private_key(ec.BrainpoolP256R1()), "brainpoolP256r1"),
        (ed25519.Ed25519PrivateKey.generate, "Ed25519"),
        (lambda: dsa.generate_private_key(2048), "DSA"),
    ],
)
def test_keys_that_tls_would_not_take_are_refused(make, words):
    with pytest.raises(CertificateError, match=rf"its key \({words}\) is not taken"):
        request.judge(asked(make()))


@pytest.mark.parametrize("kind", keys.KINDS)
def test_every_kind_that_is_made_is_taken(kind):
    made = keys.KINDS[kind]()
    assert keys.kind(made.public_key()) == kind
    assert request.judge(x509.load_pem_x509_csr(request.make(made, "s", []))).key == made.public_key()


@pytest.mark.parametrize(
    "name", ["", "a" * 65, "two\nlines", "\x1b[2J", "=cmd()", "@sum", "-x", 'a"b', "a,b", "a\u202eb", "a;b"]
)
def test_a_common_name_is_fit_for_terminals_logs_and_tables(name):
    with pytest.raises(CertificateError, match="common name"):
        request.checked_name(name)


@pytest.mark.parametrize("name", ["Feeder 12", "scada-a.example", "Umspannwerk Süd (E03)", "1/2"])
def test_common_names_as_people_give_them(name):
    assert request.checked_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["dns:*.example", "dns:a b", "dns:a\nb", "dns:.a", "dns:a..b", "dns:a.", "dns:" + "a" * 64, "dns:" + "a." * 130 + "a",
     "uri:urn:a b", "email:a\x1b@b", "ip:1.2.3", "feeder12", "name:x", "dns:"],
)  # fmt: skip
def test_an_alternative_name_is_one_name_and_nothing_else(name):
    with pytest.raises(CertificateError, match="name"):
        request.checked_names([name])


def test_a_name_that_takes_long_to_judge_does_not_exist():
    with pytest.raises(CertificateError):
        request.checked_names(["dns:" + "a-" * 120 + "!"])


def test_alternative_names_are_each_once_and_not_too_many():
    assert request.checked_names(["dns:A.example", "dns:a.example", "ip:10.0.0.1"]) == (
        "dns:a.example",
        "ip:10.0.0.1",
    )
    with pytest.raises(CertificateError, match="33 alternative names"):
        request.checked_names([f"dns:h{number}" for number in range(33)])


def test_networks_are_no_names():
    with pytest.raises(CertificateError, match=r"ip:10\.0\.0\.0/8"):
        request.checked_names(["ip:10.0.0.0/8"])
