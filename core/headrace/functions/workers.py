"""Daemon threads for plain handlers: one for each call under way, reused when idle, never waited for.

Not a ThreadPoolExecutor, whose threads are joined when the interpreter exits: a hung handler would hold the exit. Not
the loop's default executor either: a few hung handlers would block every DNS look-up of the process.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
Done: TypeAlias = Callable[[Any], object]


class _Results:
    """Results on their way from threads to one loop, which is woken once for all that have come."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._waiting: deque[tuple[Done, Any]] = deque()
        self._called = False

    def give(self, done: Done, result: object) -> None:
        """From a thread. Dropped without a word where the loop is closed: nobody is left to tell."""
        self._waiting.append((done, result))
        if not self._called:
            self._called = True
            with suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._called = False  # first: what comes from now on calls again
        while self._waiting:
            done, result = self._waiting.popleft()
            done(result)


_Job: TypeAlias = tuple[_Results, Callable[[], Any], Done]


class Workers:
    """As many threads as there were calls at once, at one queue: a hung thread takes nothing from it.

    There is a thread for every call that has not ended, so that none waits behind a hung one: `threads` were started,
    and `busy` of them have a call.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._results: _Results | None = None
        self._lock = Lock()
        self.busy = 0
        self.threads = 0
        self._closed = False

    def submit(self, work: Callable[[], T], done: Callable[[T], object]) -> None:
        """Run *work*, which must not raise, in a thread; its result comes to *done* on the running loop.

        Raises:
            RuntimeError: closed, or the system has no thread left.
        """
        if self._closed:
            raise RuntimeError(f"the workers of {self._name} are closed")
        loop = asyncio.get_running_loop()
        if self._results is None or self._results.loop is not loop:
            self._results = _Results(loop)
        if self.busy >= self.threads:
            self._start()
        with self._lock:
            self.busy += 1
        self._jobs.put((self._results, work, done))

    def close(self) -> None:
        """Idle threads end now, busy ones after their call. Waits for none. May be called twice."""
        if not self._closed:
            self._closed = True
            for _ in range(self.threads):
                self._jobs.put(None)

    def _start(self) -> None:
        number = self.threads + 1
        Thread(target=self._run, name=f"{self._name}-{number}", daemon=True).start()
        self.threads = number

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            results, work, done = job
            result = work()
            with self._lock:
                self.busy -= 1
            results.give(done, result)
            del job, results, work, done, result  # an idle thread keeps no event alive
