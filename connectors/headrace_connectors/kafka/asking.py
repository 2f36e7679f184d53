"""One question at a time, asked again every so often: for what is good to know and never waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Asking(Generic[T]):
    """*begin* has a thread answer. An answer that does not come, or is an error, is asked for again later.

    *since* counts as the last time.
    """

    def __init__(
        self, every: float, begin: Callable[[Callable[[], T]], asyncio.Future[T]], *, since: float = 0.0
    ) -> None:
        self._every, self._begin = every, begin
        self._asked, self._waiting = since, False

    def look(
        self,
        now: float,
        work: Callable[[], T],
        tell: Callable[[T], None],
        failed: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        """Ask, if *every* seconds of `Clock.boot` have gone by since the last time.

        *tell* is called with what comes of it, or *failed* with what was raised.
        """
        if self._waiting or now - self._asked < self._every:
            return
        self._asked, self._waiting = now, True

        def over(future: asyncio.Future[T]) -> None:
            self._waiting = False
            if future.cancelled():
                return
            error = future.exception()
            if error is None:
                tell(future.result())
            elif isinstance(error, Exception):
                failed(error)

        self._begin(work).add_done_callback(over)
