"""What another thread wants of a consumer, carried out by the thread that polls it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import TypeAlias

Job: TypeAlias = tuple["Future[None]", Callable[[], None]]


class Done:
    """Called when the poll thread may go on, from any thread; it wakes that one."""

    def __init__(self, jobs: SimpleQueue[Job | None]) -> None:
        self._jobs, self.called = jobs, False

    def __call__(self) -> None:
        self.called = True
        self._jobs.put(None)


class PollThread:
    """`run` and `wake` are for the others, the rest for the poll thread itself."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._closed = False
        self._woken = self.waits()

    def run(self, work: Callable[[], None]) -> None:
        """Have *work* done, and wait for it; what it raises is raised here."""
        job: Job = (Future(), work)
        self._jobs.put(job)
        if self._closed:  # perhaps nobody looks any more
            self.close()
        job[0].result()

    def work(self) -> None:
        """Do what there is."""
        while self._one(0.0):
            pass

    def rest(self, seconds: float) -> None:
        """Do what there is and what comes, until `wake` or *seconds* are over."""
        self.work_until(self._woken, seconds)
        self._woken = self.waits()

    def wake(self) -> None:
        """From any thread: end a rest, or the next one."""
        self._woken()

    def waits(self) -> Done:
        return Done(self._jobs)

    def work_until(self, done: Done, seconds: float) -> bool:
        """Do what there is and what comes, until *done* is called or *seconds* are over; returns whether it was."""
        until = time.monotonic() + seconds
        while not done.called and (left := until - time.monotonic()) > 0:
            self._one(left)
        return done.called

    def close(self) -> None:
        """Nothing is carried out any more."""
        self._closed = True
        while True:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return
            if job is not None:
                job[0].set_exception(RuntimeError("the consumer is closed"))

    def _one(self, seconds: float) -> bool:
        try:
            job = self._jobs.get(timeout=seconds) if seconds else self._jobs.get_nowait()
        except Empty:
            return False
        if job is not None:
            _carry_out(*job)
        return True


def _carry_out(future: Future[None], work: Callable[[], None]) -> None:
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - it is handed to whoever waits
        future.set_exception(error)
    else:
        future.set_result(None)
