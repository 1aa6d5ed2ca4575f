"""`rtu audit verify` finds whatever was done to a chain; what it cannot find by itself it finds with a hash from elsewhere."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtu.security.audit.chain import Head, digest, files
from rtu.security.audit.chain_check import check
from tests.security.chained import Trail, lines

COUNT = 40


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """The lines of a sound chain."""
    where = tmp_path_factory.mktemp("sound") / "audit"
    for life in range(4):
        trail = Trail(where)
        trail.record("start")
        trail.commands(COUNT // 4 - 2, life=life)
        trail.end()
    assert check(where).breaks == ()
    return lines(where)


@pytest.fixture(scope="module")
def put(tmp_path_factory):
    """Make a chain of these lines; returns its directory."""

    def put(these):
        where = tmp_path_factory.mktemp("audit")
        (where / "audit-000001.jsonl").write_bytes(b"".join(line + b"\n" for line in these))
        return where

    return put


places = st.integers(0, COUNT - 1)


@given(place=places, at=st.integers(0, 10_000), octet=st.integers(0, 255))
@settings(max_examples=300)
def test_a_changed_octet_is_found(chain, put, place, at, octet):
    line = bytearray(chain[place])
    line[at % len(line)] ^= octet or 1
    where = put([*chain[:place], bytes(line), *chain[place + 1 :]])
    if place < COUNT - 1:
        assert check(where).breaks
    assert check(where, Head(COUNT, digest(chain[-1]))).breaks
    shutil.rmtree(where)


@given(first=places, count=st.integers(1, COUNT))
def test_records_that_were_taken_out_are_found(chain, put, first, count):
    left = [*chain[:first], *chain[first + count :]]
    where = put(left)
    if first + count < COUNT:
        assert check(where).breaks
    assert check(where, Head(COUNT, digest(chain[-1]))).breaks
    shutil.rmtree(where)


@given(place=places, copied=places)
def test_a_record_that_was_put_in_is_found(chain, put, place, copied):
    where = put([*chain[:place], chain[copied], *chain[place:]])
    assert check(where).breaks
    shutil.rmtree(where)


@given(one=places, other=places)
def test_records_that_were_exchanged_are_found(chain, put, one, other):
    swapped = list(chain)
    swapped[one], swapped[other] = swapped[other], swapped[one]
    where = put(swapped)
    assert bool(check(where).breaks) == (one != other)
    shutil.rmtree(where)


@given(cut=st.integers(1, 20_000))
def test_a_line_that_was_cut_is_found(chain, put, cut):
    where = put(chain)
    path = where / "audit-000001.jsonl"
    octets = path.read_bytes()
    path.write_bytes(octets[: max(1, len(octets) - cut)])
    if not path.read_bytes().endswith(b"\n"):
        assert check(where).breaks
    assert check(where, Head(COUNT, digest(chain[-1]))).breaks
    shutil.rmtree(where)


def test_the_first_broken_record_is_told_with_file_and_line(chain, put):
    where = put([*chain[:16], chain[16].replace(b"scada", b"admin"), *chain[17:]])
    verdict = check(where)
    (broken,) = verdict.breaks
    path = where / "audit-000001.jsonl"
    assert str(broken) == f"{path}:18: record 18 does not name the hash of record 17: one of them was changed"


def test_a_cut_off_end_is_found_by_a_hash_from_elsewhere_only(chain, put):
    where = put(chain[:30])
    assert check(where).breaks == ()
    (broken,) = check(where, Head(COUNT, digest(chain[-1]))).breaks
    assert (
        broken.text == "record 40, whose hash was kept elsewhere, is not here: records after 30 are missing"
    )


def test_a_chain_made_anew_is_found_by_a_hash_from_elsewhere(chain, put, tmp_path):
    trail = Trail(tmp_path / "audit")
    trail.record("start")
    trail.commands(COUNT)
    assert check(tmp_path / "audit").breaks == ()
    assert check(tmp_path / "audit", Head(COUNT, digest(chain[-1]))).breaks


def test_any_kept_record_will_do_as_the_hash_from_elsewhere(chain, put):
    where = put(chain)
    for seq, line in enumerate(chain, 1):
        assert check(where, Head(seq, digest(line))).breaks == ()


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """A trail whose oldest files have given way."""
    where = tmp_path_factory.mktemp("long") / "audit"
    trail = Trail(where)
    trail.commands(4000, reason="x" * 200)
    trail.end()
    assert check(where).first > 1
    return where


@pytest.fixture
def copy(long, tmp_path):
    return shutil.copytree(long, tmp_path / "audit")


def test_a_file_that_somebody_removed_is_missing_be_it_the_oldest(copy):
    for path in files(copy)[:-1]:
        away = path.rename(copy / "away")
        assert any(each.text == "this file is missing" and each.file == path for each in check(copy).breaks)
        away.rename(path)
    assert check(copy).breaks == ()


def test_the_record_before_the_oldest_will_do_too_and_older_ones_have_given_way(copy):
    verdict = check(copy)
    oldest = lines(copy)[0]
    before = oldest.partition(b'"prev": "')[2][:64].decode()
    assert check(copy, Head(verdict.first - 1, before)).breaks == ()
    (broken,) = check(copy, Head(verdict.first - 2, before)).breaks
    assert "has given way already" in broken.text


def test_a_trail_without_records_is_whole_unless_there_should_be_some(tmp_path):
    assert check(tmp_path).breaks == ()
    assert check(tmp_path, Head(3, "0" * 64)).breaks
