"""`rtu certs` as those who type it meet it: what it does, what it refuses, and in which words."""

import json
import os
import re
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from rtu.cli.main import main
from rtu.security.certificates import keys, pki
from rtu.security.enrolment import request

STATION = """
format = 1
station = { name = "Feeder 12", common_address = 12 }
events = { directory = "events" }
device.bay = { driver = "simulated" }
[listen.tls]
address = "127.0.0.1"
certificate = "station.crt"
private_key = "station.key"
trusted = ["ca.crt"]
revoked = ["ca.crl"]
[[master]]
name = "scada-a"
identity = { issuer = "ca.crt", san = "dns:scada-a.example" }
role = "operator"
[[point]]
name = "door"
type = "single"
input = { device = "bay", line = "door" }
address = [{ ioa = 1 }]
"""
PASSPHRASE = "correct horse battery"
NAME = "dns:feeder12.example"


class Desk:
    """A machine with an authority in `ca`, one with a station in `station`, and a stick between them, where we are."""

    def __init__(self, root, capsys):
        self.ca, self.station, self.stick = root / "ca", root / "station", root / "stick"
        self.file = self.station / "station.toml"
        self.passphrase = root / "passphrase"
        self.passphrase.write_text(PASSPHRASE + "\n")
        self.passphrase.chmod(0o600)
        self.station.mkdir()
        self.stick.mkdir()
        self.file.write_text(STATION)
        self._capsys = capsys

    def run(self, action, *arguments):
        """Exit code, or the one line it ended with; what it printed is in `said`."""
        try:
            return main(["certs", action, *map(str, arguments)])
        except SystemExit as end:
            return end.code
        finally:
            self.said = self._capsys.readouterr().out

    def at_authority(self, action, *arguments):
        given = [] if action == "revoke" else ["--passphrase-file", self.passphrase]
        return self.run(action, "--ca", self.ca, *given, *arguments)

    def at_station(self, action, *arguments):
        return self.run(action, "--station", self.file, *arguments)

    def begin(self):
        assert self.at_authority("init", "--name", "Authority") == 0
        (self.station / "ca.crt").write_bytes((self.ca / "ca.crt").read_bytes())
        assert self.at_station("request", "--name", NAME) == 0

    def sign(self, *arguments):
        return self.at_authority("sign", "feeder-12.csr", "--profile", "station", "--yes", *arguments)

    def renew(self):
        (self.stick / "feeder-12.crt").unlink(missing_ok=True)
        assert self.at_station("request", "--renew", "--name", NAME) == 0
        assert self.sign() == 0

    def serve(self):
        """All the way to a station with a certificate."""
        self.begin()
        assert self.sign() == 0
        assert self.at_station("install", "feeder-12.crt") == 0

    def new_list(self):
        assert self.at_authority("crl") == 0
        return self.ca / "ca.crl"

    def authority(self):
        from rtu.security.enrolment.authority import open_authority

        return open_authority(self.ca, PASSPHRASE.encode).issued

    def files(self):
        return {
            path: path.read_bytes() if path.is_file() else b""
            for path in (*self.station.rglob("*"), *self.ca.rglob("*"), *self.stick.rglob("*"))
        }


@pytest.fixture
def desk(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("OPENSSL_CONF", "")  # so that it is put back as it was
    monkeypatch.delenv("OPENSSL_CONF")
    desk = Desk(tmp_path, capsys)
    monkeypatch.chdir(desk.stick)
    return desk


def put(path, *certificates):
    path.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in certificates))
    return path


# From the first key to a station that serves


def test_a_key_stays_on_the_station_for_its_owner_only(desk):
    desk.begin()
    key = desk.station / "station.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert b"PRIVATE" not in (desk.stick / "feeder-12.csr").read_bytes()
    assert [path.name for path in desk.stick.iterdir()] == ["feeder-12.csr"]


