"""A handler in a process of its own, which is started again when it has died."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Final

from headrace.alone import UnderWay
from headrace.clock import SYSTEM, Clock
from headrace.functions import payloads
from headrace.functions.context import Context
from headrace.functions.invocation import GRACE, Lingering, Until
from headrace.functions.messages import Begin, First, Loaded, Refused
from headrace.functions.process import Died, Process, Running
from headrace.model import Answer, Event, Failure
from headrace.observe import log

INIT: Final = 10.0
"""Seconds that a process may take, at least, to load its handler when it is started again: Lambda's."""

SLACK: Final = 5.0
"""Seconds beyond time-out and grace after which a process that keeps time no more is ended."""


class NotStarted(Exception):  # noqa: N818 - it says what is the matter
    """The process cannot be had; its text says why."""


class Hosted:
    """Calls of one function in *process*, which has loaded it, and in those that *start* makes when one has died.

    A call that the process dies of has failed. When several were at work, nobody knows of which it died: each of them
    is begun again, alone. So only what is to blame spends an attempt.
    """

    def __init__(self, name: str, version: str, process: Process, start: Callable[[], Process]) -> None:
        self.version = version
        self._process, self._start = process, start
        self._loading = 2 * process.loading  # what took a minute at first may take it again
        self._closed = False
        self._opening: asyncio.Task[Process] | None = None
        self._under_way = UnderWay()
        self._numbers = count(1)
        self._log = log(function=name)

    def begin(self, event: Event, context: Context, until: Until) -> HostedCall:
        return HostedCall(self, event, context, until)

    async def carry_out(self, call: HostedCall, timeout: float) -> Answer | Died:  # noqa: ASYNC109 - as Invocation.answer
        """*call*'s answer, or how the process died of it."""
        async with self._under_way.beside():
            said = await call.attempt(await self._ready(timeout), timeout)
        if isinstance(said, Answer) or said.calls == 1:
            return said
        self._log.warning("function.begun_again", request_id=call.request_id, others=said.calls - 1)
        async with self._under_way.alone():
            return await call.attempt(await self._ready(timeout), timeout)

    def number(self) -> int:
        """One that no other call has."""
        return next(self._numbers)

    async def close(self) -> None:
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait((self._opening,))
        await self._process.close()

    async def _ready(self, within: float) -> Process:
        """The process, started again where it has died; that it loads the handler is waited for *within* seconds.

        Raises:
            NotStarted: it cannot be had.
        """
        if self._process.opened:
            return self._process
        if self._closed:
            raise NotStarted("the function is closed")
        if self._opening is None:
            self._opening = asyncio.create_task(self._open(max(within, INIT, self._loading)))
            self._opening.add_done_callback(self._tried)
        return await asyncio.shield(self._opening)

    async def _open(self, within: float) -> Process:
        said = await self._load(within)
        if said is None:  # killed from outside, perhaps: that is nobody's attempt
            said = await self._load(within)
        if isinstance(said, Loaded):
            self.version = said.version
            return self._process
        await self._process.close()
        raise NotStarted(_why(said, self._process.status))

    async def _load(self, within: float) -> First | None:
        """What the process says first, another one where it has died."""
        await self._process.look()
        if self._process.gone:
            await self._process.close()
            self._log.warning("function.process_ended", status=self._process.status)
            try:
                self._process = self._start()
            except OSError as error:
                raise NotStarted(f"no process can be started: {error}") from None
            self._log.info("function.process_started", pid=self._process.pid)
        try:
            async with asyncio.timeout(within):
                return await self._process.open()
        except TimeoutError:
            await self._process.close()
            raise NotStarted(f"its process did not load the handler within {within:.1f} s") from None

    def _tried(self, opening: asyncio.Task[Process]) -> None:
        self._opening = None
        if not opening.cancelled():
            opening.exception()  # whoever waits has it, too


class HostedCall:
    """One call, as `Invocation` is in this process."""

    def __init__(self, hosted: Hosted, event: Event, context: Context, until: Until, clock: Clock = SYSTEM) -> None:
        self._hosted, self._event, self._context, self._until = hosted, event, context, until
        self._clock, self._started = clock, clock.boot()
        self._running: Running | None = None
        self.request_id = context.aws_request_id

    @property
    def ended(self) -> bool:
        return self._running is None or self._running.ended.done()

    def when_ended(self, tell: Callable[[], object]) -> None:
        if self._running is None:
            tell()
        else:
            self._running.ended.add_done_callback(lambda _: tell())

    async def answer(self, timeout: float) -> Answer:  # noqa: ASYNC109 - as Invocation.answer
        try:
            said = await self._hosted.carry_out(self, timeout)
        except NotStarted as error:
            return self._failed(payloads.not_started(str(error), self.request_id))
        return said if isinstance(said, Answer) else self._failed(payloads.died(said.status, self.request_id))

    async def attempt(self, process: Process, timeout: float) -> Answer | Died:  # noqa: ASYNC109 - as above
        """Begin it in *process*; the answer, or how the process died."""
        number = self._hosted.number()
        message = Begin(number, self._event, self._context.headrace, self.request_id, self._until())
        try:
            self._running = running = process.begin(message)
        except Exception as error:  # noqa: BLE001 - an event that cannot be pickled is nested too deeply
            return self._failed(payloads.crashed(error, self.request_id))
        try:
            return await self._first(process, running, timeout)
        except asyncio.CancelledError:
            process.cancel(number)
            raise

    async def _first(self, process: Process, running: Running, timeout: float) -> Answer | Died:  # noqa: ASYNC109 - as above
        for patience in (timeout + GRACE + SLACK, SLACK):  # the second for a service that was stopped meanwhile
            await asyncio.wait((running.answer,), timeout=patience)
            if not running.answer.done():
                await process.look()
        if not running.answer.done():  # C code that holds its interpreter, or an async handler its loop
            process.end()
            answer = self._failed(payloads.timed_out(timeout, self.request_id))
        elif isinstance(said := running.answer.result(), Answer):
            answer = said
        else:
            return said
        return answer if running.ended.done() else replace(answer, lingering=Lingering(running.ended))

    def _failed(self, failure: Failure) -> Answer:
        return Answer(request_id=self.request_id, duration=self._clock.boot() - self._started, failure=failure)


def _why(said: First | None, status: int | None) -> str:
    if isinstance(said, Refused):
        return "; ".join(map(str, said.faults))
    return f"its process ended while it loaded the handler, with status {status}"
