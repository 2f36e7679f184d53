"""What a batch is handed to: a handler, plain or async, called as Lambda calls it."""

from __future__ import annotations

from functools import partial
from inspect import iscoroutinefunction
from pathlib import Path
from random import getrandbits
from uuid import UUID

from headrace.clock import SYSTEM, Clock
from headrace.functions import payloads
from headrace.functions.context import Context, Delivery, arn
from headrace.functions.importing import import_handler, locate
from headrace.functions.invocation import Handler, Invocation, Until, never
from headrace.functions.version import version_of
from headrace.functions.workers import Workers
from headrace.model import Answer, Event
from headrace.region import REGION
from headrace.settings import FunctionSettings


class Function:
    """A handler with its name, its time-out in seconds and its own threads.

    `version` names the code that it runs: `sha256:` and 12 digits of the file in which the handler is written.
    """

    def __init__(
        self,
        name: str,
        handler: Handler,
        *,
        timeout: float,
        region: str = REGION,
        clock: Clock = SYSTEM,
    ) -> None:
        if not callable(handler):
            raise TypeError(f"the handler of {name} must be callable as (event, context), not {handler!r}")
        self.name = name
        self.timeout = timeout
        self._handler = handler
        self._arn = arn(name, region)
        self._clock = clock
        self._async = _is_async(handler)
        self._workers = Workers(f"headrace-{name}")
        self._left: list[tuple[str, str]] = []
        self._closed = False
        self.version = version_of(handler)

    @property
    def arn(self) -> str:
        """Unqualified, as a mapping names its function."""
        return self._arn

    @classmethod
    def of(
        cls, name: str, handler: Handler, *, timeout: float, region: str = REGION, clock: Clock = SYSTEM
    ) -> Function:
        """A function of a callable, for the library."""
        return cls(name, handler, timeout=timeout, region=region, clock=clock)

    @classmethod
    def load(cls, name: str, settings: FunctionSettings, base: Path, *, region: str = REGION) -> Function:
        """Import the handler that *settings* name; *base* is the folder of the config file.

        Raises:
            FunctionUnavailable: it cannot be loaded.
        """
        handler = import_handler(locate(settings, base))
        return cls(name, handler, timeout=settings.timeout, region=region)

    async def call(
        self, event: Event, delivery: Delivery, until: Until = never, *, request_id: str | None = None
    ) -> Answer:
        """Hand over *event*, which must be fresh, and return what came of it; *request_id* is new where none is given.

        The handler is not begun at or after what *until* says right before it, in seconds of `Clock.boot`: the answer
        has then `lapsed`.

        Nothing that a handler does is raised: it is a `Failure` of the answer. A plain handler that timed out, and an
        async one that did not end within a second of its cancellation, are in `Answer.lingering`. Cancelling a call
        cancels an async handler; a plain one goes on in its thread, and its answer is dropped.

        Raises:
            RuntimeError: the function is closed.
        """
        if self._closed:
            raise RuntimeError(f"function {self.name} is closed")
        context = Context(
            function=self.name,
            arn=self._arn,
            request_id=request_id or _request_id(),
            deadline=self._clock.boot() + self.timeout,
            delivery=delivery,
            clock=self._clock,
        )
        invocation = Invocation(self._handler, event, context, self._clock, until)
        if self._async:
            invocation.on_loop()
        else:
            try:
                self._workers.submit(invocation.in_thread, invocation.from_thread)
            except RuntimeError as error:  # the system has no thread left: this attempt failed, the mapping goes on
                failure = payloads.crashed(error, context.aws_request_id)
                return Answer(request_id=context.aws_request_id, duration=0.0, failure=failure)
        try:
            return await invocation.answer(self.timeout)
        finally:
            if not invocation.ended:
                self._leave_running(invocation, (delivery.mapping, delivery.lane))

    def still_runs(self, mapping: str, lane: str) -> bool:
        """Whether a call of *lane*'s runs that nobody waits for any more: cancelled, or past its time-out."""
        return (mapping, lane) in self._left

    def _leave_running(self, invocation: Invocation, lane: tuple[str, str]) -> None:
        self._left.append(lane)
        invocation.when_ended(lambda: self._left.remove(lane))

    async def close(self) -> None:
        """Take no more calls and let the threads end; waits for none, so that a hung handler holds no stop."""
        self._closed = True
        self._workers.close()


def _request_id() -> str:
    """As `uuid4` makes it, but without asking the system: that lets another thread run, and waits for it."""
    return str(UUID(int=getrandbits(128), version=4))


def _is_async(handler: Handler) -> bool:
    """True for a coroutine function, a partial of one, and an object whose `__call__` is one."""
    called: object = handler
    while isinstance(called, partial):
        called = called.func
    return iscoroutinefunction(called) or iscoroutinefunction(getattr(type(called), "__call__", None))  # noqa: B004
