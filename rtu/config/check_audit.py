"""What must be so for the audit trail to reach its log servers."""

from __future__ import annotations

from pathlib import Path as FilePath

from .draft import Draft
from .mistakes import printable, quoted
from .schema import LogServer

_CREDENTIAL = "credential:"
"""Begins the name of a file that is there only while the service runs."""


def check_audit(draft: Draft, base: FilePath | None) -> None:
    """Certificates and keys are looked for below `base`, if given."""
    first: dict[tuple[str, int], LogServer] = {}
    for path, server in draft.all(LogServer):
        if first.setdefault((server.host, server.port), server) is not server:
            line = draft.line(first[server.host, server.port])
            text = f"audit.server: {quoted(server.host)} port {server.port} is a server already (line {line})"
            draft.mistake(path, text, "host")
        if (server.certificate is None) != (server.private_key is None):
            missing = "certificate" if server.certificate is None else "private_key"
            draft.mistake(path, f'audit.server: "{missing}" is missing: a certificate needs its key')
        for key, names in _files(server).items() if base is not None else ():
            for name in names:
                if name.startswith(_CREDENTIAL):
                    continue
                file = FilePath(base or "", name)
                try:
                    file.open("rb").close()
                except (OSError, ValueError) as error:
                    reason = error.strerror if isinstance(error, OSError) else "not a file name"
                    draft.mistake(
                        path, f"audit.server.{key}: cannot read {printable(str(file))}: {reason}", key
                    )


def _files(server: LogServer) -> dict[str, list[str]]:
    return {
        "trusted": server.trusted,
        "certificate": [server.certificate] if server.certificate is not None else [],
        "private_key": [server.private_key] if server.private_key is not None else [],
    }
