"""Schedules as a source: their buckets fire into the queue of calls, and the queue is the lane that is handled."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from headrace.calls import Taken
from headrace.holding import Holding
from headrace.log import Closed
from headrace.model import Condition, Event, Record
from headrace.plugins import Opening
from headrace.queued import Queued
from headrace.shards import Listed, Listing
from headrace.sharing import Sharing
from headrace_connectors.schedule import unsettled
from headrace_connectors.schedule.alarms import Alarms
from headrace_connectors.schedule.bucket import Bucket
from headrace_connectors.schedule.definition import Definition, Parse, definitions
from headrace_connectors.schedule.expression import parse
from headrace_connectors.schedule.occasion import event_of
from headrace_connectors.schedule.storetime import StoreTime


class Buckets:
    """The buckets that hold a schedule, as shards without parents: leased, and shared among the copies."""

    beginning = ""
    seekable = False

    def __init__(self, known: Sequence[Definition], time: StoreTime) -> None:
        self._names = sorted({one.bucket for one in known})
        self._time = time

    def at(self, time: float) -> str:  # noqa: ARG002 - as the protocol has it
        """A bucket begins when it is first read."""
        return self.beginning

    async def list(self) -> Listing:
        now = await self._time.now()
        shards = tuple(Listed(name=name) for name in self._names)
        return Listing(identity="schedules", shards=shards, now=now.timestamp())


class ScheduleSource(Queued):
    """Every copy handles what is in the queue; each bucket is fired by the one that has its lease.

    *parse* reads expressions, AWS's unless it is another.
    """

    def __init__(self, opening: Opening, parse: Parse = parse) -> None:
        super().__init__(opening, self._fire)
        self._known = list(definitions(opening.options.each(opening.mapping), opening, parse).values())
        self._time = StoreTime(self._leases.ledger, opening.clock)
        self._alarms = Alarms(self._time, opening.log)
        self._sharing: Sharing[Bucket] = Sharing(
            opening, Buckets(self._known, self._time), self._bucket, restored=unsettled.lost
        )

    @property
    def condition(self) -> Condition:
        return self._sharing.condition

    async def _fire(self) -> None:
        """Carry each bucket while it is ours, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._alarms.run())
            async for bucket in self._sharing.taken():
                group.create_task(bucket.run())

    async def _bucket(self, name: str, holding: Holding, closed: Closed) -> Bucket:
        return Bucket(
            name,
            [one for one in self._known if one.bucket == name],
            holding,
            ledger=await self._leases.ledger(),
            time=self._time,
            alarms=self._alarms,
            fired=self._lane.wake,
            closed=closed,
            log=self._opening.log,
        )

    def render(self, records: Sequence[Record]) -> Event:
        """The event of one occurrence: whatever JSON its schedule has as input, or a scheduled event."""
        (record,) = records
        taken: Taken = record.token
        event: Event = event_of(taken.call.event, taken.attempt)
        return event

    async def idle(self) -> bool:
        """Never: there is always a next occurrence to wait for."""
        return False

    async def close(self) -> None:
        await self._sharing.close()
