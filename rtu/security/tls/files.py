"""The files of the TLS listener, read all together, and what is done when one of them cannot be used.

They are replaced while the station runs, by people and by scripts, one after the other and not always rightly. So a
file that is spoilt, or a key that does not belong to its certificate yet, changes nothing: the last good one stays in
use, until the station restarts, and the fault is told. A file of trust that is *gone* is another matter: whoever deletes
an authority or a pinned certificate wants nobody to get in by it any more, and that is done at once. A revocation list
that is gone or spoilt takes nothing back.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from rtu.config.schema import ListenTls
from rtu.security import files
from rtu.security.certificates import documents
from rtu.security.certificates.keys import CertificateError

from . import revocation
from .context import Pair, TlsError, prove_pair, read_pair
from .revocation import ListError, Lists
from .trust import Trust

Certificates = tuple[x509.Certificate, ...]
Stamps = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What is in use. `faults` are the files that are not, one line each."""

    stamps: Stamps = ()
    pair: Pair | None = None
    own: Certificates = ()
    """Certificates of the pair, the station's first."""
    trusted: Mapping[str, Certificates] = field(default_factory=dict)
    """By the name of the file in the station file; so are `pinned`."""
    pinned: Mapping[str, Certificates] = field(default_factory=dict)
    lists: Lists = field(default_factory=dict)
    remembered: Lists = field(default_factory=dict)
    """Those of `lists` that are kept over a restart."""
    faults: tuple[str, ...] = ()

    @property
    def authorities(self) -> Certificates:
        return tuple(each for found in self.trusted.values() for each in found)

    @property
    def masters(self) -> Certificates:
        """Those that are pinned."""
        return tuple(each for found in self.pinned.values() for each in found)

    def trust(self, lists_required: bool) -> Trust:
        pinned = frozenset(each.fingerprint(hashes.SHA256()) for each in self.masters)
        return Trust(self.authorities, pinned, self.lists, lists_required)


def stamps(listen: ListenTls, base: Path) -> Stamps:
    """What changes when a file does: replaced, written, or given other permissions."""
    names = (listen.certificate, listen.private_key, *listen.trusted, *listen.pinned, *listen.revoked)
    return tuple(_stamp(files.resolve(name, base)) for name in names)


def load(listen: ListenTls, base: Path, before: TlsFiles, kept: Path) -> TlsFiles:
    """Read them all; what cannot be used is as it was `before`. `kept` is where lists are remembered.

    Blocks, for 20 ms and more with long lists. Never raises for what is in a file.
    """
    seen = stamps(listen, base)  # before: what is written while it is read then counts as a change
    faults: list[str] = []
    pair, own = before.pair, before.own
    try:
        found = read_pair(files.resolve(listen.certificate, base), files.resolve(listen.private_key, base))
        if before.pair != found:
            prove_pair(found)
        chain = tuple(x509.load_pem_x509_certificates(found.certificate))
        for each in chain:
            documents.look_through(each)
        pair, own = found, chain
    except TlsError as error:
        faults.append(str(error))
    except Exception as error:  # whatever the parser raises
        faults.append(f"{listen.certificate}: cannot be read ({error}): install the certificate again")
    trusted = {
        name: _certificates(files.resolve(name, base), before.trusted.get(name, ()), faults, _any)
        for name in listen.trusted
    }
    pinned = {
        name: _certificates(files.resolve(name, base), before.pinned.get(name, ()), faults, _no_authority)
        for name in listen.pinned
    }
    authorities = tuple(each for one in trusted.values() for each in one)
    lists: Lists = {}
    remembered: Lists = {}
    if listen.revoked:
        lists, remembered = _lists(listen, base, before, authorities, kept, faults)
    return TlsFiles(seen, pair, own, trusted, pinned, lists, remembered, tuple(faults))


def _certificates(
    path: Path, before: Certificates, faults: list[str], check: Callable[[Path, Certificates], None]
) -> Certificates:
    try:
        found = documents.certificates(path)
        check(path, found)
        return found
    except FileNotFoundError:
        faults.append(
            f"{path}: is gone: nobody gets in by it; put it back, or take it out of the station file"
        )
        return ()
    except OSError as error:
        faults.append(f"{path}: cannot be read ({error.strerror}): correct its permissions")
    except CertificateError as error:
        faults.append(str(error))
    return before


def _any(path: Path, found: Certificates) -> None:
    """Whether an authority may sign is for TLS to find out."""


def _no_authority(path: Path, found: Certificates) -> None:
    """Of an authority everybody would be trusted. Raises CertificateError."""
    for each in found:
        try:
            signs = each.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except x509.ExtensionNotFound:
            signs = False
        except Exception:  # made by somebody else
            raise CertificateError(f"{path}: not a certificate that can be used: install it again") from None
        if signs:
            raise CertificateError(f"{path}: the certificate of an authority: name it in `trusted`")


def _lists(
    listen: ListenTls,
    base: Path,
    before: TlsFiles,
    authorities: Certificates,
    kept: Path,
    faults: list[str],
) -> tuple[Lists, Lists]:
    """The newest of each authority, and those that are remembered."""
    unheard = [each for each in authorities if revocation.authority_id(each) not in before.lists]
    recalled = revocation.recall(kept, unheard)
    known: Lists = {**recalled, **before.lists}
    remembered: Lists = {**recalled, **before.remembered}
    for name in listen.revoked:
        path = files.resolve(name, base)
        try:
            known, older = revocation.newest(known, revocation.read(path, authorities), path, kept)
            faults.extend(older)
        except ListError as error:
            faults.append(str(error))
    try:
        revocation.keep(kept, [each for id, each in known.items() if each.differs_from(remembered.get(id))])
    except OSError as error:
        faults.append(f"{kept}: a revocation list cannot be kept there ({error.strerror}): check the disk")
        return known, remembered  # once more when they are read anew
    return known, known


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
