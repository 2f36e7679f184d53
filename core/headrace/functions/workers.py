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
from time import perf_counter
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


QUICK = 0.0001
"""Seconds: a call that takes less costs less than to wake a thread for it."""

PATIENCE = 0.005
"""Seconds that a call may wait for others to be woken for together, and again behind them when they are not quick after
all. After as long the interpreter itself takes its lock from a thread that does not let go (sys.getswitchinterval)."""

_Job: TypeAlias = tuple[_Results, Callable[[], Any], Done]


class Workers:
    """As many threads as there were calls at once, at one queue: a hung thread takes nothing from it.

    There is a thread for every call that has not ended, so that none waits behind a hung one: `threads` were started,
    and `busy` of them have a call.

    While calls are quick, one thread is woken for all that come together, and carries them out one after the other.
    """

    def __init__(self, name: str, *, quick: float = QUICK, patience: float = PATIENCE) -> None:
        self._name, self._quick_enough, self._most_patience = name, quick, patience
        self._jobs: deque[_Job] = deque()
        self._wakes: SimpleQueue[bool] = SimpleQueue()  # each wakes one thread, and says whether it is to stay
        self._results: _Results | None = None
        self._lock = Lock()
        self._gathering: float | None = None  # since when
        self._fresh = False
        self._quick = False
        self._patience: asyncio.TimerHandle | None = None
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
            self._gathering = self._patience = None
        if self.busy >= self.threads:
            self._start()
        with self._lock:
            self.busy += 1
        self._jobs.append((self._results, work, done))
        self._fresh = True
        if self._gathering is None:
            self._gathering = loop.time()
            loop.call_soon(self._gather, loop)

    def close(self) -> None:
        """Idle threads end now, busy ones after their call. Waits for none. May be called twice."""
        if not self._closed:
            self._closed = True
            self._wake_more()
            for _ in range(self.threads):
                self._wakes.put(False)

    def _gather(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake who is needed as soon as a turn of the loop has brought no more calls."""
        if self._fresh and self._gathering is not None and loop.time() < self._gathering + self._most_patience:
            self._fresh = False
            loop.call_soon(self._gather, loop)
            return
        self._gathering = None
        if not self._quick:
            self._wake_more()
        elif self._jobs:
            self._wakes.put(True)
            if self._patience is None:
                self._patience = loop.call_later(self._most_patience, self._wake_more)

    def _wake_more(self) -> None:
        """A thread for each call that still waits."""
        self._patience = None
        for _ in range(len(self._jobs)):
            self._wakes.put(True)

    def _start(self) -> None:
        number = self.threads + 1
        Thread(target=self._run, name=f"{self._name}-{number}", daemon=True).start()
        self.threads = number

    def _run(self) -> None:
        stay = True
        while stay:
            stay = self._wakes.get()
            while self._work():
                pass

    def _work(self) -> bool:
        """Carry out one job; false when there is none. A frame of its own: an idle thread keeps no event alive."""
        try:
            results, work, done = self._jobs.popleft()
        except IndexError:
            return False
        began = perf_counter()
        result = work()
        self._quick = perf_counter() - began < self._quick_enough
        with self._lock:
            self.busy -= 1
        results.give(done, result)
        return True
