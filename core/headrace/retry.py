"""Trying again what a server or store refused: tenacity, composed in one place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TypeVar

from tenacity import AsyncRetrying, AttemptManager, RetryCallState, Retrying, retry_if_exception, stop_after_delay
from tenacity.wait import wait_base, wait_random, wait_random_exponential

from headrace.model import LaneEnded, LaneLost
from headrace.observe import Log

T = TypeVar("T")

ERRORS: wait_base = wait_random_exponential(multiplier=0.5, min=0.1, max=20)
"""After an error: random up to 0.5 s doubling to 20 s, so that a fleet does not come back all at once."""


def capped(seconds: float) -> wait_base:
    """As `ERRORS`, but never longer than *seconds*: for what must be done in time once it can be done again."""
    return wait_random_exponential(multiplier=0.5, min=0.1, max=seconds)


def _worth_it(error: BaseException) -> bool:
    """Signals of a lane are not errors, and cancellation is nobody's error."""
    return isinstance(error, Exception) and not isinstance(error, (LaneEnded, LaneLost))


def again(
    log: Log, event: str, *, wait: wait_base = ERRORS, waking: asyncio.Event | None = None, **context: object
) -> AsyncIterator[AttemptManager]:
    """Try until it works or is cancelled; a line of log for the first failure, and for every tenth after it.

    *waking* cuts a wait short, and every one after it.

    ```python
    async for attempt in again(log, "commit.failed", lane=lane.name):
        with attempt:
            await commit()
    ```
    """

    def say(state: RetryCallState) -> None:
        if state.attempt_number % 10 == 1:
            error = state.outcome.exception() if state.outcome else None
            log.warning(event, error=f"{type(error).__name__}: {error}", attempt=state.attempt_number, **context)

    async def sleep(seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await (waking or asyncio.Event()).wait()

    retrying = AsyncRetrying(
        retry=retry_if_exception(_worth_it), wait=wait, sleep=sleep, before_sleep=say, reraise=True
    )
    return aiter(retrying)


def while_busy(work: Callable[[], T], busy: Callable[[BaseException], bool], *, within: float = 5.0) -> T:
    """Call *work*, from a thread of its own, again while it raises what is *busy*; after *within* seconds that raises.

    For a store of several processes that lock each other out for moments.
    """
    return Retrying(
        retry=retry_if_exception(busy),
        wait=wait_random(0.005, 0.05),
        stop=stop_after_delay(within),
        reraise=True,
    )(work)