def test_the_request_bears_the_names_and_openssl_finds_it_sound(desk):
    desk.begin()
    found = request.judge(x509.load_pem_x509_csr((desk.stick / "feeder-12.csr").read_bytes()))
    assert (found.name, found.names) == ("Feeder 12", (NAME, "ip:127.0.0.1"))
    checked = subprocess.run(
        ["openssl", "req", "-verify", "-noout", "-in", "feeder-12.csr"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "verify OK" in checked.stdout + checked.stderr


def test_both_ends_see_the_same_digest_of_the_key(desk):
    desk.begin()
    at_station = desk.said
    desk.sign("--dry-run")
    (digest,) = [
        line.split(",")[0].split(None, 1)[1] for line in at_station.splitlines() if "fingerprint" in line
    ]
    assert len(digest.replace(" ", "")) == 64
    assert digest in desk.said


def test_a_key_is_never_written_over(desk):
    desk.serve()
    assert desk.at_station("request", "--name", NAME).endswith(
        "exists; to make a new one beside it, say --renew"
    )
    desk.renew()
    assert "waits for its certificate already" in desk.at_station("request", "--renew", "--name", NAME)


def test_a_stick_that_cannot_be_written_leaves_nothing_behind(desk):
    assert "No such file" in desk.at_station(
        "request", "--name", NAME, "--out", desk.stick / "gone" / "x.csr"
    )
    assert not (desk.station / "station.key").exists()


def test_a_station_serves_after_init_request_sign_install(desk):
    desk.serve()
    assert "handshakes with TLS 1.3 and TLS 1.2" in desk.said
    desk.at_station("install", desk.new_list())
    assert desk.run("show", desk.file) == 0


def test_a_renewed_pair_can_be_taken_back(desk):
    desk.serve()
    first = (desk.station / "station.crt").read_bytes()
    desk.renew()
    assert desk.at_station("install", "feeder-12.crt") == 0
    assert (desk.station / "station.crt").read_bytes() != first
    assert not (desk.station / "station.key.new").exists()
    assert desk.at_station("rollback") == 0
    assert (desk.station / "station.crt").read_bytes() == first
    assert desk.run("show", desk.station / "station.crt") == 0


def test_a_key_that_waits_goes_on_waiting_when_the_present_one_is_signed_again(desk, tmp_path):
    desk.serve()
    again = _signed(desk, desk.authority(), tmp_path)
    desk.renew()
    assert desk.at_station("install", again) == 0
    assert (desk.station / "station.key.new").exists()
    assert desk.at_station("install", "feeder-12.crt") == 0
    assert not (desk.station / "station.key.new").exists()


def test_there_is_nothing_to_go_back_to_before_the_first_renewal(desk):
    desk.serve()
    assert desk.at_station("rollback").endswith("there is no pair before this one")


def test_a_master_gets_its_certificate_the_same_way(desk):
    desk.begin()
    assert desk.run("request", "--key", "scada-a.key", "--name", "dns:scada-a.example") == 0
    assert desk.at_authority("sign", "scada-a.csr", "--profile", "master", "--role", "operator", "--yes") == 0
    desk.run("show", "--json", "scada-a.crt")
    (found,) = json.loads(desk.said)["findings"]
    assert (found["for"], found["role"], found["names"]) == (
        ["clientAuth"],
        "operator",
        ["dns:scada-a.example"],
    )
    assert desk.run("pin", "scada-a.crt") == 0
    made = x509.load_pem_x509_certificate((desk.stick / "scada-a.crt").read_bytes())
    assert desk.said == f'identity = {{ spki_sha256 = "{pki.spki_sha256(made)}" }}\n'


def test_only_a_master_can_be_pinned(desk):
    desk.serve()
    assert "clientAuth is missing" in desk.run("pin", "feeder-12.crt")


@pytest.mark.parametrize("kind", ["P-384", "RSA-2048"])
def test_a_station_may_have_a_key_of_another_kind(desk, kind):
    assert desk.at_authority("init", "--name", "Authority", "--kind", "P-384") == 0
    (desk.station / "ca.crt").write_bytes((desk.ca / "ca.crt").read_bytes())
    assert desk.at_station("request", "--kind", kind) == 0
    assert desk.sign() == 0
    assert desk.at_station("install", "feeder-12.crt") == 0


# Nothing without being asked, nothing by half


@pytest.mark.parametrize(
    "action",
    [
        lambda desk: desk.at_station("request", "--renew", "--name", NAME, "--dry-run"),
        lambda desk: desk.at_authority("sign", "other.csr", "--profile", "station", "--dry-run"),
        lambda desk: desk.at_station("install", "feeder-12.crt", "--dry-run"),
        lambda desk: desk.at_station("install", "ca.crl", "--dry-run"),
        lambda desk: desk.at_station("rollback", "--dry-run"),
        lambda desk: desk.at_authority("revoke", "Feeder 12", "--dry-run"),
        lambda desk: desk.at_authority("crl", "--dry-run"),
        lambda desk: desk.run("init", "--ca", desk.ca / "b", "--name", "B", "--no-passphrase", "--dry-run"),
    ],
)
def test_a_dry_run_changes_nothing(desk, action):
    desk.serve()
    authority = desk.authority()
    for number in (1, 2):  # so that there is a pair before
        station = pki.issue(authority, f"Feeder {number}", "station", [NAME, "ip:127.0.0.1"])
        (desk.station / "station.key.new").write_bytes(station.key_pem)
        put(desk.stick / "feeder-12.crt", station.certificate)
        assert desk.at_station("install", "feeder-12.crt") == 0
    (desk.stick / "other.csr").write_bytes((desk.stick / "feeder-12.csr").read_bytes())
    (desk.stick / "ca.crl").write_bytes(desk.new_list().read_bytes())
    before = desk.files()
    assert action(desk) == 0
    assert desk.files() == before


def test_nothing_is_signed_unless_somebody_confirms_it(desk):
    desk.begin()
    assert "say --yes" in desk.at_authority("sign", "feeder-12.csr", "--profile", "station")
    assert not (desk.stick / "feeder-12.crt").exists()
    assert len((desk.ca / "issued.csv").read_text().splitlines()) == 1


def test_the_signer_has_the_last_word_on_names(desk):
    desk.begin()
    assert desk.sign("--name", "dns:right.example", "ip:127.0.0.1", "--common-name", "Right") == 0
    made = x509.load_pem_x509_certificate((desk.stick / "feeder-12.crt").read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["right.example"]
    assert made.subject.rfc4514_string() == "CN=Right"


def test_a_request_that_wants_to_be_an_authority_gets_nothing_of_it(desk):
    desk.begin()
    (desk.stick / "greedy.cnf").write_text(
        "[req]\ndistinguished_name = dn\nreq_extensions = ext\nprompt = no\n[dn]\nCN = greedy\n"
        "[ext]\nbasicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign\n"
        "extendedKeyUsage = serverAuth,clientAuth\nsubjectAltName = DNS:greedy.example\n"
    )
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "greedy.key", "-out", "greedy.csr",
         "-config", "greedy.cnf"],
        check=True, capture_output=True,
    )  # fmt: skip
    assert desk.at_authority("sign", "greedy.csr", "--profile", "master", "--yes") == 0
    assert "left out    to be an authority (CA:TRUE), keyUsage, extendedKeyUsage" in desk.said
    made = x509.load_pem_x509_certificate((desk.stick / "greedy.crt").read_bytes())
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not made.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    purposes = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [purpose._name for purpose in purposes] == ["clientAuth"]


def test_a_signed_certificate_is_not_written_over(desk):
    desk.begin()
    assert desk.sign() == 0
    assert desk.sign().endswith("exists already: take it away, or name another file with --out")


def test_a_role_is_for_masters(desk):
    desk.begin()
    assert "--role limits a master" in desk.sign("--role", "operator")


# What does not fit is not installed

A_DAY = timedelta(days=1)
NAMES = [NAME, "ip:127.0.0.1"]


def _someone_elses(desk, authority, tmp_path):
    return put(tmp_path / "x.crt", pki.issue(authority, "other", "station", NAMES).certificate)


def _signed(desk, authority, tmp_path, **more):
    key = x509.load_pem_x509_csr((desk.stick / "feeder-12.csr").read_bytes()).public_key()
    given = {"name": "Feeder 12", "profile": "station", "sans": NAMES} | more
    return put(tmp_path / "x.crt", pki.sign(authority, key, **given))


UNFIT = {
    "the certificate of another station": (_someone_elses, "the key does not belong to this certificate"),
    "a certificate for a master": (
        lambda desk, ca, at: _signed(desk, ca, at, profile="master"),
        "serverAuth is missing",
    ),
    "an expired certificate": (
        lambda desk, ca, at: _signed(desk, ca, at, days=1, now=datetime.now(UTC) - 2 * A_DAY),
        "the certificate has expired on",
    ),
    "a certificate of tomorrow": (
        lambda desk, ca, at: _signed(desk, ca, at, now=datetime.now(UTC) + A_DAY),
        "set the clock",
    ),
    "a certificate without the station's names": (
        lambda desk, ca, at: _signed(desk, ca, at, sans=["dns:other.example"]),
        'lacks the name "ip:127.0.0.1"',
    ),
    "a certificate without any name": (
        lambda desk, ca, at: _signed(desk, ca, at, sans=[]),
        "has no alternative name",
    ),
    "a certificate of an authority nobody knows": (
        lambda desk, ca, at: _signed(desk, pki.make_ca("Stranger"), at),
        "name its certificate with --authority",
    ),
    "a certificate of a namesake": (
        lambda desk, ca, at: _signed(desk, pki.make_ca("Authority"), at),
        "name its certificate with --authority",
    ),
    "a certificate larger than masters take": (
        lambda desk, ca, at: _signed(desk, ca, at, sans=[*NAMES, *(f"uri:urn:{n}:{'x' * 250}" for n in range(32))]),
        "is too large for masters",
    ),
    "the authority's certificate": (lambda desk, ca, at: desk.ca / "ca.crt", "the certificate of an authority"),
    "the request": (lambda desk, ca, at: desk.stick / "feeder-12.csr", "is the request"),
    "a key": (lambda desk, ca, at: desk.station / "station.key", "holds a private key"),
    "something else": (lambda desk, ca, at: desk.file, "not a certificate, request or revocation list"),
    "nothing": (lambda desk, ca, at: Path("none.crt"), "none.crt: No such file"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNFIT)
def test_what_does_not_fit_is_refused_and_the_pair_in_use_stays(desk, tmp_path, case):
    make, words = UNFIT[case]
    desk.begin()
    # A pair is in use, and the key of the request waits beside it: the same as after --renew.
    (desk.station / "station.key").rename(desk.station / "station.key.new")
    pki.issue(desk.authority(), "old", "station", ["ip:127.0.0.1"]).write(
        desk.station / "station.crt", desk.station / "station.key"
    )
    if case == "a key":
        make = lambda desk, ca, at: desk.station / "station.key.new"  # noqa: E731
    file = make(desk, desk.authority(), tmp_path)
    before = desk.files()
    assert words in desk.at_station("install", file)
    assert desk.files() == before


def test_an_intermediate_that_is_not_in_the_file_is_missed(desk, tmp_path):
    """Masters know the root; whoever lies between it and the station has to be sent along."""
    desk.begin()
    root = authority_with("Root", None)
    between = authority_with("Between", 0, root)
    put(desk.station / "ca.crt", root.certificate)
    key = x509.load_pem_x509_csr((desk.stick / "feeder-12.csr").read_bytes()).public_key()
    leaf = pki.sign(between, key, "Feeder 12", "station", NAMES)
    assert "--authority" in desk.at_station("install", put(tmp_path / "x.crt", leaf))
    whole = put(tmp_path / "x.crt", leaf, between.certificate, root.certificate)
    assert desk.at_station("install", whole) == 0
    sent = x509.load_pem_x509_certificates((desk.station / "station.crt").read_bytes())
    assert sent == [leaf, between.certificate]


def authority_with(name, path_length, root=None):
    """An authority of a larger tree than `pki` makes."""
    made = pki.make_ca(name)
    root = root or made
    builder = (
        x509.CertificateBuilder()
        .subject_name(made.certificate.subject)
        .issuer_name(root.certificate.subject)
        .public_key(made.key.public_key())
        .serial_number(made.certificate.serial_number)
        .not_valid_before(made.certificate.not_valid_before_utc)
        .not_valid_after(made.certificate.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key()), critical=False
        )
    )
    for kind in (x509.KeyUsage, x509.SubjectKeyIdentifier):
        extension = made.certificate.extensions.get_extension_for_class(kind)
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return pki.Issued(builder.sign(root.key, keys.signature_hash(root.key)), made.key)


def test_an_authority_of_stations_need_not_be_one_of_masters(desk, tmp_path):
    desk.begin()
    stations = pki.make_ca("Authority of stations")
    leaf = _signed(desk, stations, tmp_path)
    authority = put(tmp_path / "stations.crt", stations.certificate)
    assert desk.at_station("install", leaf, "--authority", authority) == 0
    assert desk.run("show", "--json", desk.file) == 1  # there is no list yet
    assert json.loads(desk.said)["findings"][0]["verdict"] == "fine"


def test_a_name_that_is_meant_to_go_may_go(desk, tmp_path):
    desk.serve()
    leaf = _signed(desk, desk.authority(), tmp_path, sans=["ip:127.0.0.1"])
    assert f'lacks the name "{NAME}"' in desk.at_station("install", leaf)
    assert desk.at_station("install", leaf, "--other-names") == 0


def test_a_key_that_a_credential_is_made_of_is_named(desk):
    desk.file.write_text(STATION.replace('"station.key"', '"credential:tls.key"'))
    (desk.station / "ca.crt").write_bytes(b"")
    assert "name the file it is made of" in desk.at_station("request")
    source = desk.station / "private.key"
    assert desk.at_authority("init", "--name", "Authority") == 0
    (desk.station / "ca.crt").write_bytes((desk.ca / "ca.crt").read_bytes())
    assert desk.at_station("request", "--key", source) == 0
    assert desk.sign() == 0
    assert desk.at_station("install", "feeder-12.crt", "--key", source) == 0
    assert "restart the station" in desk.said
    assert b"PRIVATE" in source.read_bytes()


# Lists


def test_a_list_finds_its_place(desk):
    desk.serve()
    assert desk.at_station("install", desk.new_list()) == 0
    assert (desk.station / "ca.crl").read_bytes() == (desk.ca / "ca.crl").read_bytes()
    assert stat.S_IMODE((desk.station / "ca.crl").stat().st_mode) == 0o644


def test_an_older_list_does_not_come_back(desk, tmp_path):
    desk.serve()
    old = tmp_path / "old.crl"
    old.write_bytes(desk.new_list().read_bytes())
    desk.at_authority("revoke", "Feeder 12")
    assert desk.at_station("install", desk.new_list()) == 0
    assert "holds list number 2, this one has 1: get the newest" in desk.at_station("install", old)
    assert "holds this list already" in desk.at_station("install", desk.ca / "ca.crl")


def _list(authority, **more):
    return pki.revocation_list(authority, [7], **({"number": 1, "days": 30} | more))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda ca: _list(pki.make_ca("Authority")), "the signature is not that of"),
        (lambda ca: _list(pki.make_ca("Stranger")), "which is not in `trusted`"),
        (lambda ca: _list(ca, now=datetime.now(UTC) - 40 * A_DAY), "has expired on"),
        (lambda ca: _list(ca, now=datetime.now(UTC) + A_DAY), "set the clock"),
        (lambda ca: _list(ca) + _list(ca, number=2), "install one at a time"),
    ],
)
def test_a_list_that_says_nothing_is_refused(desk, tmp_path, make, words):
    desk.serve()
    (tmp_path / "x.crl").write_bytes(make(desk.authority()))
    assert words in desk.at_station("install", tmp_path / "x.crl")
    assert not (desk.station / "ca.crl").exists()


