"""Who is admitted: the rules of the gate, with certificates that try to get past it."""

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from rtu.config.schema import Identity, Master
from rtu.security import identity
from rtu.security.certificates import pki
from rtu.security.identity import Admission, Gate, GateError, Refusal
from tests.certificates import renamed

CLIENT_AUTH = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
PEER = "10.1.0.7"
SCADA = Identity(issuer="ca.crt", san="dns:scada-a.example")
ROLES_OID = x509.ObjectIdentifier("1.2.840.10070.8.1")


@pytest.fixture
def base(ca, tmp_path):
    ca.write(tmp_path / "ca.crt")
    return tmp_path


@pytest.fixture
def gate(base):
    return Gate(
        [Master(name="a", identity=SCADA, from_=["10.1.0.0/24"], role="operator", group="main")], base
    )


@pytest.fixture
def good(ca):
    return pki.issue(ca, "Control Centre A", "master", ["dns:scada-a.example"])


def is_refused(answer, event, *words):
    assert isinstance(answer, Refusal)
    assert answer.event == event
    for word in words:
        assert word in answer.reason
    return True


# Who is known


def test_a_master_is_known_by_issuer_and_alternative_name(gate, good, octets):
    answer = gate.admit_tls(PEER, octets(good))
    assert isinstance(answer, Admission)
    assert (answer.master.name, answer.group, answer.role) == ("a", "main", "operator")


def test_an_admission_remembers_the_certificate(gate, good, octets):
    credential = gate.admit_tls(PEER, octets(good)).credential
    assert credential.subject == '"CN=Control Centre A"'
    assert credential.serial == good.certificate.serial_number
    assert credential.not_after == good.certificate.not_valid_after_utc


def test_without_a_group_of_its_own_a_master_is_its_group(base, good, octets):
    gate = Gate([Master(name="a", identity=SCADA)], base)
    assert gate.admit_tls(PEER, octets(good)).group == "a"


def test_the_case_of_a_dns_name_does_not_count(ca, base, octets):
    gate = Gate([Master(name="a", identity=Identity(issuer="ca.crt", san="dns:SCADA-A.example"))], base)
    issued = pki.issue(ca, "x", "master", ["dns:Scada-a.EXAMPLE"])
    assert isinstance(gate.admit_tls(PEER, octets(issued)), Admission)


@pytest.mark.parametrize(
    "san", ["uri:urn:utility:scada:a", "ip:10.1.0.7", "ip:2001:db8::7", "email:scada@utility.example"]
)
def test_other_kinds_of_alternative_names_count_too(san, ca, base, octets):
    gate = Gate([Master(name="a", identity=Identity(issuer="ca.crt", san=san))], base)
    assert isinstance(gate.admit_tls(PEER, octets(pki.issue(ca, "x", "master", [san]))), Admission)


@pytest.mark.parametrize(
    "lookalike",
    [
        "scada-a.example.evil",
        "xscada-a.example",
        "scada-a.example.",
        "*.example",
        "scada-a.example\0.evil",
        " scada-a.example",
        "example",
    ],
)
def test_a_lookalike_name_is_another_name(lookalike, gate, odd, names, octets):
    issued = odd.certificate(CLIENT_AUTH, names(lookalike))
    assert is_refused(gate.admit_tls(PEER, octets(issued)), identity.NOT_A_MASTER)


def test_the_same_text_as_another_kind_of_name_is_another_name(gate, odd, octets):
    san = x509.SubjectAlternativeName([x509.UniformResourceIdentifier("scada-a.example")])
    assert is_refused(gate.admit_tls(PEER, octets(odd.certificate(CLIENT_AUTH, san))), identity.NOT_A_MASTER)


def test_the_common_name_never_counts(gate, ca, odd, octets):
    for issued in (
        pki.issue(ca, "scada-a.example", "master"),
        odd.certificate(CLIENT_AUTH, name="dns:scada-a.example"),
    ):
        assert is_refused(gate.admit_tls(PEER, octets(issued)), identity.NOT_A_MASTER, "belongs to no master")


def test_an_authority_of_the_same_name_is_another_authority(gate, octets):
    impostor = pki.make_ca("Utility CA")
    issued = pki.issue(impostor, "x", "master", ["dns:scada-a.example"])
    assert is_refused(gate.admit_tls(PEER, octets(issued)), identity.NOT_A_MASTER)


def test_one_name_among_many_is_enough(gate, odd, names, octets):
    san = names(*(f"host-{n}.example" for n in range(100)), "scada-a.example")
    assert isinstance(gate.admit_tls(PEER, octets(odd.certificate(CLIENT_AUTH, san))), Admission)


