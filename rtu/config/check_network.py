"""What an open port costs, and what firewall and service manager have to be able to make of the file.

The unit of the package lets the station bind ports from 1024 only and write below /var/lib/outstation only; firewalls,
masters and monitoring know 19998 as 104 over TLS and 2404 as 104 without protection (IANA: iec-104-sec, iec-104).
"""

from __future__ import annotations

import ipaddress
from pathlib import Path as FilePath

from .draft import Draft
from .mistakes import Path, quoted
from .schema import ListenPlain, ListenTls, StationFile

TLS_PORT, PLAIN_PORT = 19998, 2404
FIRST_FREE_PORT = 1024

READ_ONLY = ("/etc", "/usr", "/boot")
"""Trees of the system that the unit lets nobody write."""

_TLS: Path = ("listen", "tls")
_PLAIN: Path = ("listen", "plain")


def check_network(draft: Draft, file: StationFile, base: FilePath | None) -> None:
    """Paths are judged as they are below `base`; not at all if that is None."""
    tls, plain = file.listen.tls, file.listen.plain
    if tls is not None:
        _port(draft, _TLS, tls, TLS_PORT)
    if plain is not None:
        if tls is None or tls.port != plain.port:  # which is a mistake that was told
            _port(draft, _PLAIN, plain, PLAIN_PORT)
        _unprotected(draft, plain)
    _firewall(draft, file)
    if base is not None:
        _written_files(draft, file, base)


def _port(draft: Draft, path: Path, listener: ListenTls | ListenPlain, known: int) -> None:
    port, where = listener.port, ".".join(map(str, path))
    if port == (PLAIN_PORT if known == TLS_PORT else TLS_PORT):
        what = "without protection" if known == TLS_PORT else "over TLS"
        text = f"{where}.port: {port} is known as 104 {what}: everybody will take it for that; use {known}"
        draft.warning(path, text, "port")
    elif port < FIRST_FREE_PORT:
        text = f"{where}.port: ports below {FIRST_FREE_PORT} need a capability that the unit does not give; use {known}"
        draft.warning(path, text, "port")
    elif port != known:
        text = f"{where}.port: {port} and not {known}: firewalls, masters and monitoring must be told"
        draft.warning(path, text, "port")


def _unprotected(draft: Draft, plain: ListenPlain) -> None:
    if plain.address in ("0.0.0.0", "::") and not plain.interface:  # noqa: S104 - it is warned of
        text = "listen.plain.address: every network of this machine can reach it without protection: name one address"
        draft.warning(_PLAIN, text, "address")


def _firewall(draft: Draft, file: StationFile) -> None:
    for key, networks in (("ssh", file.firewall.ssh), ("ntp", file.firewall.ntp)):
        for place, text in enumerate(networks):
            try:
                ipaddress.ip_network(text)
            except ValueError:
                told = f"firewall.{key}: {quoted(text)} is not a network: write 10.1.0.5 or 10.1.0.0/24"
                draft.mistake(("firewall",), told, key, place)
    for place, text in enumerate(file.firewall.vpn):
        if int(text.partition(":")[2]) > 65535:
            draft.mistake(("firewall",), f"firewall.vpn: {quoted(text)}: ports end at 65535", "vpn", place)


def _written_files(draft: Draft, file: StationFile, base: FilePath) -> None:
    """Of what the station writes itself."""
    named: list[tuple[Path, str, str]] = [
        (("events", "directory"), "events.directory: ", file.events.directory),
        (("audit", "directory"), "audit.directory: ", file.audit.directory),
        (("trace", "directory"), "trace.directory: ", file.trace.directory),
    ]
    if file.files is not None:  # whose complaints begin with `files.inbox` anyway
        inboxes = enumerate(file.files.inbox)
        named += [(("files", "inbox", place, "file"), "file ", inbox.file) for place, inbox in inboxes]
    for path, what, name in named:
        written = (base / name).resolve()
        if name and any(written.is_relative_to(tree) for tree in READ_ONLY):
            told = f"{what}{quoted(str(written))} cannot be written under systemd: use a path below /var/lib/outstation"
            draft.warning(path, told)