def test_lists_of_several_authorities_live_in_one_file_or_in_several(desk, tmp_path):
    desk.serve()
    other = pki.make_ca("Other")
    put(desk.station / "ca.crt", desk.authority().certificate, other.certificate)
    desk.file.write_text(
        STATION.replace('issuer = "ca.crt", san = "dns:scada-a.example"', f'spki_sha256 = "{"0" * 64}"')
    )
    both = desk.station / "ca.crl"
    both.write_bytes(_list(other) + _list(desk.authority(), number=1))
    (tmp_path / "x.crl").write_bytes(_list(other, number=5))
    assert desk.at_station("install", tmp_path / "x.crl") == 0
    assert [(one.issuer.rfc4514_string()) for one in x509_lists(both)] == ["CN=Authority", "CN=Other"]


def test_the_list_of_a_renewed_authority_lies_beside_that_of_its_old_key(desk, tmp_path):
    desk.serve()
    renewed = pki.make_ca("Authority")
    put(desk.station / "renewed.crt", renewed.certificate)
    desk.file.write_text(STATION.replace('trusted = ["ca.crt"]', 'trusted = ["ca.crt", "renewed.crt"]'))
    (desk.station / "ca.crl").write_bytes(_list(desk.authority(), number=57))
    for number in (1, 2):
        (tmp_path / "x.crl").write_bytes(_list(renewed, number=number))
        assert desk.at_station("install", tmp_path / "x.crl") == 0
    from rtu.security.certificates.documents import list_number

    assert list(map(list_number, x509_lists(desk.station / "ca.crl"))) == [57, 2]
    assert shown(desk)[0] == 0


