"""Who gets in, and how: listeners, masters, the files TLS needs."""

from __future__ import annotations

import ipaddress
from itertools import combinations
from pathlib import Path as FilePath

from .command_list import means
from .draft import Draft
from .mistakes import Path, printable, quoted, suggestion
from .schema import Identity, ListenTls, Master, StationFile

_HASH_DIGITS = 64
_CREDENTIAL = "credential:"
_NAME_KINDS = ("dns", "uri", "ip", "email")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_TLS: Path = ("listen", "tls")
_PLAIN: Path = ("listen", "plain")


def check_access(draft: Draft, file: StationFile, base: FilePath | None) -> None:
    """Files are looked for below `base`, unless that is None."""
    _listeners(draft, file)
    networks = {id(master): _networks(draft, master) for master in file.master}
    for master in file.master:
        _identity(draft, master)
        _commands(draft, master)
    for one, other in combinations(file.master, 2):
        if _proof(one) == _proof(other) and _overlap(networks[id(one)], networks[id(other)]):
            draft.mistake(
                other,
                f"cannot be told from master {quoted(one.name)} (line {draft.line(one)}): "
                "give them different identities, or networks in `from` that do not overlap",
            )
    if base is not None:
        _files(draft, file, base)


def _listeners(draft: Draft, file: StationFile) -> None:
    tls, plain = file.listen.tls, file.listen.plain
    secured = draft.written(_TLS)
    if not secured and not draft.written(_PLAIN):
        draft.warning(("listen",), "no listener is configured: no master can connect; add [listen.tls]")
    for path, listener in ((_TLS, tls), (_PLAIN, plain)):
        if listener is not None and listener.address:
            try:
                ipaddress.ip_address(listener.address)
            except ValueError:
                text = f"{'.'.join(map(str, path))}.address: {quoted(listener.address)} is not an IP address"
                draft.mistake(path, text, "address")
    if tls is not None:
        _trust(draft, tls)
    if tls is not None and plain is not None and tls.port == plain.port:
        draft.mistake(_PLAIN, f"listen.plain.port: {plain.port} is the port of listen.tls too", "port")
    identified = [master for master in file.master if master.identity is not None]
    if draft.names("master") - {master.name for master in file.master}:
        return  # who knows how the broken ones were meant to come
    if tls is not None and not identified:
        draft.warning(_TLS, "listen.tls: no master can use it, for none has an `identity`")
    if plain is not None and len(identified) == len(file.master):
        draft.warning(_PLAIN, "listen.plain: no master can use it, for none is without `identity`")
    if plain is not None and plain.commands:
        draft.warning(
            _PLAIN, "listen.plain: whoever can send from a master's address can operate outputs", "commands"
        )


def _trust(draft: Draft, tls: ListenTls) -> None:
    """Somebody is trusted, and as it is meant."""
    if not tls.trusted and not tls.pinned:
        draft.mistake(
            _TLS,
            "listen.tls: nobody is trusted: name the certificates of authorities in `trusted`, or masters' own in `pinned`",
        )
    if tls.crl_policy == "require" and not tls.revoked:
        draft.mistake(
            _TLS,
            'listen.tls.crl_policy: "require" lets nobody in without `revoked`: name the lists of the authorities',
            "crl_policy",
        )


def _networks(draft: Draft, master: Master) -> list[Network]:
    networks = []
    for index, text in enumerate(master.from_):
        try:
            network = ipaddress.ip_network(text)
        except ValueError:
            hint = _nearest(text)
            draft.mistake(master, f"from: {quoted(text)} is not a network{hint}", "from", index)
        else:
            if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped is not None:
                draft.mistake(master, f"from: write {quoted(text)} as an IPv4 address", "from", index)
            networks.append(network)
    return networks


def _nearest(text: str) -> str:
    try:
        return f": write {ipaddress.ip_network(text, strict=False)} or {text.split('/', maxsplit=1)[0]}"
    except ValueError:
        return ": write an address (10.1.0.5) or a network (10.1.0.0/24)"


def _overlap(some: list[Network], others: list[Network]) -> bool:
    """Whether a connection could be of either; nothing named is from anywhere."""
    if not some or not others:
        return True
    return any(one.version == other.version and one.overlaps(other) for one in some for other in others)


def _proof(master: Master) -> tuple[str | None, ...]:
    """What identifies it: masters with the same proof differ by their addresses only."""
    identity = master.identity
    if identity is None:
        return ()
    return (identity.issuer, identity.san, _hash(identity.spki_sha256))


def _hash(text: str | None) -> str | None:
    return None if text is None else text.replace(":", "").lower()


def _identity(draft: Draft, master: Master) -> None:
    identity = master.identity
    if identity is None:
        if draft.written(master, "identity"):
            return
        if not master.from_:
            draft.mistake(master, "without `identity` it needs `from`, the networks it may come from")
        if not draft.written(_PLAIN):
            draft.mistake(master, "without `identity` it can come over plain TCP only: add [listen.plain]")
        return
    if not draft.written(_TLS):
        draft.mistake(master, "with `identity` it can come over TLS only: add [listen.tls]", "identity")
    if identity.spki_sha256 is None and (identity.issuer is None or identity.san is None):
        draft.mistake(master, "identity needs issuer and san, or spki_sha256", "identity")
    _digits(draft, master, identity)
    if identity.san is not None:
        kind, _, value = identity.san.partition(":")
        if kind not in _NAME_KINDS or not value:
            text = f'identity.san: write "dns:NAME", "uri:URI", "ip:ADDRESS" or "email:ADDRESS", not {quoted(identity.san)}'
            draft.mistake(master, text, "identity", "san")


def _commands(draft: Draft, master: Master) -> None:
    """Every name and pattern of its list means some command, and its role lets it give them."""
    names = draft.names("command")
    for index, pattern in enumerate(master.commands or ()):
        if not any(means((pattern,), name) for name in names):
            hint = suggestion(pattern, names)
            draft.mistake(master, f"commands: no command {quoted(pattern)}{hint}", "commands", index)
    if master.commands and master.role == "viewer":
        draft.warning(master, "commands has no effect: a viewer gives none", "commands")


def _digits(draft: Draft, master: Master, identity: Identity) -> None:
    digits = _hash(identity.spki_sha256)
    if digits is not None and (len(digits) != _HASH_DIGITS or not set(digits) <= set("0123456789abcdef")):
        draft.mistake(
            master,
            f"identity.spki_sha256 must be {_HASH_DIGITS} hexadecimal digits",
            "identity",
            "spki_sha256",
        )


def _files(draft: Draft, file: StationFile, base: FilePath) -> None:
    if file.listen.tls is not None:
        for key, names in _named_files(file.listen.tls).items():
            for name in names:
                if name.startswith(_CREDENTIAL):  # there only while the service runs
                    continue
                _readable(draft, (*_TLS, key), f"listen.tls.{key}", base / name)
    for path, identity in draft.all(Identity):
        if identity.issuer is not None:
            _readable(draft, (*path, "issuer"), "identity.issuer", base / identity.issuer)


def _named_files(tls: ListenTls) -> dict[str, list[str]]:
    return {
        "certificate": [tls.certificate],
        "private_key": [tls.private_key],
        "trusted": tls.trusted,
        "pinned": tls.pinned,
        "revoked": tls.revoked,
    }


def _readable(draft: Draft, path: Path, what: str, file: FilePath) -> None:
    try:
        file.open("rb").close()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a file name"
        draft.mistake(path, f"{what}: cannot read {printable(str(file))}: {reason}")
