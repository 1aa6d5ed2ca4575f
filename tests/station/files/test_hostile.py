"""Whatever a master says about files, in whatever order: nothing breaks, nothing grows, nothing else suffers."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtu.iec104.elements import AFQ, CHS, FRQ, LOF, LSQ, NOF, NOS, SCQ, SRQ, CP56Time2a, Segment

F_FR, F_SR, F_SC, F_LS, F_AF, F_SG, F_DR, F_SC_NB = range(120, 128)
FIXTURES = [HealthCheck.function_scoped_fixture]

IOAS = st.sampled_from((0, 9000, 9100, 9200, 9201, 4711))
NAMES = st.sampled_from((0, 1, 2, 3, 9)).map(NOF)
SECTIONS = st.integers(0, 3).map(NOS)
LENGTHS = st.sampled_from((0, 1, 5, 300, 16_777_215)).map(LOF)
CODES = st.integers(0, 8)
ERRORS = st.sampled_from((0, 2))
TIMES = st.sampled_from((10**18, 17 * 10**17, 18 * 10**17)).map(CP56Time2a.from_ns)
STEPS = st.one_of(
    st.tuples(st.just(F_SC), NAMES, SECTIONS, st.builds(SCQ, CODES, ERRORS)),
    st.tuples(st.just(F_AF), NAMES, SECTIONS, st.builds(AFQ, CODES, ERRORS)),
    st.tuples(st.just(F_FR), NAMES, LENGTHS, st.builds(FRQ, st.booleans())),
    st.tuples(st.just(F_SR), NAMES, SECTIONS, LENGTHS, st.builds(SRQ, st.booleans())),
    st.tuples(
        st.just(F_LS), NAMES, SECTIONS, st.builds(LSQ, st.integers(0, 5)), st.sampled_from((0, 20)).map(CHS)
    ),
    st.tuples(st.just(F_SG), NAMES, SECTIONS, st.sampled_from((b"", b"hello", b"x" * 236)).map(Segment)),
    st.tuples(st.just(F_SC_NB), NAMES, TIMES, TIMES),
)
ASKED = st.tuples(st.integers(0, 1), IOAS, STEPS, st.sampled_from((13, 13, 13, 5)), st.booleans())
OTHERS = st.sampled_from(("event", "wait", "restart", "trip"))


@settings(max_examples=150, deadline=None, suppress_health_check=FIXTURES)
@given(did=st.lists(st.one_of(ASKED, ASKED, ASKED, OTHERS), max_size=40))
def test_no_order_of_steps_breaks_anything(make_rig: Any, text: str, did: list[Any]) -> None:
    with TemporaryDirectory() as directory:
        rig = make_rig(text, base=Path(directory))
        masters = [rig.master(), rig.master(group="other")]
        door = 0
        for what in did:
            match what:
                case "event":
                    door = 1 - door
                    rig.set("door", door)
                    rig.settle()
                case "wait":
                    rig.advance(21)
                case "restart":
                    masters[0].stop()
                    masters[0].start()
                case "trip":
                    rig.set("q0.position", 2)
                    rig.set("q0.position", 1)
                case (which, ioa, (type_id, *elements), cause, test):
                    allowed = cause if type_id in (F_SC, F_SC_NB) else 13
                    masters[which].send(type_id, allowed, ioa, *elements, test=test)
        for master in masters:
            assert master.closed is None
            master.take()
            master.send(102, 5, 100)
            rig.settle()
            answer = [asdu for asdu in master.take() if asdu.type_id == 1]
            assert answer[0].objects[0].elements[0].spi == bool(door)
            # And files still work, once a transfer of this connection is over.
            master.send(F_SC, 13, 9100, NOF(1), NOS(0), SCQ(3))
            master.send(F_SC, 13, 9000, NOF(3), NOS(0), SCQ(3))
            for slot in (9200, 9201):
                master.send(F_SC, 13, slot, NOF(2), NOS(0), SCQ(3))
            master.take()
            master.send(F_SC, 13, 9000, NOF(3), NOS(0), SCQ(1))
            assert [asdu.objects[0].elements[2] for asdu in master.take() if asdu.type_id == F_FR] == [FRQ()]


@settings(max_examples=60, deadline=None, suppress_health_check=FIXTURES)
@given(
    octets=st.one_of(
        st.binary(max_size=600),
        st.builds(lambda some, times: some * times, st.binary(min_size=1, max_size=50), st.integers(1, 4000)),
    ),
    refused=st.lists(st.booleans(), max_size=6),
    k=st.integers(2, 16),
)
def test_any_file_survives_the_way_there_and_back(
    make_rig: Any, text: str, reader: Any, octets: bytes, refused: list[bool], k: int
) -> None:
    with TemporaryDirectory() as directory:
        reader.master = make_rig(text, base=Path(directory), k=k).master()
        refusals = iter(refused)
        half = len(octets) // 2
        assert reader.code(reader.write(octets[:half], octets[half:])) == (F_AF, 1, 0)
        assert b"".join(reader.read(refuse=lambda: next(refusals, False))) == octets


def test_files_that_are_begun_and_left_cost_no_memory(rig: Any, reader: Any) -> None:
    def hammer(times: int) -> None:
        for _ in range(times):
            reader.offer(200_000)
            reader.section(bytes(20_000))
            reader.call(3)
            reader.call(1, 9000)
            reader.call(2, 4711)
            reader.master.stop()
            reader.master.start()
            reader.heard()
            reader.said.clear()
            rig.audit.records.clear()
            rig.advance(1)
        gc.collect()

    hammer(3)
    tracemalloc.start()
    try:
        hammer(3)
        before, _ = tracemalloc.get_traced_memory()
        hammer(20)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 100_000
