"""The register of an authority: every certificate it has issued, and which of them are revoked.

A file of comma-separated values that people can read, replaced whole at each change. It is written before a
certificate is handed out, so that there is none that could not be revoked.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from rtu.disk import replace_file
from rtu.security.certificates.keys import CertificateError

_COLUMNS = (
    "serial", "status", "name", "profile", "role", "names", "key_sha256", "from", "until", "revoked", "reason",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """A certificate that was issued; `revoked` since when it is not to be taken any more."""

    serial: int
    name: str
    profile: str
    role: str
    names: tuple[str, ...]
    key_sha256: str
    not_before: datetime
    not_after: datetime
    revoked: datetime | None = None
    reason: str = ""

    @property
    def serial_text(self) -> str:
        return serial_text(self.serial)


def serial_text(serial: int) -> str:
    """A serial number as OpenSSL and the register write it."""
    digits = f"{serial:X}"
    return digits.zfill(len(digits) + len(digits) % 2)


def load(path: Path) -> list[Entry]:
    """In the order they were issued. Raises CertificateError; OSError when it cannot be read."""
    entries = []
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        try:
            entries = [_entry(row) for row in rows]
        except (ValueError, KeyError, TypeError, csv.Error):
            raise CertificateError(
                f"{path}:{rows.line_num}: not a line of the register: put the last good copy back"
            ) from None
    return entries


def save(path: Path, entries: Sequence[Entry]) -> None:
    """Replace the register, all of it or nothing. Raises OSError."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    rows.writerows(map(_row, entries))
    replace_file(path, text.getvalue().encode())


def _row(entry: Entry) -> tuple[str, ...]:
    return (
        entry.serial_text,
        "valid" if entry.revoked is None else "revoked",
        entry.name,
        entry.profile,
        entry.role,
        " ".join(entry.names),
        entry.key_sha256,
        entry.not_before.isoformat(),
        entry.not_after.isoformat(),
        "" if entry.revoked is None else entry.revoked.isoformat(),
        entry.reason,
    )


def _entry(row: dict[str, str]) -> Entry:
    revoked = _moment(row["revoked"]) if row["status"] == "revoked" else None
    x509.ReasonFlags(row["reason"] or "unspecified")
    return Entry(
        int(row["serial"], 16),
        row["name"],
        row["profile"],
        row["role"],
        tuple(row["names"].split()),
        row["key_sha256"],
        _moment(row["from"]),
        _moment(row["until"]),
        revoked,
        row["reason"],
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("without a zone")
    return moment.astimezone(UTC)
