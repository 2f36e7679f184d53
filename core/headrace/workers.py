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
from threading import Thread
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
_Job: TypeAlias = tuple[asyncio.AbstractEventLoop, Callable[[], Any], Callable[[Any], object]]
_Inbox: TypeAlias = SimpleQueue[_Job | None]
"""One thread's jobs. None ends the thread."""


class Workers:
    """As many threads as there were calls at once. A hung thread is not idle, and so never gets another call."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._idle: deque[_Inbox] = deque()
        self._started = 0
        self._closed = False

    def submit(self, work: Callable[[], T], done: Callable[[T], object]) -> None:
        """Run *work*, which must not raise, in a thread; its result comes to *done* on the running loop.

        A result whose loop has been closed meanwhile is dropped without a word.

        Raises:
            RuntimeError: closed, or the system has no thread left.
        """
        if self._closed:
            raise RuntimeError(f"the workers of {self._name} are closed")
        job = asyncio.get_running_loop(), work, done
        try:
            inbox = self._idle.pop()
        except IndexError:
            inbox = self._start()
        inbox.put(job)

    def close(self) -> None:
        """Idle threads end now, busy ones after their call. Waits for none. May be called twice."""
        self._closed = True
        while self._idle:
            self._idle.pop().put(None)

    def _start(self) -> _Inbox:
        inbox: _Inbox = SimpleQueue()
        self._started += 1
        Thread(target=self._run, args=(inbox,), name=f"{self._name}-{self._started}", daemon=True).start()
        return inbox

    def _run(self, inbox: _Inbox) -> None:
        while (job := inbox.get()) is not None:
            loop, work, done = job
            result = work()
            self._idle.append(inbox)  # before the result: who awaits it and calls again finds this thread idle
            with suppress(RuntimeError):  # the loop is closed: nobody is left to tell
                loop.call_soon_threadsafe(done, result)
            del job, loop, work, done, result  # an idle thread keeps no event alive
            if self._closed and self._withdraw(inbox):
                return

    def _withdraw(self, inbox: _Inbox) -> bool:
        """False when a job, or the end, is on its way to this thread already."""
        try:
            self._idle.remove(inbox)
        except ValueError:
            return False
        return True
