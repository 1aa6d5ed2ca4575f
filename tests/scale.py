"""How much of a long proof is run: a small size in every run, the full one by `make soak`."""

import os

SOAK = "OUTSTATION_SOAK"


def scale(ci: int, soak: int) -> int:
    """`soak` when the environment asks for it, else `ci`."""
    return soak if os.environ.get(SOAK) else ci
