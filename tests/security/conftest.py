"""A small authority, certificates that should not pass, and handshakes between two contexts in memory."""

import datetime as dt
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from rtu.config.schema import ListenTls
from rtu.security.certificates import pki
from rtu.security.tls.context import client_context
from tests.certificates import renamed


class Odd:
    """Makes certificates the way `pki` never would."""

    def __init__(self, ca: pki.Issued) -> None:
        self.ca = ca

    def certificate(
        self,
        *extensions: x509.ExtensionType,
        name: str = "odd",
        days: tuple[int, int] = (-1, 30),
        ca: pki.Issued | None = None,
    ) -> pki.Issued:
        """Signed by our authority (or `ca`), valid in these days from now, with just these extra extensions."""
        ca = ca or self.ca
        now = dt.datetime.now(dt.UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(ca.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + dt.timedelta(days=days[0]))
            .not_valid_after(now + dt.timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False
            )
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return pki.Issued(builder.sign(ca.key, hashes.SHA256()), key)


@pytest.fixture(scope="session")
def ca() -> pki.Issued:
    return pki.make_ca("Utility CA")


@pytest.fixture(scope="session")
def odd(ca: pki.Issued) -> Odd:
    return Odd(ca)


@pytest.fixture
def unreadable() -> bytes:
    """An authority with a name in a T61String with Latin letters, as old programs made them: OpenSSL takes it, our parser does not."""
    made = pki.make_ca("Xsterreich")
    return renamed(made, made, {b"\x0c\x0aXsterreich": b"\x14\x0a\xd6sterreich"}).certificate_pem


@pytest.fixture
def listen(ca: pki.Issued, tmp_path: Path) -> ListenTls:
    """A station's files in `tmp_path`, and the table that names them."""
    ca.write(tmp_path / "ca.crt")
    station = pki.issue(ca, "station", "station", ["dns:station.example", "ip:127.0.0.1"])
    station.write(tmp_path / "station.crt", tmp_path / "station.key")
    return ListenTls(certificate="station.crt", private_key="station.key", trusted=["ca.crt"])


@pytest.fixture
def master_context(ca: pki.Issued, tmp_path: Path) -> Callable[[pki.Issued], ssl.SSLContext]:
    """The context of a master that shows the given certificate."""

    def make(issued: pki.Issued) -> ssl.SSLContext:
        ca.write(tmp_path / "trusted.crt")
        issued.write(tmp_path / "master.crt", tmp_path / "master.key")
        return client_context([tmp_path / "trusted.crt"], tmp_path / "master.crt", tmp_path / "master.key")

    return make


Handshake = Callable[..., ssl.SSLObject]


@pytest.fixture
def handshake() -> Handshake:
    """Returns the server's end of a finished handshake, or raises what the one to `blame` (else the other) raised."""

    def run(
        server: ssl.SSLContext,
        client: ssl.SSLContext,
        session: ssl.SSLSession | None = None,
        ends: list[ssl.SSLObject] | None = None,
        blame: str = "server",
    ) -> ssl.SSLObject:
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        near = server.wrap_bio(to_server, to_client, server_side=True)
        far = client.wrap_bio(to_client, to_server, session=session)
        if ends is not None:
            ends.append(far)
        errors: dict[str, ssl.SSLError] = {}
        done: set[str] = set()
        for _ in range(10):
            for name, end in (("client", far), ("server", near)):
                if name in done or name in errors:
                    continue
                try:
                    end.do_handshake()
                    done.add(name)
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLError as error:
                    errors[name] = error
        if errors:
            raise errors.get(blame) or errors.popitem()[1]
        assert done == {"client", "server"}
        return near

    return run


@pytest.fixture
def names() -> Callable[..., x509.SubjectAlternativeName]:
    def make(*dns: str) -> x509.SubjectAlternativeName:
        return x509.SubjectAlternativeName([x509.DNSName(name) for name in dns])

    return make


@pytest.fixture
def octets() -> Callable[[pki.Issued], bytes]:
    """The certificate as the gate gets it."""
    return lambda issued: issued.certificate.public_bytes(Encoding.DER)
