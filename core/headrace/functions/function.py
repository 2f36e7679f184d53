"""What a batch is handed to: a function with its name and time-out, called as Lambda calls it, wherever it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from random import getrandbits
from typing import Protocol
from uuid import UUID

from headrace.clock import SYSTEM, Clock
from headrace.functions.context import Context, Delivery, arn
from headrace.functions.here import Here
from headrace.functions.importing import import_handler, locate
from headrace.functions.invocation import Handler, Until, never
from headrace.functionsettings import FunctionSettings
from headrace.model import Answer, Event
from headrace.region import REGION


class Call(Protocol):
    """A handler at work on one event."""

    @property
    def ended(self) -> bool:
        """Whether the handler has really ended."""
        ...

    def when_ended(self, tell: Callable[[], object]) -> None:
        """Call *tell* on the loop once it has."""
        ...

    async def answer(self, timeout: float) -> Answer:  # noqa: ASYNC109 - the time-out is an answer, not an exception
        """What it came to within *timeout* seconds. Cancelled, it cancels an async handler and waits for nothing."""
        ...


class Runner(Protocol):
    """Where a handler runs."""

    version: str

    def begin(self, event: Event, context: Context, until: Until) -> Call: ...

    async def close(self) -> None: ...


class Function:
    """A handler with its name and its time-out in seconds.

    `version` names the code that it runs: `sha256:` and 12 digits of the file in which the handler is written. `apart`
    says why it runs in a process of its own; empty where it does not.
    """

    def __init__(
        self,
        name: str,
        runner: Runner,
        *,
        timeout: float,
        region: str = REGION,
        clock: Clock = SYSTEM,
        apart: str = "",
    ) -> None:
        self.name = name
        self.timeout = timeout
        self.arn = arn(name, region)
        """Unqualified, as a mapping names its function."""
        self.apart = apart
        self._runner = runner
        self._clock = clock
        self._left: list[tuple[str, str]] = []
        self._closed = False

    @classmethod
    def of(
        cls, name: str, handler: Handler, *, timeout: float, region: str = REGION, clock: Clock = SYSTEM
    ) -> Function:
        """A function of a callable of this process."""
        return cls(name, Here(name, handler, clock), timeout=timeout, region=region, clock=clock)

    @classmethod
    def load(cls, name: str, settings: FunctionSettings, base: Path, *, region: str = REGION) -> Function:
        """Import the handler that *settings* name; *base* is the folder of the config file.

        Raises:
            FunctionUnavailable: it cannot be loaded.
        """
        return cls.of(name, import_handler(locate(settings, base)), timeout=settings.timeout, region=region)

    @property
    def version(self) -> str:
        return self._runner.version

    def begin(self, event: Event, delivery: Delivery, until: Until = never, *, request_id: str | None = None) -> Call:
        """Hand over *event*, which must be fresh, as `call` does, and wait for nothing.

        Raises:
            RuntimeError: the function is closed.
        """
        if self._closed:
            raise RuntimeError(f"function {self.name} is closed")
        context = Context(
            function=self.name,
            arn=self.arn,
            request_id=request_id or _request_id(),
            deadline=self._clock.boot() + self.timeout,
            delivery=delivery,
            clock=self._clock,
        )
        return self._runner.begin(event, context, until)

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
        call = self.begin(event, delivery, until, request_id=request_id)
        try:
            return await call.answer(self.timeout)
        finally:
            if not call.ended:
                self._leave_running(call, (delivery.mapping, delivery.lane))

    def still_runs(self, mapping: str, lane: str) -> bool:
        """Whether a call of *lane*'s runs that nobody waits for any more: cancelled, or past its time-out."""
        return (mapping, lane) in self._left

    def _leave_running(self, call: Call, lane: tuple[str, str]) -> None:
        self._left.append(lane)
        call.when_ended(lambda: self._left.remove(lane))

    async def close(self) -> None:
        """Take no more calls. A hung handler holds no stop."""
        self._closed = True
        await self._runner.close()


async def close(functions: Mapping[str, Function]) -> None:
    """All of them, at once."""
    await asyncio.gather(*(function.close() for function in functions.values()))


def _request_id() -> str:
    """As `uuid4` makes it, but without asking the system: that lets another thread run, and waits for it."""
    return str(UUID(int=getrandbits(128), version=4))
