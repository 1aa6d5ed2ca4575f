"""Subject alternative names as they are written in a station file: `dns:`, `uri:`, `ip:` and `email:`.

Names are compared exactly: no wildcards, no suffixes, no common name. Only the letter case of a DNS name does not
count (RFC 5280, 7.2).
"""

import ipaddress
from collections.abc import Callable, Mapping

from cryptography import x509

_KINDS: Mapping[str, Callable[[str], x509.GeneralName]] = {
    "dns": lambda value: x509.DNSName(value.lower()),
    "uri": x509.UniformResourceIdentifier,
    "ip": lambda value: x509.IPAddress(ipaddress.ip_address(value)),
    "email": x509.RFC822Name,
}


def parse(text: str) -> x509.GeneralName:
    """The name `text` stands for. Raises ValueError, in words for whoever wrote it."""
    kind, colon, value = text.partition(":")
    if not colon or kind not in _KINDS or not value:
        raise ValueError(f'write "dns:NAME", "uri:URI", "ip:ADDRESS" or "email:ADDRESS", not "{text}"')
    try:
        return _KINDS[kind](value)
    except ValueError as error:
        raise ValueError(f'"{text}" is not a valid name: {error}') from None


def comparable(name: x509.GeneralName) -> x509.GeneralName:
    """The same name in the form `parse` gives, so that equal names compare equal."""
    return x509.DNSName(name.value.lower()) if isinstance(name, x509.DNSName) else name


def text(name: x509.GeneralName) -> str | None:
    """`name` as a station file writes it; None for one of another kind."""
    match name:
        case x509.DNSName():
            return f"dns:{name.value.lower()}"
        case x509.UniformResourceIdentifier():
            return f"uri:{name.value}"
        case x509.IPAddress():
            return f"ip:{name.value}"
        case x509.RFC822Name():
            return f"email:{name.value}"
        case _:
            return None


def texts(extensions: x509.Extensions) -> tuple[str, ...]:
    """The alternative names among these extensions as a station file writes them; those of other kinds are left out."""
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(written for name in names if (written := text(name)) is not None)
