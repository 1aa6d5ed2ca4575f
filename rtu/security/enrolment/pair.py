"""A certificate and its key, replaced together: a reader finds the old pair or the new one, also if the power fails.

Two files cannot be renamed at one moment, one link can. So both names lead through one link into a store beside the
certificate, and the pair before stays there:

    station.crt -> station.crt.d/now/certificate.pem        station.crt.d/2/certificate.pem, key.pem
    station.key -> station.crt.d/now/key.pem                station.crt.d/1/...
                   station.crt.d/now -> 2, before -> 1

Plain files that lie there first are moved into the store, bytes as they are.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtu.disk import create_file, exclusive, sync_directory
from rtu.security.certificates.keys import CertificateError

_CERTIFICATE, _KEY = "certificate.pem", "key.pem"
_NOW, _BEFORE = "now", "before"


class Pair:
    """The pair a station file names by these two paths, whether its files exist or not. Raises CertificateError."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._names = {
            _CERTIFICATE: certificate.parent.resolve() / certificate.name,
            _KEY: key.parent.resolve() / key.name,
        }
        if self._names[_CERTIFICATE] == self._names[_KEY]:
            raise CertificateError(f"{key}: certificate and private key in one file: name two files")
        self._store = self._names[_CERTIFICATE].with_name(certificate.name + ".d")
        for file, path in self._names.items():
            if path.is_symlink() and os.readlink(path) != self._link_to(file):
                raise CertificateError(f"{path}: a link that somebody else made: name the file it leads to")

    @property
    def certificate(self) -> Path:
        return self._names[_CERTIFICATE]

    @property
    def key(self) -> Path:
        return self._names[_KEY]

    @property
    def waiting_key(self) -> Path:
        return waiting(self.key)

    def before(self) -> tuple[Path, Path] | None:
        """Certificate and key of the pair that was in use before this one, if it was kept."""
        generation = self._target(_BEFORE)
        if generation is None or generation == self._target(_NOW):
            return None
        files = (self._store / generation / _CERTIFICATE, self._store / generation / _KEY)
        return files if all(file.exists() for file in files) else None

    def install(self, certificate: bytes, key: bytes) -> None:
        """Take a new pair into use and keep the one before. Raises OSError; the old pair is in use then."""
        with self._open_store():
            self._adopt()
            made = self._make({_CERTIFICATE: certificate, _KEY: key})
            current = self._target(_NOW)
            if current is not None:
                self._point(_BEFORE, current)
            self._point(_NOW, made)
            self._link()
            self._tidy()

    def rollback(self) -> None:
        """Take the pair before into use again and keep this one. Raises CertificateError, OSError."""
        with self._open_store():
            self._adopt()
            current, before = self._target(_NOW), self._target(_BEFORE)
            if before is None or current is None or self.before() is None:
                raise CertificateError(f"{self.certificate}: there is no pair before this one")
            self._point(_NOW, before)
            self._point(_BEFORE, current)

    @contextmanager
    def _open_store(self) -> Iterator[None]:
        self._store.mkdir(mode=0o755, exist_ok=True)
        self._store.chmod(0o755)  # whatever the umask; the key looks after itself
        sync_directory(self._store.parent)
        with exclusive(self._store):
            yield

    def _adopt(self) -> None:
        """Have the names lead into the store, to what they hold already."""
        held = {file: path.read_bytes() for file, path in self._names.items() if path.exists()}
        if held and not all(path.is_symlink() for path in self._names.values()):
            self._point(_NOW, self._make(held))
            self._link(held)

    def _make(self, files: dict[str, bytes]) -> str:
        generation = str(max((int(path.name) for path in self._generations()), default=0) + 1)
        directory = self._store / generation
        directory.mkdir()
        directory.chmod(0o755)
        for file, octets in files.items():
            if file == _KEY:
                mode, owner = self._guard()
                create_file(directory / file, octets, mode, owner)
            else:
                create_file(directory / file, octets, 0o644)
        sync_directory(self._store)
        return generation

    def _guard(self) -> tuple[int, tuple[int, int]]:
        """Mode and owner of a key. The station runs as a user of its own, who can read it by the directory's group."""
        if os.geteuid() != 0:
            return 0o600, (-1, -1)
        user = self.key.stat().st_uid if self.key.exists() else 0
        group = self.key.parent.stat().st_gid
        return (0o640 if group else 0o600), (user, group)

    def _link(self, files: dict[str, bytes] | None = None) -> None:
        for file, path in self._names.items():
            if not path.is_symlink() and (files is None or file in files):
                _replace_link(path, self._link_to(file))

    def _link_to(self, file: str) -> str:
        return os.path.relpath(self._store / _NOW / file, self._names[file].parent)

    def _point(self, name: str, generation: str) -> None:
        _replace_link(self._store / name, generation)

    def _target(self, name: str) -> str | None:
        try:
            return os.readlink(self._store / name)
        except FileNotFoundError:
            return None

    def _generations(self) -> list[Path]:
        return [path for path in self._store.iterdir() if path.name.isdecimal()]

    def _tidy(self) -> None:
        kept = {self._target(_NOW), self._target(_BEFORE)}
        for path in self._generations():
            if path.name not in kept:
                shutil.rmtree(path)
        sync_directory(self._store)


def waiting(key: Path) -> Path:
    """Where the key lies whose certificate has not come yet, while this one is in use."""
    return key.with_name(key.name + ".new")


def _replace_link(path: Path, target: str) -> None:
    beside = path.with_name(path.name + ".link")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    os.replace(beside, path)
    sync_directory(path.parent)
