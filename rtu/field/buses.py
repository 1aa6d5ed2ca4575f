"""One thread per bus: commands first, then whatever is due to be read.

A bus is what devices share and only one of them may use at a time (I2C, a serial line). Its thread runs queued jobs,
then one poll, then looks for jobs again, so a command waits for one poll at most. Results go to the loop, one hand-over
per job or poll. A poll whose last batch the loop has not taken yet is left out: nothing piles up.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from functools import partial

from hw.interface import DeviceFault
from rtu.clock import SECOND, Clock

MAX_JOBS = 32

Post = Callable[[Callable[[], None]], object]
Job = Callable[[], object]
Done = Callable[[object, Exception | None], None]


class Poll:
    """Something read every `period_ns`: `scan` runs on the bus, `deliver` takes its result on the loop."""

    __slots__ = ("deliver", "due_ns", "failed", "period_ns", "scan", "skipped", "under_way")

    def __init__(self, period_ns: int, scan: Callable[[], object], deliver: Callable[[object], None]) -> None:
        self.period_ns = period_ns
        self.scan = scan
        self.deliver = deliver
        self.due_ns = 0
        self.under_way = False
        self.skipped = 0  # the loop had not taken the last batch
        self.failed = 0  # the scan raised


class Bus:
    """The turns of one bus. `turn` does the work; `start` gives it a thread. `post` runs a callable on the loop."""

    def __init__(self, name: str, clock: Clock, post: Post) -> None:
        self.name = name
        self._clock = clock
        self._post = post
        self._polls: list[Poll] = []
        self._jobs: deque[tuple[Job, Done]] = deque()
        self._changed = threading.Condition()
        self._news = False  # something was added since the thread last looked
        self._stopping = False
        self._thread: threading.Thread | None = None

    def add(self, poll: Poll) -> None:
        """Read it from now on, the first time at once. Any thread."""
        with self._changed:
            if self._stopping:
                return
            poll.due_ns = self._clock.now_ns()
            self._polls.append(poll)
            self._tell()

    def remove(self, poll: Poll) -> None:
        """Read it no more; a scan that is running is still delivered. Any thread."""
        with self._changed:
            if poll in self._polls:
                self._polls.remove(poll)

    def submit(self, job: Job, done: Done, *, must: bool = False) -> bool:
        """Run `job` before the next poll, then `done(result, None)` or `done(None, error)` on the loop.

        False, and nothing is kept, when the bus is stopping, or 32 jobs wait already and this is none that `must` be
        done (such as bringing an output to rest). Any thread.
        """
        with self._changed:
            if self._stopping or (len(self._jobs) >= MAX_JOBS and not must):
                return False
            self._jobs.append((job, done))
            self._tell()
            return True

    def turn(self) -> int | None:
        """Run every waiting job and the poll that is most overdue. Returns when to come back (None: when told)."""
        while (work := self._next_job()) is not None:
            self._work(*work)
        with self._changed:
            poll = min(self._polls, key=lambda poll: poll.due_ns, default=None)
        if poll is None:
            return None
        now = self._clock.now_ns()
        if poll.due_ns > now:
            return poll.due_ns
        # A late poll keeps its rhythm; one that is late by whole periods does not catch up.
        poll.due_ns = max(poll.due_ns + poll.period_ns, now)
        if poll.under_way:
            poll.skipped += 1
            poll.due_ns = now + poll.period_ns
            return now
        try:
            batch = poll.scan()
        except Exception:  # the bus lives on for the others; whoever watches this poll sees no batch
            poll.failed += 1
            return self._clock.now_ns()
        poll.under_way = True
        self._hand_over(partial(self._deliver, poll, batch))
        return self._clock.now_ns()

    def start(self) -> None:
        """Give the bus its thread, a daemon: a driver that never returns cannot keep the process alive."""
        self._thread = threading.Thread(target=self._run, name=f"bus {self.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Read nothing more and take no more jobs. Those that wait are still run: they may bring outputs to rest."""
        with self._changed:
            self._stopping = True
            self._polls.clear()
            self._tell()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread; False when it is still busy after `timeout_s`."""
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _tell(self) -> None:
        self._news = True
        self._changed.notify()

    def _next_job(self) -> tuple[Job, Done] | None:
        with self._changed:
            return self._jobs.popleft() if self._jobs else None

    def _work(self, job: Job, done: Done) -> None:
        try:
            result = job()
        except Exception as error:  # whoever asked is told; the bus lives on
            self._hand_over(partial(done, None, error))
        else:
            self._hand_over(partial(done, result, None))

    @staticmethod
    def _deliver(poll: Poll, batch: object) -> None:
        poll.under_way = False
        poll.deliver(batch)

    def _hand_over(self, callback: Callable[[], None]) -> None:
        try:
            self._post(callback)
        except RuntimeError:  # the loop has ended: nobody is left to be told
            pass

    def _run(self) -> None:
        while True:
            due_ns = self.turn()
            rest_s = None if due_ns is None else max(0.0, (due_ns - self._clock.now_ns()) / SECOND)
            with self._changed:
                if self._stopping and not self._jobs:
                    return
                self._changed.wait_for(lambda: self._news, rest_s)
                self._news = False


class Buses:
    """Every bus by its name, begun when first asked for."""

    def __init__(self, clock: Clock, post: Post) -> None:
        self._clock = clock
        self._post = post
        self._buses: dict[str, Bus] = {}

    def get(self, name: str) -> Bus:
        """The bus of that name, its thread running."""
        bus = self._buses.get(name)
        if bus is None:
            bus = self._buses[name] = self.make(name)
            bus.start()
        return bus

    def submit(
        self, bus: str, job: Callable[[], None], done: Callable[[], None], *, must: bool = False
    ) -> None:
        """Run `job` on the bus of that name, then `done` on the loop.

        Raises DeviceFault if its queue is full; what `must` be done is kept all the same.
        """
        if not self.get(bus).submit(job, lambda result, fault: done(), must=must):
            raise DeviceFault(f"bus {bus} has too many commands waiting: is a device on it hanging?")

    def make(self, name: str) -> Bus:
        return Bus(name, self._clock, self._post)

    def stop(self, timeout_s: float = 2.0) -> list[str]:
        """End every thread; blocks at most `timeout_s`. Returns the names of buses whose driver did not return."""
        for bus in self._buses.values():
            bus.stop()
        deadline = self._clock.now_ns() + round(timeout_s * SECOND)
        return [
            bus.name
            for bus in self._buses.values()
            if not bus.join(max(0.0, (deadline - self._clock.now_ns()) / SECOND))
        ]