def x509_lists(path):
    from rtu.security.certificates import documents

    return documents.lists(path)


def test_a_station_without_a_place_for_lists_says_what_to_add(desk):
    desk.serve()
    desk.file.write_text(STATION.replace('revoked = ["ca.crl"]', ""))
    assert 'revoked = ["ca.crl"]' in desk.at_station("install", desk.new_list())


# The authority's own mistakes


def test_a_short_pass_phrase_is_refused(desk):
    desk.passphrase.write_text("short\n")
    assert "12 characters at least" in desk.at_authority("init", "--name", "Authority")
    assert not desk.ca.exists()


def test_a_pass_phrase_others_can_read_is_refused(desk):
    desk.passphrase.chmod(0o644)
    assert "chmod 600" in desk.at_authority("init", "--name", "Authority")


def test_an_authority_without_pass_phrase_is_warned_of(desk, capsys):
    assert main(["certs", "init", "--ca", str(desk.ca), "--name", "Trial", "--no-passphrase"]) == 0
    assert "warning: whoever reads ca.key" in capsys.readouterr().err


def test_without_a_terminal_there_is_nobody_to_ask(desk):
    assert "use --passphrase-file" in desk.run("init", "--ca", desk.ca, "--name", "Authority")


def test_revoking_needs_no_key_and_making_the_list_does(desk):
    desk.serve()
    assert desk.run("revoke", "--ca", desk.ca, "Feeder 12", "--reason", "key-compromise") == 0
    assert "use --passphrase-file" in desk.run("crl", "--ca", desk.ca)
    assert "has been revoked on" in desk.run("revoke", "--ca", desk.ca, "Feeder 12")


