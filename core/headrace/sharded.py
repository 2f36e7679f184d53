"""A sharded log as a source: a lane for each shard, parents before children, while it is ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial

from headrace.holding import Holding
from headrace.log import Closed, LogLane
from headrace.model import Condition, Event, Origin, Record
from headrace.plugins import Opening
from headrace.settings import LEAST_CAPACITY
from headrace.shards import Shards
from headrace.sharing import Sharing, at_tip
from headrace.windows import Tumbling

REST = 600.0
"""Seconds without a record after which the position of a quiet shard is moved on to a time."""


class ShardedSource:
    """What the engine asks of a source, of the shards that are ours."""

    def __init__(self, opening: Opening, shards: Shards) -> None:
        self._opening, self._shards = opening, shards
        self._sharing: Sharing[LogLane] = Sharing(opening, shards, self._lane, listed=self._rest)
        self._quiet: dict[str, tuple[int, float]] = {}  # records that were polled, and the source's time then

    @property
    def condition(self) -> Condition:
        return self._sharing.condition

    def lanes(self) -> AsyncIterator[LogLane]:
        return self._sharing.taken()

    def render(self, records: Sequence[Record]) -> Event:
        return self._shards.render(records)

    def origin(self, lane: str, records: Sequence[Record]) -> Origin:
        return self._shards.origin(lane, records)

    def identify(self, identifier: object) -> str | None:
        return self._shards.identify(identifier)

    def tumbling(self, lane: str, seconds: int) -> Tumbling:
        """Where *lane*, which is ours, stands in its windows of *seconds*."""

        def place() -> Event:
            return {"shardId": lane, "eventSourceARN": self._shards.arn}

        return Tumbling(seconds, place, self._sharing.last[lane].memo)

    async def lag(self) -> int | None:
        """A stream does not count what waits in it; its lanes know how far behind they are in time."""
        return None

    async def dead_lettered(self) -> int | None:
        return None

    async def idle(self) -> bool:
        return await self._sharing.idle()

    async def close(self) -> None:
        await self._sharing.close()
        await self._shards.close()

    def _rest(self, now: float) -> None:
        """Move the positions of quiet shards on: else a record's, trimmed meanwhile, would look like a loss.

        What arrived before the time at which a shard was last seen to have polled as many as now, was polled: if it was
        read to its tip since then. One that is refused records meanwhile has polled none, and shows its last tip still.
        """
        for shard, lane in self._sharing.carried.items() if self._shards.rests else ():
            polled = self._opening.tally(shard).polled
            count, since = self._quiet.get(shard, (-1, now))
            if count != polled or not at_tip(lane) or lane.held.records:
                self._quiet[shard] = polled, now
            elif now - since >= REST:
                lane.rest(self._shards.at(since))
                self._quiet[shard] = polled, now

    async def _lane(self, shard: str, holding: Holding, closed: Closed) -> LogLane:
        lease, capacity = holding.lease, self._opening.settings.capacity or LEAST_CAPACITY
        lane = LogLane(
            shard,
            self._shards.open(shard, lease.position, self._sharing.found),
            holding,
            commit_interval=self._opening.commit_interval,
            commit_after=10 * capacity,
            crashes=lease.crashes,
            mark=lease.mark,
            careful_for=capacity,
            memo=lease.memo,
            clock=self._opening.clock,
            logger=self._opening.log,
            closed=closed,
        )
        if lease.memo is not None and not self._opening.settings.tumbling_window_in_seconds:
            self._opening.log.warning("window.dropped", lane=shard, why="tumbling_window_in_seconds was taken out")
            await lane.ack([], None)
        self._quiet.pop(shard, None)  # others may have polled it since
        holding.words = partial(self._opening.words, shard)
        return lane
