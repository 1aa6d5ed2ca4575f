"""The roles a certificate itself carries (IEC 62351-8, profile A: extension IECUserRoles).

The extension is a SEQUENCE OF SEQUENCE whose first element is a SEQUENCE OF INTEGER, the role ids; what follows it
(area of responsibility, revision, role definition) does not matter here. A certificate can only narrow what the
configuration grants, so one without the extension narrows nothing.
"""

from collections.abc import Iterator, Mapping

from cryptography import x509

from rtu.config.schema import Role
from rtu.security.roles import greatest

IEC_USER_ROLES = x509.ObjectIdentifier("1.2.840.10070.8.1")

_MALFORMED = "its IECUserRoles extension is malformed"
_SEQUENCE = 0x30
_INTEGER = 0x02
_UTF8 = 0x0C
# INSTALLER may do over the line what an engineer may. SECADM, SECAUD and RBACMNT have no business there.
_ROLES: Mapping[int, Role] = {0: "viewer", 1: "operator", 2: "engineer", 3: "engineer"}


def role_extension(role: Role) -> x509.UnrecognizedExtension:
    """The extension that gives `role` in every area, for a certificate that is being made."""
    number = next(number for number, name in _ROLES.items() if name == role)
    content = (
        _value(_SEQUENCE, _value(_INTEGER, bytes([number])))
        + _value(_UTF8, b"*")  # area of responsibility
        + _value(_INTEGER, b"\0")  # revision of the role definition
        + _value(_UTF8, b"IEC62351-8")
    )
    return x509.UnrecognizedExtension(IEC_USER_ROLES, _value(_SEQUENCE, _value(_SEQUENCE, content)))


def certificate_role(certificate: x509.Certificate) -> Role | None:
    """The greatest role the certificate carries, or None when it has no such extension.

    Raises ValueError when the extension is malformed or holds no role that exists over this protocol.
    """
    try:
        extension = certificate.extensions.get_extension_for_oid(IEC_USER_ROLES).value
    except x509.ExtensionNotFound:
        return None
    assert isinstance(extension, x509.UnrecognizedExtension)
    roles = [_ROLES[number] for number in _role_ids(extension.value) if number in _ROLES]
    if not roles:
        raise ValueError("its IECUserRoles extension holds no role that may use this protocol")
    return greatest(*roles)


def _role_ids(octets: bytes) -> Iterator[int]:
    outermost = list(_values(octets))
    if len(outermost) != 1:
        raise ValueError(_MALFORMED)
    ((tag, assignments),) = outermost
    _expect(tag, _SEQUENCE)
    for tag, assignment in _values(assignments):
        _expect(tag, _SEQUENCE)
        first, ids = next(_values(assignment), (0, b""))
        _expect(first, _SEQUENCE)
        for kind, content in _values(ids):
            _expect(kind, _INTEGER)
            yield int.from_bytes(content, "big", signed=True)


def _value(tag: int, content: bytes) -> bytes:
    return bytes([tag, len(content)]) + content


def _values(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each DER value in `octets`; lengths up to 65535 are enough for any certificate we take."""
    at = 0
    while at < len(octets):
        header = octets[at : at + 2]
        if len(header) < 2:
            raise ValueError("its IECUserRoles extension is cut off")
        tag, length = header
        at += 2
        if length > 0x82:
            raise ValueError(_MALFORMED)
        if length >= 0x80:
            size = length - 0x80
            length = int.from_bytes(octets[at : at + size], "big")
            at += size
        if at + length > len(octets):
            raise ValueError("its IECUserRoles extension is cut off")
        yield tag, octets[at : at + length]
        at += length


def _expect(tag: int, wanted: int) -> None:
    if tag != wanted:
        raise ValueError(_MALFORMED)
