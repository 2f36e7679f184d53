"""One daemon thread that does what it is given in turn: for a library that blocks, beside the loop.

Not the loop's default executor: a few hung handlers of the user's would hold it, and its threads hold the exit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

_Job: TypeAlias = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], Any]]


class OwnThread:
    """Starts with its first job. What was begun is carried out, also when nobody waits for it any more."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._started = False
        self.closed = False

    async def run(self, work: Callable[[], T]) -> T:
        """What *work* returns or raises, behind all that was asked for before.

        Raises:
            RuntimeError: the thread is closed.
        """
        return await self.begin(work)

    def begin(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """As `run`, and nobody need wait for it."""
        if self.closed:
            raise RuntimeError(f"{self._name} is closed")
        if not self._started:
            self._started = True
            Thread(target=self._work, name=self._name, daemon=True).start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put((loop, future, work))
        return future

    def close(self) -> None:
        """The thread ends behind what it was given. May be called twice."""
        self.closed = True
        self._jobs.put(None)

    async def end(self, last: Callable[[], object]) -> None:
        """Do *last*, and close. May be called twice."""
        if not self.closed:
            await self.run(last)
            self.close()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            loop, future, work = job
            try:
                result, error = work(), None
            except BaseException as raised:  # noqa: BLE001 - it is handed to whoever waits
                result, error = None, raised
            with suppress(RuntimeError):  # the loop is closed: nobody is left to tell
                loop.call_soon_threadsafe(_tell, future, result, error)
            del job, future, work, result, error


def _tell(future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
