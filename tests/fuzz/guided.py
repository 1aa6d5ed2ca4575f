"""Coverage-guided fuzzing with atheris, by hand: what reaches new code joins the corpus that every test run plays back.

    pip install -e '.[fuzz]'
    python -m tests.fuzz.guided codec -max_total_time=60

A crash is written to `crash-*` in the working directory: put it into tests/fuzz/corpus/TARGET as it is, and mend the code.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

CORPUS = Path(__file__).parent / "corpus"


def main(target: str, *options: str) -> None:
    with atheris.instrument_imports(include=["rtu"]):
        from tests.fuzz.targets import TARGETS

    corpus = CORPUS / target
    corpus.mkdir(parents=True, exist_ok=True)
    atheris.Setup([sys.argv[0], *options, str(corpus)], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
