"""What the engine costs a record: prepared SQS messages through the real mapping, to a handler that does nothing.

The only thing made up is the lane: it hands out messages that lie ready, as records made by the SQS connector, and
forgets what is acked. Mapping, pipeline, strand, batcher, function, verdict, counts and SQS's event are the real ones.
CPU is that of the whole process, all its threads. `floor` is the same without an engine: make the records, render the
event, await the handler.

Run alone: `python benchmarks/engine.py async 100 200000`; `make bench` runs every cell in a process of its own.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from headrace.functions import Function
from headrace.mapping import Mapping
from headrace.model import Condition, Event, Held, Lane, LaneEnded, Record, Traits
from headrace.observe import configure_logging, log
from headrace.plugins import Connector, Opening
from headrace.settings import MappingSettings, ScalingConfig, Settings
from headrace_connectors.sqs.event import records, render
from headrace_connectors.sqs.lane import TRAITS

ARN = "arn:aws:sqs:eu-central-1:123456789012:orders"
REGION = "eu-central-1"
CONCURRENCY = 10
TENS = 10
READY = 1000
"""Messages that lie ready; they are handed out again and again."""


def messages(count: int) -> list[dict[str, Any]]:
    """What ReceiveMessage answers: bodies of 200 bytes, receipts as long as AWS's."""
    return [
        {
            "MessageId": f"7f6c0000-5d3e-4f6b-8a52-{n:012d}",
            "ReceiptHandle": f"AQEB{n:012d}" + "wJnKyrHigUMZj6rYigCgxlaS3SLy0a" * 13,
            "MD5OfBody": "e4d909c290d0fb1ca068ffaddf22cbd0",
            "Body": f"{n:012d}" + "x" * 188,
            "Attributes": {
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "ApproximateFirstReceiveTimestamp": "1700000000005",
                "ApproximateReceiveCount": "1",
                "SentTimestamp": "1700000000000",
            },
        }
        for n in range(count)
    ]


class PreparedLane:
    """A queue that always has messages, until *total* were handed out."""

    name = "prepared"
    traits: Traits = TRAITS
    deadline = math.inf
    condition = Condition("polling")
    care, doubt, epoch = None, None, 0

    def __init__(self, ready: Sequence[dict[str, Any]], total: int, page: int) -> None:
        self._ready, self._left, self._page = ready, total, page
        self._at = self._records = self._nbytes = 0

    @property
    def held(self) -> Held:
        return Held(self._records, self._nbytes)

    async def tend(self) -> None:
        await asyncio.Event().wait()

    async def fetch(self, limit: int) -> Sequence[Record]:
        if not self._left:
            raise LaneEnded
        await asyncio.sleep(0)  # a page comes from outside: the loop turns before it is there
        count = min(limit, self._page, self._left, len(self._ready) - self._at)
        taken = records(self._ready[self._at : self._at + count], None, math.inf)
        self._at = (self._at + count) % len(self._ready)
        self._left -= count
        self._records += count
        self._nbytes += sum([one.size for one in taken])
        return taken

    async def ack(self, records: Sequence[Record], memo: object = None) -> None:  # noqa: ARG002 - no place for one
        self._records -= len(records)
        self._nbytes -= sum([one.size for one in records])

    async def nack(self, _records: Sequence[Record], _delay: float | None) -> None:
        raise AssertionError("nothing fails here")

    async def leave(self) -> float:
        await asyncio.Event().wait()
        return 0.0

    async def halt(self) -> int:
        return 0

    async def close(self) -> None:
        pass


class PreparedSource:
    """One prepared lane, rendered as the SQS connector does; above ten a batch, SQS mappings have a window."""

    condition = Condition("polling")

    def __init__(self, lane: PreparedLane, batch: int) -> None:
        self._lane, self._windowed = lane, batch > TENS

    async def lanes(self) -> AsyncIterator[Lane]:
        yield self._lane

    def render(self, records: Sequence[Record]) -> Event:
        return render(records, arn=ARN, region=REGION, windowed=self._windowed)

    def identify(self, identifier: object) -> str | None:
        return identifier if isinstance(identifier, str) else None

    async def idle(self) -> bool:
        return True

    async def lag(self) -> int | None:
        return 0

    async def dead_lettered(self) -> int | None:
        return None

    async def close(self) -> None:
        pass


async def noop_async(_event: object, _context: object) -> None:
    pass


def noop_sync(_event: object, _context: object) -> None:
    pass


def mapping(handler: Callable[..., Any], batch: int, source: PreparedSource) -> Mapping:
    connector = Connector(
        type="prepared", summary="", options=Settings, traits=TRAITS, open=lambda _: source, probe=_no_probe
    )
    settings = MappingSettings.model_construct(
        batch_size=batch, scaling_config=ScalingConfig(maximum_concurrency=CONCURRENCY)
    )
    opening = Opening(
        service="bench",
        mapping="bench",
        settings=settings,
        options=None,
        sections={},
        function_timeout=30,
        log=log(mapping="bench"),
    )
    return Mapping(connector, opening, Function.of("bench", handler, timeout=30))


async def _no_probe(_: Opening) -> Any:
    raise AssertionError("nobody probes here")


async def engine(handler: Callable[..., Any], batch: int, total: int, ready: list[dict[str, Any]]) -> float:
    """CPU seconds of carrying *total* records."""
    running = mapping(handler, batch, PreparedSource(PreparedLane(ready, total, max(batch, TENS)), batch))
    before = time.process_time()
    await running.run()
    spent = time.process_time() - before
    await running.function.close()
    tally = running.tallies["prepared"]
    assert tally.succeeded == total, (tally.succeeded, total)
    assert tally.balance == 0
    assert sum(tally.batch_size.counts) == math.ceil(total / batch), "batches were not full"
    return spent


async def floor(batch: int, total: int, ready: list[dict[str, Any]]) -> float:
    """CPU seconds of the same work by a loop without an engine."""
    before = time.process_time()
    for start in range(0, total, batch):
        at = start % len(ready)
        taken = records(ready[at : at + batch], None, math.inf)
        await noop_async(render(taken, arn=ARN, region=REGION, windowed=batch > TENS), None)
    return time.process_time() - before


async def measure(mode: str, batch: int, total: int) -> float:
    """CPU µs a record, after a tenth of it as warm-up."""
    ready = messages(READY)
    gc.collect()
    gc.freeze()  # what lies ready is not the engine's: the collector need not walk it
    runs: dict[str, Callable[[int], Any]] = {
        "async": lambda count: engine(noop_async, batch, count, ready),
        "sync": lambda count: engine(noop_sync, batch, count, ready),
        "floor": lambda count: floor(batch, count, ready),
    }
    await runs[mode](max(total // 10 // READY, 1) * READY)
    return await runs[mode](total) / total * 1e6


def main() -> None:
    configure_logging(level="warning")
    mode, batch, total = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps({"cpu_us": asyncio.run(measure(mode, batch, total))}))


if __name__ == "__main__":
    main()
