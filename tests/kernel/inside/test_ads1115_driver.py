"""The `ads1115` driver on the kernel's own I2C character device."""

import pytest
from simhw import I2cStub, i2c_stub

from hw.i2c.ads1115 import DRIVER, Ads1115, Config, Options
from hw.interface import Channel, Condition, Context, Kind

CONVERSION, CONFIG = 0, 1
LSB = 2.048 / 32768


def opened(i2c: I2cStub, *refs: str, address: int = 0x48) -> Ads1115:
    channels = [Channel(Kind.ANALOG_INPUT, ref, Options()) for ref in refs]
    return DRIVER.open(Config(bus=i2c.bus, address=address, rate=860), channels, Context("adc"))


def test_a_conversion_is_asked_for_and_read_in_the_chips_byte_order(i2c: I2cStub) -> None:
    i2c.set_register16(0x48, CONVERSION, 0x1234)
    device = opened(i2c, "A1")
    (sample,) = device.scan()
    device.close()
    assert sample.value == pytest.approx(0x1234 * LSB)
    assert sample.condition is Condition.GOOD
    assert i2c.register16(0x48, CONFIG) == 0xD5EB  # start, A1, 2.048 V, single shot, 860/s, comparator off


def test_a_negative_difference_keeps_its_sign(i2c: I2cStub) -> None:
    i2c.set_register16(0x48, CONVERSION, 0x8001)
    device = opened(i2c, "A0-A1")
    assert device.scan()[0].value == pytest.approx(-32767 * LSB)
    device.close()


def test_a_changing_value_is_followed(i2c: I2cStub) -> None:
    device = opened(i2c, "A0")
    for counts in (0, 1, 1000, 0x7FFE):
        i2c.set_register16(0x48, CONVERSION, counts)
        assert device.scan()[0].value == pytest.approx(counts * LSB)
    device.close()


def test_two_chips_share_a_bus(i2c: I2cStub) -> None:
    i2c.set_register16(0x48, CONVERSION, 100)
    i2c.set_register16(0x49, CONVERSION, 200)
    first, second = opened(i2c, "A0"), opened(i2c, "A0", address=0x49)
    assert first.bus == second.bus == f"i2c-{i2c.bus}"
    assert second.scan()[0].value == pytest.approx(200 * LSB)
    assert first.scan()[0].value == pytest.approx(100 * LSB)
    first.close()
    second.close()


def test_an_address_without_a_chip_has_failed_and_disturbs_no_other(i2c: I2cStub) -> None:
    present, absent = opened(i2c, "A0"), opened(i2c, "A0", address=0x4A)
    assert absent.scan()[0].condition is Condition.FAILED
    assert present.scan()[0].condition is Condition.GOOD
    absent.close()
    present.close()


def test_a_bus_that_comes_late_is_used_when_it_is_there() -> None:
    with i2c_stub(0x48) as stub:
        missing = stub
    device = opened(missing, "A0")
    assert device.scan()[0].condition is Condition.FAILED
    with i2c_stub(0x48) as stub:
        assert stub.bus == missing.bus
        assert device.scan()[0].condition is Condition.GOOD
        device.close()
