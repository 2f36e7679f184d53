"""A handler in this process: a plain one in a thread, an async one on the loop."""

from __future__ import annotations

from functools import partial
from inspect import iscoroutinefunction

from headrace.clock import Clock
from headrace.functions import payloads
from headrace.functions.context import Context
from headrace.functions.invocation import Handler, Invocation, Until
from headrace.functions.version import version_of
from headrace.functions.workers import Workers
from headrace.model import Answer, Event


class Here:
    """Runs *handler* in threads of its own, or on the loop."""

    def __init__(self, name: str, handler: Handler, clock: Clock) -> None:
        if not callable(handler):
            raise TypeError(f"the handler of {name} must be callable as (event, context), not {handler!r}")
        self._handler, self._clock = handler, clock
        self._async = _is_async(handler)
        self._workers = Workers(f"headrace-{name}")
        self.version = version_of(handler)

    def begin(self, event: Event, context: Context, until: Until) -> Invocation:
        invocation = Invocation(self._handler, event, context, self._clock, until)
        if self._async:
            invocation.on_loop()
            return invocation
        try:
            self._workers.submit(invocation.in_thread, invocation.from_thread)
        except RuntimeError as error:  # the system has no thread left: this attempt failed, the mapping goes on
            failure = payloads.crashed(error, context.aws_request_id)
            invocation.from_thread(Answer(request_id=context.aws_request_id, duration=0.0, failure=failure))
        return invocation

    async def close(self) -> None:
        """Let the threads end; waits for none, so that a hung handler holds no stop."""
        self._workers.close()


def _is_async(handler: Handler) -> bool:
    """True for a coroutine function, a partial of one, and an object whose `__call__` is one."""
    called: object = handler
    while isinstance(called, partial):
        called = called.func
    return iscoroutinefunction(called) or iscoroutinefunction(getattr(type(called), "__call__", None))  # noqa: B004