def test_a_master_can_be_known_by_its_public_key_alone(base, good, ca, octets):
    digits = good.spki_sha256.upper()
    written = ":".join(digits[at : at + 2] for at in range(0, 64, 2))
    gate = Gate([Master(name="a", identity=Identity(spki_sha256=written))], base)
    assert isinstance(gate.admit_tls(PEER, octets(good)), Admission)
    renewed = pki.issue(ca, "Control Centre A", "master", ["dns:scada-a.example"])
    assert is_refused(gate.admit_tls(PEER, octets(renewed)), identity.NOT_A_MASTER)


def test_name_and_key_must_both_fit_when_both_are_given(base, good, ca, octets):
    both = Identity(issuer="ca.crt", san="dns:scada-a.example", spki_sha256=good.spki_sha256)
    gate = Gate([Master(name="a", identity=both)], base)
    assert isinstance(gate.admit_tls(PEER, octets(good)), Admission)
    same_name = pki.issue(ca, "x", "master", ["dns:scada-a.example"])
    assert is_refused(gate.admit_tls(PEER, octets(same_name)), identity.NOT_A_MASTER)


# What a certificate must be like


def test_a_certificate_without_extended_key_usage_is_refused(gate, odd, names, octets):
    issued = odd.certificate(names("scada-a.example"))
    assert is_refused(gate.admit_tls(PEER, octets(issued)), identity.CERTIFICATE_UNFIT, "clientAuth")


def test_the_certificate_of_a_station_is_no_masters(gate, ca, octets):
    issued = pki.issue(ca, "other station", "station", ["dns:scada-a.example"])
    assert is_refused(gate.admit_tls(PEER, octets(issued)), identity.CERTIFICATE_UNFIT, "clientAuth")


def test_any_purpose_is_not_the_purpose(gate, odd, names, octets):
    anything = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
    issued = odd.certificate(anything, names("scada-a.example"))
    assert is_refused(gate.admit_tls(PEER, octets(issued)), identity.CERTIFICATE_UNFIT)


def test_a_certificate_of_nine_kilobytes_is_refused_unread(gate, odd, names, octets):
    padding = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), bytes(9000))
    issued = odd.certificate(CLIENT_AUTH, names("scada-a.example"), padding)
    assert is_refused(gate.admit_tls(PEER, octets(issued)), identity.CERTIFICATE_SIZE, "8192")


def test_a_certificate_just_below_the_limit_is_taken(gate, odd, names, octets):
    padding = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), bytes(7600))
    issued = odd.certificate(CLIENT_AUTH, names("scada-a.example"), padding)
    assert 8000 < len(octets(issued)) <= 8192
    assert isinstance(gate.admit_tls(PEER, octets(issued)), Admission)


def test_no_certificate_is_nobody(gate):
    assert is_refused(gate.admit_tls(PEER, None), identity.NOT_A_MASTER)
    assert is_refused(gate.admit_tls(PEER, b""), identity.NOT_A_MASTER)


@given(garbage=st.binary(min_size=1, max_size=300))
def test_garbage_is_refused_in_one_line(garbage, tmp_path_factory):
    gate = Gate([], tmp_path_factory.getbasetemp())
    answer = gate.admit_tls(PEER, garbage)
    assert is_refused(answer, identity.CERTIFICATE_UNFIT)
    assert answer.reason.isprintable()


def test_an_extension_that_cannot_be_read_makes_the_certificate_useless(gate, odd, octets):
    broken = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), b"\x30\x82\xff")
    answer = gate.admit_tls(PEER, octets(odd.certificate(CLIENT_AUTH, broken)))
    assert is_refused(answer, identity.CERTIFICATE_UNFIT, "cannot be used")


def test_an_issuer_that_cannot_be_read_makes_the_certificate_useless(base, ca, good, octets):
    odd = renamed(good, ca, {b"\x0c\x0aUtility CA": b"\x14\x0a\xdctility CA"})
    gate = Gate([Master(name="a", identity=Identity(spki_sha256=good.spki_sha256))], base)
    assert is_refused(gate.admit_tls(PEER, octets(odd)), identity.CERTIFICATE_UNFIT, "cannot be used")


def test_names_from_a_certificate_cannot_leave_their_quotes(gate, odd, octets):
    name = 'scada-a\n<0>accepted "admin" \x1b[31m\u202e\u0430'
    reason = gate.admit_tls(PEER, octets(odd.certificate(CLIENT_AUTH, name=name))).reason
    assert reason.isascii()
    assert reason.isprintable()
    assert reason.count('"') - reason.count('\\"') == 2


