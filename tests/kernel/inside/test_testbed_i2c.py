"""The simulated I2C bus behaves as the drivers' tests rely on it."""

from pathlib import Path

import pytest
from simhw import I2cStub, i2c_stub
from smbus2 import SMBus


def test_a_word_register_written_high_byte_first_reads_back_swapped(i2c: I2cStub) -> None:
    i2c.set_register16(0x48, 0, 0x1234)
    with SMBus(i2c.bus) as bus:
        assert bus.read_word_data(0x48, 0) == 0x3412
    assert i2c.register16(0x48, 0) == 0x1234
    assert i2c.register16(0x49, 0) == 0


def test_a_word_register_written_low_byte_first_reads_back_as_it_is(i2c: I2cStub) -> None:
    i2c.set_register16(0x49, 7, 0x1234, big_endian=False)
    with SMBus(i2c.bus) as bus:
        assert bus.read_word_data(0x49, 7) == 0x1234


def test_an_address_without_a_chip_is_an_error(i2c: I2cStub) -> None:
    with SMBus(i2c.bus) as bus, pytest.raises(OSError, match="No such device"):
        bus.read_word_data(0x4A, 0)


def test_a_bus_is_gone_after_its_block_and_its_registers_are_zero_in_the_next() -> None:
    with i2c_stub(0x48) as bus:
        bus.set_register16(0x48, 1, 0xBEEF)
        path = Path(bus.path)
        assert path.exists()
    assert not path.exists()
    with i2c_stub(0x48) as bus:
        assert bus.register16(0x48, 1) == 0


def test_a_chip_can_be_pulled_while_a_program_has_the_bus_open(i2c: I2cStub) -> None:
    i2c.set_register16(0x48, 1, 0x1234)
    with SMBus(i2c.bus) as bus:
        i2c.unplug(0x48)
        with pytest.raises(OSError, match="No such device"):
            bus.read_word_data(0x48, 1)
        assert bus.read_word_data(0x49, 1) == 0
        i2c.plug(0x48)
        assert bus.read_word_data(0x48, 1) == 0x3412
