"""Everything the fuzzer ever found worth keeping, and every byte vector, through every target."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_finds_no_defect(name: str, frames: list[bytes]) -> None:
    target = TARGETS[name]
    kept = [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]
    assert kept
    for octets in kept:
        target(octets)
    for frame in frames:
        target(bytes((len(frame) - 6,)) + frame[6:] if name == "dispatch" and len(frame) > 6 else frame)
        target(frame[6:])