# Looking


def shown(desk, *arguments):
    code = desk.run("show", "--json", *(arguments or [desk.file]))
    return code, json.loads(desk.said)


def test_a_station_in_order_is_fine(desk):
    desk.serve()
    desk.at_station("install", desk.new_list())
    code, told = shown(desk)
    assert (code, told["verdict"]) == (0, "fine")
    assert [finding["about"] for finding in told["findings"]] == ["station", "trusted", "list", "master"]
    assert 728 <= told["findings"][0]["days_left"] <= 730


def old(desk, days_left, tmp_path):
    desk.begin()
    born = datetime.now(UTC) - timedelta(days=100)
    leaf = _signed(desk, desk.authority(), tmp_path, now=born, days=100 + days_left)
    (desk.station / "station.crt").write_bytes(leaf.read_bytes())
    (desk.station / "ca.crl").write_bytes(desk.new_list().read_bytes())


@pytest.mark.parametrize(
    ("days_left", "code", "remark"),
    [(31, 0, ""), (29, 1, r"expires in 2[89] days: renew it"), (0, 2, "the certificate has expired on")],
)
def test_a_certificate_is_told_in_time_and_too_late(desk, tmp_path, days_left, code, remark):
    old(desk, days_left, tmp_path)
    found, told = shown(desk)
    assert found == code
    assert re.match(remark, told["findings"][0]["remark"])


