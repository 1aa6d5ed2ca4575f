"""Things that must happen on time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from hw.deadlines import RETRY_S, Deadlines

SECOND = 1_000_000_000
PATIENCE_S = 10.0


class Desk:
    """Deadlines in virtual time: the real thread is there, but its clock only moves when told."""

    def __init__(self, act: Callable[[int], bool] | None = None) -> None:
        self.now_ns = 0
        self.done: list[tuple[int, int]] = []
        self.act = act or (lambda key: True)
        self.deadlines = Deadlines("test-deadlines", self._act, lambda: self.now_ns)

    def _act(self, key: int) -> bool:
        self.done.append((key, self.now_ns))
        return self.act(key)

    def at(self, seconds: float) -> float | None:
        with self.deadlines.lock:
            self.now_ns = round(seconds * SECOND)
            return self.deadlines.run_due()


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.deadlines.close()


def test_an_action_waits_for_its_deadline(desk: Desk) -> None:
    desk.deadlines.set(1, 2 * SECOND)
    assert desk.at(1.5) == 0.5
    assert desk.done == []
    assert desk.at(2.0) is None
    assert desk.done == [(1, 2 * SECOND)]
    assert 1 not in desk.deadlines


def test_deadlines_are_kept_each_for_itself(desk: Desk) -> None:
    desk.deadlines.set(1, 3 * SECOND)
    desk.deadlines.set(2, 1 * SECOND)
    desk.at(1)
    assert [key for key, _ in desk.done] == [2]
    desk.at(3)
    assert [key for key, _ in desk.done] == [2, 1]


def test_a_cancelled_deadline_is_forgotten(desk: Desk) -> None:
    desk.deadlines.set(1, SECOND)
    desk.deadlines.cancel(1)
    assert desk.at(5) is None
    assert desk.done == []


def test_an_action_that_is_not_done_is_tried_again(desk: Desk) -> None:
    answers = iter([False, False, True])
    desk.act = lambda key: next(answers)
    desk.deadlines.set(1, SECOND)
    assert desk.at(1) == RETRY_S
    assert 1 in desk.deadlines
    desk.at(1 + RETRY_S)
    assert desk.at(1 + 2 * RETRY_S) is None
    assert len(desk.done) == 3


def test_an_action_that_raises_is_tried_again_and_the_thread_lives(desk: Desk) -> None:
    def broken(key: int) -> bool:
        raise RuntimeError("not today")

    desk.act = broken
    desk.deadlines.set(1, SECOND)
    assert desk.at(1) == RETRY_S
    assert desk.deadlines.alive


def test_an_action_may_set_its_next_deadline(desk: Desk) -> None:
    def again(key: int) -> bool:
        desk.deadlines.set(key, desk.now_ns + SECOND)
        return True

    desk.act = again
    desk.deadlines.set(1, SECOND)
    assert desk.at(1) == 1.0
    assert desk.at(2) == 1.0
    assert len(desk.done) == 2


def test_the_thread_acts_by_itself() -> None:
    acted = threading.Event()
    threads: list[str] = []

    def act(key: int) -> bool:
        threads.append(threading.current_thread().name)
        acted.set()
        return True

    deadlines = Deadlines("relay-pulses", act)
    deadlines.set(1, 0)
    assert acted.wait(PATIENCE_S)
    assert threads == ["relay-pulses"]
    deadlines.close()
    assert not deadlines.alive
