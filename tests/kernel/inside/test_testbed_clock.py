"""The guest's clock can be made to look kept or not kept by a time daemon."""

import pytest
from simhw import clock_state, set_clock_synchronised, set_clock_unsynchronised


@pytest.mark.usefixtures("clock")
def test_a_guest_boots_unsynchronised_and_the_helpers_change_that() -> None:
    assert clock_state()[0] is False
    set_clock_synchronised(maximum_error_us=2500)
    synchronised, error_us = clock_state()
    assert synchronised is True
    assert 2500 <= error_us < 16_000_000
    set_clock_unsynchronised()
    synchronised, error_us = clock_state()
    assert synchronised is False
    assert error_us >= 16_000_000