@pytest.mark.parametrize(
    ("policy", "list_", "code", "remark"),
    [
        ("warn", None, 1, "cannot be read"),
        ("require", None, 2, "cannot be read"),
        ("warn", {"now": datetime.now(UTC) - 40 * A_DAY}, 1, "has expired"),
        ("require", {"now": datetime.now(UTC) - 40 * A_DAY}, 2, "has expired"),
        ("warn", {"days": 2}, 1, "expires in (1 day|2 days): make a new one"),
        ("require", {"days": 4}, 0, ""),
    ],
)
def test_a_list_that_is_late_wants_attention(desk, policy, list_, code, remark):
    desk.serve()
    desk.file.write_text(STATION.replace("revoked =", f'crl_policy = "{policy}"\nrevoked ='))
    if list_ is not None:
        (desk.station / "ca.crl").write_bytes(_list(desk.authority(), **list_))
    found, told = shown(desk)
    assert found == code
    (remarks,) = [each["remark"] for each in told["findings"] if each["where"].endswith("ca.crl")]
    assert re.match(remark, remarks)


@pytest.mark.parametrize(
    ("spoil", "remark"),
    [
        (
            lambda at: pki.issue(pki.make_ca("x"), "x", "station").write(at / "x", at / "station.key"),
            "does not belong",
        ),
        (lambda at: (at / "station.crt").write_bytes(b"-----BEGIN"), "not a certificate"),
        (lambda at: (at / "station.crt").unlink(), "cannot be read"),
        (lambda at: (at / "ca.crt").write_bytes(b""), "not a certificate"),
    ],
)
def test_what_cannot_be_used_is_said(desk, spoil, remark):
    desk.begin()
    assert desk.sign() == 0
    (desk.station / "station.crt").write_bytes((desk.stick / "feeder-12.crt").read_bytes())
    spoil(desk.station)
    code, told = shown(desk)
    assert code == 2
    assert any(remark in finding["remark"] for finding in told["findings"])


