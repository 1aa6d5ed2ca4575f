"""The actions of `rtu certs` that only look: show, pin."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding

from rtu.config.mistakes import printable
from rtu.security.certificates import documents
from rtu.security.certificates.keys import CertificateError
from rtu.security.certificates.peer import PeerCertificate
from rtu.security.certificates.pki import spki_sha256
from rtu.security.enrolment.inspection import Finding, inspect_document, inspect_station

MOST_SHOWN = 20
"""Members of a list on the terminal; JSON has all of them."""


def show(args: argparse.Namespace, now: datetime) -> int:
    if args.file.suffix == ".toml":
        from .certs_device import station

        file, _, base = station(args.file)
        findings = inspect_station(file, base, now)
    else:
        findings = inspect_document(args.file, now)
    worst = max(finding.verdict for finding in findings)
    if args.json:
        print(json.dumps({"verdict": worst.name.lower(), "findings": list(map(_fields, findings))}, indent=2))
    else:
        print("\n".join(_lines(findings)))
        print(f"verdict     {worst.name.lower()}")
    return int(worst)


def pin(args: argparse.Namespace, now: datetime) -> int:
    certificate = documents.certificates(args.file)[0]
    try:
        PeerCertificate(certificate.public_bytes(Encoding.DER))
    except ValueError as error:
        raise CertificateError(f"{args.file}: {error}") from None
    print(f'identity = {{ spki_sha256 = "{spki_sha256(certificate)}" }}')
    return 0


def _fields(finding: Finding) -> dict[str, object]:
    return {
        "about": finding.about,
        "where": finding.where,
        "verdict": finding.verdict.name.lower(),
        "remark": finding.remark,
        **{name.replace(" ", "_"): value for name, value in finding.facts.items()},
    }


def _lines(findings: Sequence[Finding]) -> list[str]:
    lines = []
    for finding in findings:
        title = f"{finding.about:<12}{finding.where}"
        lines.append(f"{title}: {finding.remark}" if finding.remark else title)
        lines += [
            f"            {name}: {_text(value)}" for name, value in finding.facts.items() if value != []
        ]
    return list(map(printable, lines))


def _text(value: object) -> str:
    if isinstance(value, list):
        more = f" and {len(value) - MOST_SHOWN} more" if len(value) > MOST_SHOWN else ""
        return ", ".join(map(str, value[:MOST_SHOWN])) + more
    return str(value)


__all__ = ["pin", "show"]
