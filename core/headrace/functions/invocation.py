"""One call of a handler under way: over at its end, or at its time-out with the handler still running."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from inspect import isawaitable, iscoroutine
from typing import Any, TypeAlias

from headrace.clock import Clock
from headrace.functions import payloads
from headrace.functions.context import Context
from headrace.functions.marshal import marshal
from headrace.model import Answer, Event

Handler: TypeAlias = Callable[[Any, Any], Any]
"""`(event, context)`, plain or async."""

Until: TypeAlias = Callable[[], float]
"""Until when a handler may be begun, in seconds of `Clock.boot`: asked as late as can be, in whichever thread."""

GRACE = 1.0
"""Seconds that a cancelled async handler has to end."""

_running: set[asyncio.Task[Answer]] = set()
"""The loop holds its tasks weakly; one that outlives its call must not be collected halfway."""


def never() -> float:
    return math.inf


@dataclass(frozen=True, slots=True)
class _Pending:
    """A plain callable has returned an awaitable: it goes on on the loop."""

    awaitable: Awaitable[Any]

    def drop(self) -> None:
        """It will not be awaited: keep a coroutine from warning about that."""
        if iscoroutine(self.awaitable):
            self.awaitable.close()


class _TooLate(Exception):  # noqa: N818 - a signal, not an error
    """The handler was not begun."""


class Lingering:
    """Resolves when a handler that timed out has really ended.

    May be awaited more than once; cancelling who waits changes nothing.
    """

    def __init__(self, ended: asyncio.Future[None]) -> None:
        self._ended = ended

    def __await__(self) -> Generator[Any, None, None]:
        return asyncio.shield(self._ended).__await__()


class Invocation:
    """One handler, one event, one context. Everything but `in_thread` belongs to the loop."""

    def __init__(self, handler: Handler, event: Event, context: Context, clock: Clock, until: Until = never) -> None:
        self._loop = asyncio.get_running_loop()
        self._handler, self._event, self._context, self._clock = handler, event, context, clock
        self._until = until
        self._started = clock.boot()
        self._first: asyncio.Future[Answer | None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._task: asyncio.Task[Answer] | None = None

    @property
    def ended(self) -> bool:
        """Whether the handler has really ended."""
        return self._ended.done()

    def when_ended(self, tell: Callable[[], object]) -> None:
        """Call *tell* on the loop once it has."""
        self._ended.add_done_callback(lambda _: tell())

    async def answer(self, timeout: float) -> Answer:  # noqa: ASYNC109 - the time-out is an answer, not an exception
        """The handler's answer, or that it timed out. Cancelled, it cancels an async handler and waits for nothing."""
        timer = self._loop.call_later(timeout, self._expire)
        try:
            answer = await self._first
        except asyncio.CancelledError:
            self._cancel()
            raise
        finally:
            timer.cancel()
        return await self._timed_out(timeout) if answer is None else answer

    def in_thread(self) -> Answer | _Pending:
        """Call the handler here; never raises."""
        try:
            value = self._begin()
        except _TooLate:
            return self._lapsed()
        except BaseException as error:  # noqa: BLE001 - whatever it raises is the answer
            return self._crashed(error)
        return _Pending(value) if isawaitable(value) else self._returned(value)

    def from_thread(self, outcome: Answer | _Pending) -> None:
        """Take what `in_thread` came to."""
        if isinstance(outcome, Answer):
            self._end(outcome)
        elif self._first.done():  # timed out or cancelled: nothing of it is started any more
            outcome.drop()
            self._end(None)
        else:
            self._spawn(lambda: outcome.awaitable).add_done_callback(lambda _: outcome.drop())

    def on_loop(self) -> None:
        """Start an async handler."""
        self._spawn(self._begin)

    def _begin(self) -> Any:
        """A process that was stopped (SIGSTOP, a suspended machine) goes on anywhere: so look right before the call."""
        if self._until() <= self._clock.boot():
            raise _TooLate
        return self._handler(self._event, self._context)

    def _spawn(self, begin: Callable[[], Awaitable[Any]]) -> asyncio.Task[Answer]:
        # Not in a task group: that would wait for a handler which ignores its cancellation.
        self._task = self._loop.create_task(self._run(begin))
        _running.add(self._task)
        self._task.add_done_callback(self._task_ended)
        return self._task

    async def _run(self, begin: Callable[[], Awaitable[Any]]) -> Answer:
        """Never raises once begun: a SystemExit out of a task would stop the loop."""
        try:
            value = await begin()
        except _TooLate:
            return self._lapsed()
        except BaseException as error:  # noqa: BLE001 - also a CancelledError: if it is ours, nobody reads this answer
            return self._crashed(error)
        return self._returned(value)

    def _task_ended(self, task: asyncio.Task[Answer]) -> None:
        _running.discard(task)
        self._end(None if task.cancelled() else task.result())

    def _expire(self) -> None:
        if not self._first.done():
            self._first.set_result(None)

    def _end(self, answer: Answer | None) -> None:
        if not self._first.done():
            self._first.set_result(answer)
        self._ended.set_result(None)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _timed_out(self, timeout: float) -> Answer:  # noqa: ASYNC109 - see answer
        duration = self._clock.boot() - self._started
        self._cancel()
        if self._task is not None:
            await asyncio.wait((self._ended,), timeout=GRACE)
        return Answer(
            request_id=self._context.aws_request_id,
            duration=duration,
            failure=payloads.timed_out(timeout, self._context.aws_request_id),
            lingering=None if self._ended.done() else Lingering(self._ended),
        )

    def _returned(self, value: object) -> Answer:
        failure = None
        try:
            value = marshal(value)
        except Exception as error:  # noqa: BLE001 - encoding runs code of the user's objects
            value, failure = None, payloads.unmarshalled(error, self._context.aws_request_id)
        return Answer(request_id=self._context.aws_request_id, duration=self._spent(), value=value, failure=failure)

    def _lapsed(self) -> Answer:
        return Answer(request_id=self._context.aws_request_id, duration=0.0, lapsed=True)

    def _crashed(self, error: BaseException) -> Answer:
        failure = payloads.crashed(error, self._context.aws_request_id)
        return Answer(request_id=self._context.aws_request_id, duration=self._spent(), failure=failure)

    def _spent(self) -> float:
        return self._clock.boot() - self._started