def test_a_list_that_does_not_count_is_not_fine(desk):
    desk.serve()
    (desk.station / "ca.crl").write_bytes(_list(pki.make_ca("Authority")))
    code, told = shown(desk)
    assert code == 1
    remarks = [each["remark"] for each in told["findings"] if each["about"] == "list"]
    assert remarks[0].startswith("does not count: the signature is not that of")
    assert remarks[1].startswith("there is no list of")


def test_a_key_that_waits_is_told(desk):
    desk.serve()
    desk.renew()
    _, told = shown(desk)
    assert "a new key waits for its certificate" in [finding["remark"] for finding in told["findings"]]


def test_files_that_are_links_of_somebody_else_can_be_looked_at(desk):
    desk.begin()
    desk.sign()
    for name, target in (
        ("station.crt", desk.stick / "feeder-12.crt"),
        ("station.key", desk.station / "real.key"),
    ):
        if name == "station.key":
            (desk.station / name).rename(target)
        (desk.station / name).symlink_to(target)
    desk.run("show", "--json", desk.file)
    assert json.loads(desk.said)["findings"][0]["verdict"] == "fine"
    assert "a link that somebody else made" in desk.at_station("install", "feeder-12.crt")


def test_a_key_one_may_not_read_is_told_and_the_rest_is_looked_at(desk):
    desk.serve()
    (desk.station / "station.key").unlink()
    (desk.station / "station.key").mkdir()  # which root cannot read either
    code, told = shown(desk)
    assert code == 1
    assert "station.key cannot be read" in told["findings"][0]["remark"]
    assert [finding["about"] for finding in told["findings"]][:2] == ["station", "trusted"]


def test_text_of_strangers_cannot_move_the_cursor(desk, tmp_path):
    hostile = pki.issue(pki.make_ca("evil\n\x1b[2J"), "a\nb\x1b]0;x\x07", "master", ["uri:urn:\x1b[2J"])
    assert desk.run("show", put(tmp_path / "x.crt", hostile.certificate)) == 0
    assert "\x1b" not in desk.said
    assert all(line.startswith((" ", "certificate ", "verdict ")) for line in desk.said.splitlines())


def test_a_mistake_in_the_station_file_is_told(desk):
    desk.file.write_text(STATION.replace("ioa = 1 ", "ioa = 0 "))
    assert "station.toml:20" in desk.at_station("request")
    desk.file.write_text(STATION[: STATION.index("[listen.tls]")] + STATION[STATION.index("[[point]]") :])
    assert "no [listen.tls]" in desk.at_station("request")


def test_the_station_of_the_service_is_meant_when_none_is_named(desk):
    assert desk.run("show") == "rtu: /etc/outstation/station.toml: cannot be read: No such file or directory"


def test_help_tells_every_action(desk):
    assert desk.run("--help") == 0
    for action in ("init", "request", "sign", "install", "rollback", "revoke", "crl", "show", "pin"):
        assert f"    {action} " in desk.said


def test_openssl_configuration_is_the_stations(desk, monkeypatch):
    """What is tried before an installation is what the station does, suites of TLS 1.3 included."""
    desk.begin()
    assert os.environ["OPENSSL_CONF"].endswith("openssl.cnf")
