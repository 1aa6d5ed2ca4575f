"""Simulated hardware for one test each."""

from collections.abc import Iterator

import pytest
from simhw import I2cStub, SimChip, i2c_stub, set_clock_unsynchronised


@pytest.fixture
def chip() -> Iterator[SimChip]:
    """32 lines, all low."""
    with SimChip(lines=32) as simulated:
        yield simulated


@pytest.fixture
def i2c() -> Iterator[I2cStub]:
    """A bus with chips at 0x48 and 0x49."""
    with i2c_stub(0x48, 0x49) as bus:
        yield bus


@pytest.fixture
def clock() -> Iterator[None]:
    """Leaves the kernel's clock as it booted: unsynchronised."""
    yield
    set_clock_unsynchronised()
