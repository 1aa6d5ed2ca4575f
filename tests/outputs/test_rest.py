"""What brings an output to rest is done, however much waits on its bus."""

from rtu.clock import VirtualClock
from rtu.field.buses import MAX_JOBS, Bus

FAN, HORN = 5009, 5004


def test_a_full_bus_does_not_keep_a_latched_output_from_rest(slow_bench):
    bench = slow_bench
    fan = bench.line("fan")
    reply = bench.ask(FAN, 1)
    bench.relays.lies[fan] = 0
    bench.bus.run(1)  # switched
    assert fan in bench.relays.on
    bench.bus.full = True
    bench.bus.run(1)  # read back, and it does not show
    assert reply.verdicts == (False, None)
    bench.bus.full = False
    bench.bus.run()
    assert bench.relays.on == set()
    assert bench.state_of("fan") == "locked"  # for it could not be proven


def test_a_full_bus_does_not_keep_the_station_from_stopping_safely(slow_bench):
    bench = slow_bench
    bench.ask(HORN, 1, qualifier=2)
    bench.bus.run()
    assert bench.relays.on == {bench.line("horn")}
    bench.bus.full = True
    bench.outputs.safe()
    bench.bus.run()
    assert bench.relays.on == set()


def test_a_queue_keeps_its_order_and_takes_what_must_be_done_beyond_its_bound():
    ran = []
    bus = Bus("i2c-1", VirtualClock(), lambda callback: None)
    for number in range(MAX_JOBS):
        assert bus.submit(lambda number=number: ran.append(number), lambda result, fault: None)
    assert not bus.submit(lambda: ran.append("one more"), lambda result, fault: None)
    assert bus.submit(lambda: ran.append("to rest"), lambda result, fault: None, must=True)
    bus.turn()
    assert ran == [*range(MAX_JOBS), "to rest"]
