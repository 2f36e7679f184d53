"""A catalog with one connector, `memory`: a queue that is filled when the mapping opens. For tests of the service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

from pydantic import Field

from headrace.clock import SYSTEM
from headrace.errors import Fault
from headrace.filters import View
from headrace.masking import WHOLE
from headrace.model import Condition, Event, Lane, Order, Origin, Record, Traits
from headrace.plugins import Catalog, Connector, Opening, Probe
from headrace.settings import Settings
from headrace.testing.queue import MemoryQueue
from headrace.testing.queue_lane import MemoryQueueLane


class MemoryOptions(Settings):
    count: int = Field(0, ge=0, le=100000, description="Messages at the start, with ids 0, 1, 2, …")
    visibility: float = Field(30.0, gt=0, description="Seconds that a received message is hidden.")
    missing: bool = Field(False, description="There is no such queue.")
    secret: str = Field("", repr=False, description="Nobody may see it.")


class RegionSettings(Settings):
    region: str = "mars-north-1"


class MemorySource:
    def __init__(self, opening: Opening) -> None:
        options: MemoryOptions = opening.options
        self.queue = MemoryQueue(visibility=options.visibility, clock=SYSTEM)
        self.missing = options.missing
        self.lane = MemoryQueueLane(self.queue, name="queue")
        self.queue.send([str(number) for number in range(options.count)])

    async def lanes(self) -> AsyncIterator[Lane]:
        if not self.missing:
            yield self.lane
        await asyncio.Event().wait()

    def render(self, records: Sequence[Record]) -> Event:
        return {"Records": [{"messageId": record.id, "body": record.raw["body"]} for record in records]}

    def origin(self, lane: str, records: Sequence[Record]) -> Origin:
        return Origin(block="QueueInfo", info={"queue": lane}, payload=self.render(records))

    def identify(self, identifier: object) -> str | None:
        return identifier if isinstance(identifier, str) else None

    async def idle(self) -> bool:
        return await self.lag() == 0 and not self.lane.held.records

    async def lag(self) -> int | None:
        return len(self.queue)

    async def dead_lettered(self) -> int | None:
        return len(self.queue.dead)

    @property
    def condition(self) -> Condition:
        return Condition("missing" if self.missing else "starting", "there is no such queue" if self.missing else "")

    async def close(self) -> None:
        pass


def check(opening: Opening) -> Iterable[Fault]:
    if opening.options.count == 13:
        yield Fault("source.count", "13 is unlucky; take 14")


def warn(opening: Opening) -> Iterable[Fault]:
    if opening.options.visibility < 1:
        yield Fault("source.visibility", "shorter than any handler takes")


async def probe(opening: Opening) -> Probe:
    if opening.options.missing:
        return Probe(faults=[Fault("source.count", "there is no such queue; create it")])
    if opening.options.count == 99:
        raise ConnectionError("the server is gone")
    return Probe(values={"source.visibility": 77.0}, warnings=[Fault("", "the queue has no dead-letter queue")])


memory = Connector(
    type="memory",
    summary="A queue in memory, for tests.",
    options=MemoryOptions,
    traits=Traits(Order.NONE, redelivers=True),
    open=MemorySource,
    probe=probe,
    defaults={"batch_size": 10},
    refuses={"starting_position": "a queue has no position: leave it out"},
    check=check,
    warn=warn,
    view=View(
        record="message",
        payload="body",
        content=lambda record: record.raw["body"],
        fields=lambda render, record: render([record])["Records"][0],
        keys=frozenset({"messageId"}),
        masking=WHOLE,
    ),
)

catalog = Catalog(connectors=[memory], sections={"space": RegionSettings})


def install(folder: Path) -> None:
    """Make *folder* an import path on which this catalog is an installed package."""
    info = folder / "headrace_memory-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: headrace-memory\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[headrace.catalogs]\nmemory = support.memory:catalog\n")