def test_what_is_shown_of_a_name_is_bounded(gate, odd, octets):
    assert len(gate.admit_tls(PEER, octets(odd.certificate(CLIENT_AUTH, name="x" * 64))).reason) < 200
    fields = x509.SubjectAlternativeName([x509.DNSName("x" * 5000)])
    assert len(gate.admit_tls(PEER, octets(odd.certificate(CLIENT_AUTH, fields))).reason) < 200


# Roles in certificates (IEC 62351-8)


@pytest.fixture
def with_roles(odd, names, octets):
    def make(extension):
        roles = x509.UnrecognizedExtension(ROLES_OID, extension)
        return octets(odd.certificate(CLIENT_AUTH, names("scada-a.example"), roles))

    return make


@pytest.mark.parametrize(
    ("role_ids", "role"),
    [
        ("020100", "viewer"),
        ("020101", "operator"),
        ("020102", "operator"),
        ("020103", "operator"),
        ("020100020101", "operator"),
    ],
)
def test_a_certificate_can_only_narrow_the_role(role_ids, role, gate, with_roles):
    ids = bytes.fromhex(role_ids)
    assignment = bytes([0x30, len(ids)]) + ids + bytes.fromhex("0c0a4f75747374617469 6f6e020100")
    extension = bytes([0x30, len(assignment) + 2, 0x30, len(assignment)]) + assignment
    assert gate.admit_tls(PEER, with_roles(extension)).role == role


@pytest.mark.parametrize(
    "extension",
    [
        "30273025300402 0200ff0c0a4f75747374617469 6f6e020200ff0c0a4945433632333531 2d380a0103",  # role 255
        "30073005 3003020105",  # security administrator
        "3000",
        "30",
        "",
        "0201",
        "30840000000030",
        "30053003020100",
        "300730053003020100ff",
    ],
)
def test_a_certificate_without_a_usable_role_admits_nobody(extension, gate, with_roles):
    certificate = with_roles(bytes.fromhex(extension))
    assert is_refused(gate.admit_tls(PEER, certificate), identity.CERTIFICATE_UNFIT, "IECUserRoles")


# Addresses


def test_a_known_master_from_elsewhere_is_refused(gate, good, octets):
    answer = gate.admit_tls("10.1.1.7", octets(good))
    assert is_refused(answer, identity.ADDRESS_REFUSED, '"a"', "10.1.1.7")


def test_ipv4_through_an_ipv6_socket_is_ipv4(gate, good, octets):
    assert isinstance(gate.admit_tls("::ffff:10.1.0.7", octets(good)), Admission)
    assert is_refused(gate.admit_tls("::ffff:10.2.0.7", octets(good)), identity.ADDRESS_REFUSED)
    assert gate.known_address("::ffff:10.1.0.7", tls=True)


def test_a_link_local_address_keeps_its_zone(base, good, octets):
    gate = Gate([Master(name="a", identity=SCADA, from_=["fe80::/10"])], base)
    assert isinstance(gate.admit_tls("fe80::1%eth0", octets(good)), Admission)


def test_what_is_no_address_is_from_nowhere(gate, base, good, octets):
    assert not gate.known_address("", tls=True)
    assert is_refused(gate.admit_tls("nonsense\n", octets(good)), identity.ADDRESS_REFUSED)
    assert is_refused(gate.admit_plain("nonsense"), identity.ADDRESS_REFUSED)


def test_an_address_no_master_may_come_from_is_unknown(base):
    gate = Gate(
        [Master(name="a", identity=SCADA, from_=["10.1.0.0/24"]), Master(name="p", from_=["10.8.0.1"])], base
    )
    assert gate.known_address("10.1.0.1", tls=True)
    assert not gate.known_address("10.8.0.1", tls=True)
    assert gate.known_address("10.8.0.1", tls=False)
    assert not gate.known_address("10.1.0.1", tls=False)


def test_a_master_with_an_identity_and_no_from_may_come_from_anywhere(base):
    gate = Gate([Master(name="a", identity=SCADA)], base)
    assert gate.known_address("203.0.113.9", tls=True)
    assert gate.known_address("2001:db8::9", tls=True)
    assert not gate.known_address("203.0.113.9", tls=False)


def test_without_masters_nobody_comes_in(base, good, octets):
    gate = Gate([], base)
    assert not gate.known_address(PEER, tls=True)
    assert not gate.known_address(PEER, tls=False)
    assert is_refused(gate.admit_plain(PEER), identity.ADDRESS_REFUSED)
    assert is_refused(gate.admit_tls(PEER, octets(good)), identity.NOT_A_MASTER)


