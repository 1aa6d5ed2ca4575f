"""Where the files of certificates and keys are: beside the station file, or handed over by the service manager.

`credential:NAME` is a file of the directory that systemd makes for `LoadCredential=` and names in
$CREDENTIALS_DIRECTORY. Only the service can read it there, whatever its mode says.
"""

from __future__ import annotations

import os
from pathlib import Path

_CREDENTIAL = "credential:"
_DIRECTORY = "CREDENTIALS_DIRECTORY"


def resolve(name: str, base: Path) -> Path:
    """The file that `name` of a station file means; relative ones start at `base`.

    Without $CREDENTIALS_DIRECTORY a credential is looked for where systemd keeps none, so that the error names it.
    """
    if not name.startswith(_CREDENTIAL):
        return base / name
    directory = os.environ.get(_DIRECTORY)
    return Path(directory or f"${_DIRECTORY}") / Path(name.removeprefix(_CREDENTIAL)).name


def is_credential(name: str) -> bool:
    """Whether the service manager hands this file over: it exists only while the service runs."""
    return name.startswith(_CREDENTIAL)


def is_guarded(path: Path) -> bool:
    """Whether `path` is in the directory of credentials, where the mode of a file says nothing."""
    directory = os.environ.get(_DIRECTORY)
    return bool(directory) and path.parent == Path(directory or "")
