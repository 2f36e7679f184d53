"""Driving the engine in tests: scripted attempts, collected log lines, a lane with its work and pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from headrace.batcher import BatchPolicy
from headrace.delivery import Work
from headrace.destination import CONFIRMED, Reply, Said
from headrace.keeping import Keeping
from headrace.model import Answer, Event, Failure, Lane, Record
from headrace.observe import Log
from headrace.once import Once
from headrace.outgoing import Outcome, Outgoing, Sender, no_destination
from headrace.pipeline import Ending, Keep, Pipeline
from headrace.plan import Plan
from headrace.policy import FailurePolicy
from headrace.slots import Slots
from headrace.testing import FakeClock
from headrace.testing.clock import EPOCH, START
from headrace.verdict import SUCCESS, Kind, Verdict
from headrace.windows import Tumbling

Behave = Callable[[list[str], int], Awaitable[Outcome | None]]

BOOM = Failure(type="ValueError", message="boom")


def record(name: str, key: str | None = None, *, size: int = 100, at: float = EPOCH + START, **more: Any) -> Record:
    return Record(name, {"id": name}, at, size, key, **more)


def records(names: Iterable[str], **more: Any) -> list[Record]:
    return [record(name, **more) for name in names]


def ids(some: Iterable[Record]) -> list[str]:
    return [one.id for one in some]


def ok(lingering: Awaitable[None] | None = None) -> Outcome:
    return Outcome(Answer(request_id="r", duration=0.1, lingering=lingering), SUCCESS)


def error(lingering: Awaitable[None] | None = None) -> Outcome:
    answer = Answer(request_id="r", duration=0.1, failure=BOOM, lingering=lingering)
    return Outcome(answer, Verdict(Kind.ERROR, failure=BOOM))


def bad_answer() -> Outcome:
    return Outcome(Answer(request_id="r", duration=0.1, value=7), Verdict(Kind.BAD_ANSWER, failure=BOOM))


def partial(failed: Iterable[str]) -> Outcome:
    return Outcome(Answer(request_id="r", duration=0.1), Verdict(Kind.PARTIAL, frozenset(failed)))


class Lines:
    """A logger that keeps its lines, as (event, context)."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **context: Any) -> None:
        self.lines.append((event, context))

    debug = warning = error = info

    def of(self, event: str) -> list[dict[str, Any]]:
        return [context for name, context in self.lines if name == event]


class Handler:
    """Attempts as scripted: success unless *behave* returns something else. Remembers every call."""

    def __init__(self, behave: Behave | None = None) -> None:
        self.behave = behave
        self.calls: list[tuple[str, int]] = []
        self.times: list[float] = []
        self.keys: list[Event] = []
        self.running = self.most = 0

    @property
    def batches(self) -> list[str]:
        return [batch for batch, _ in self.calls]

    async def __call__(self, batch: Sequence[Record], attempt: int, keys: Event) -> Outcome:
        self.keys.append(keys)
        self.calls.append((",".join(ids(batch)), attempt))
        self.times.append(asyncio.get_running_loop().time())
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            outcome = await self.behave(ids(batch), attempt) if self.behave else None
        finally:
            self.running -= 1
        return outcome or ok()


class Destination:
    """Confirms what it is sent, after *delay* seconds."""

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay
        self.confirmed: list[Outgoing] = []

    async def __call__(self, gone: Outgoing) -> list[Reply]:
        await asyncio.sleep(self.delay)
        self.confirmed.append(gone)
        return [CONFIRMED] * len(gone.records)


AWAY, TOO_LARGE = Reply(Said.FAILED, "it is away"), Reply(Said.REFUSED, "it is too large")


class Moody(Destination):
    """Answers as `says` has it by id, else with `mood`; `asked` is what was sent, call by call."""

    def __init__(self, mood: Reply = CONFIRMED, **says: Reply) -> None:
        super().__init__()
        self.mood, self.says = mood, says
        self.asked: list[str] = []

    async def __call__(self, gone: Outgoing) -> list[Reply]:
        await asyncio.sleep(self.delay)
        self.asked.append(",".join(ids(gone.records)))
        return [self.says.get(one.id, self.mood) for one in gone.records]


class Rig:
    """A lane with everything that carries it."""

    def __init__(
        self,
        lane: Lane,
        behave: Behave | None = None,
        *,
        discard: Sender = no_destination,
        announce: Sender | None = None,
        keep: Keep | None = None,
        tumbling: Tumbling | None = None,
        batch: BatchPolicy | None = None,
        failure: FailurePolicy | None = None,
        once: Callable[[Lane, asyncio.Event], Once] | None = None,
        keeping: Callable[[Lane, Log], Keeping] | None = None,
        **plan: Any,
    ) -> None:
        self.lane, self.handler, self.lines = lane, Handler(behave), Lines()
        self.plan = Plan(batch=batch or BatchPolicy(size=1), failure=failure or FailurePolicy(), **plan)
        self.plan = self.plan if lane.care is None else self.plan.careful()
        stopping = asyncio.Event()
        self.work = Work(
            once=once(lane, stopping) if once else None,
            keeping=keeping(lane, self.lines) if keeping else None,
            stopping=stopping,
            lane=lane,
            plan=self.plan,
            attempt=self.handler,
            slots=Slots(self.plan.concurrency),
            tumbling=tumbling,
            discard=discard,
            announce=announce,
            clock=FakeClock(),
            log=self.lines,
        )
        self.tally = self.work.tally
        self.pipeline = Pipeline(self.work, keep)

    async def hold(self, count: int) -> list[Record]:
        """Fetch *count* records from the lane and count them, as a pipeline does."""
        some: list[Record] = []
        while len(some) < count:
            some.extend(await self.lane.fetch(count - len(some)))
        self.tally.polled += len(some)
        self.tally.in_flight += len(some)
        return some

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[Ending]]:
        """Run the pipeline beside the block; stops it at the end, if it still runs then."""
        task = asyncio.ensure_future(self.pipeline.run())
        try:
            await asyncio.sleep(0)
            yield task
            self.pipeline.stop(60)
            await task
            assert self.tally.balance == 0
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