def test_plain_is_for_masters_without_identity_only(base):
    gate = Gate(
        [Master(name="a", identity=SCADA, from_=["10.1.0.0/24"]), Master(name="p", from_=["10.8.0.0/30"])],
        base,
    )
    answer = gate.admit_plain("10.8.0.1")
    assert isinstance(answer, Admission)
    assert (answer.master.name, answer.role, answer.credential) == ("p", "viewer", None)
    assert is_refused(gate.admit_plain("10.1.0.1"), identity.ADDRESS_REFUSED)


def test_a_master_without_identity_is_not_found_through_tls(base, good, octets):
    gate = Gate([Master(name="p", from_=["10.1.0.0/24"])], base)
    assert is_refused(gate.admit_tls(PEER, octets(good)), identity.NOT_A_MASTER)


# Two masters


def test_one_certificate_may_be_two_masters_at_two_places(base, good, octets):
    gate = Gate(
        [
            Master(name="main", identity=SCADA, from_=["10.1.0.0/24"]),
            Master(name="backup", identity=SCADA, from_=["10.2.0.0/24"]),
        ],
        base,
    )
    assert gate.admit_tls("10.1.0.1", octets(good)).master.name == "main"
    assert gate.admit_tls("10.2.0.1", octets(good)).master.name == "backup"


def test_a_certificate_that_fits_two_masters_is_neither(base, good, octets):
    gate = Gate(
        [Master(name="a", identity=SCADA), Master(name="b", identity=Identity(spki_sha256=good.spki_sha256))],
        base,
    )
    assert is_refused(gate.admit_tls(PEER, octets(good)), identity.AMBIGUOUS, '"a"', '"b"')


@pytest.mark.parametrize(
    "masters",
    [
        [Master(name="one", identity=SCADA), Master(name="two", identity=SCADA, from_=["10.0.0.0/8"])],
        [Master(name="one", from_=["10.0.0.0/8"]), Master(name="two", from_=["10.1.0.0/16"])],
        [Master(name="one", from_=["10.1.0.1", "10.1.0.2"]), Master(name="two", from_=["10.1.0.2"])],
    ],
)
def test_masters_that_cannot_be_told_apart_are_a_mistake(masters, base):
    with pytest.raises(GateError, match='"one" and "two" cannot be told apart'):
        Gate(masters, base)


# Mistakes in the file


@pytest.mark.parametrize(
    ("master", "words"),
    [
        (Master(name="m"), "needs `from`"),
        (Master(name="m", identity=Identity()), "`identity` needs"),
        (Master(name="m", identity=Identity(san="dns:a")), "`identity` needs"),
        (Master(name="m", identity=Identity(issuer="ca.crt")), "`identity` needs"),
        (Master(name="m", identity=Identity(issuer="ca.crt", san="scada-a")), 'write "dns:NAME"'),
        (Master(name="m", identity=Identity(issuer="ca.crt", san="cn:scada-a")), 'write "dns:NAME"'),
        (Master(name="m", identity=Identity(issuer="ca.crt", san="dns:")), 'write "dns:NAME"'),
        (Master(name="m", identity=Identity(issuer="ca.crt", san="dns:zürich")), "not a valid name"),
        (Master(name="m", identity=Identity(issuer="ca.crt", san="ip:10.1")), "not a valid name"),
        (Master(name="m", identity=Identity(issuer="gone.crt", san="dns:a")), "cannot read"),
        (Master(name="m", identity=Identity(issuer="junk.crt", san="dns:a")), "no certificate in PEM form"),
        (Master(name="m", identity=Identity(issuer="two.crt", san="dns:a")), "holds 2 certificates"),
        (Master(name="m", identity=Identity(spki_sha256="abc")), "64 hexadecimal digits"),
        (Master(name="m", identity=Identity(spki_sha256="g" * 64)), "64 hexadecimal digits"),
        (Master(name="m", from_=["10.1.0.7/24"]), "has host bits set"),
        (Master(name="m", from_=["scada"]), "write an address"),
        (Master(name="m", from_=["::ffff:10.1.0.7"]), "as an IPv4 address"),
    ],
)
def test_a_mistake_names_the_master_and_says_what_to_do(master, words, base, ca):
    (base / "junk.crt").write_bytes(b"junk")
    (base / "two.crt").write_bytes(ca.certificate_pem * 2)
    with pytest.raises(GateError) as caught:
        Gate([master], base)
    assert str(caught.value).startswith('master "m": ')
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
