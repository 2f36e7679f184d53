"""Carry one lane from its first fetch to its last settlement."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from zlib import crc32

from headrace.delivery import Work
from headrace.ending import cancelled
from headrace.model import Keep, LaneEnded, LaneLost, Order, Record
from headrace.strand import Strand
from headrace.windowed import WindowedStrand

CLOSING_TIME = 10.0
"""Seconds that the last deletes and commits may take, whatever was left of the time to drain."""


class End(StrEnum):
    """How a lane was let go."""

    ENDED = "ended"
    STOPPED = "stopped"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a lane was let go, and how many of its records were still at a handler: those come again."""

    how: End
    left: int


class Pipeline:
    """Fetches as much as there is room for, and shares it among the lane's strands.

    How it stops, in this order:

    1. it fetches no more: the lane halts and gives back what it read ahead;
    2. what waits for its batch is given back, while handlers still run; a back-off is interrupted;
    3. what is at a handler is finished and settled;
    4. what is still there at the drain deadline is left alone: never set to 0, it returns with its visibility, or is
       read again from the committed position;
    5. deletes and commits are carried out, and the lane is let go.

    A lane that is lost skips to letting go, and settles nothing.
    """

    def __init__(self, work: Work, keep: Keep | None = None) -> None:
        self._work, self._lane, self._keep = work, work.lane, keep
        count = work.plan.strands if work.lane.traits.order is Order.SEQUENCE else 1
        tumbling = work.tumbling
        self._strands = [Strand(work) if tumbling is None else WindowedStrand(work, tumbling) for _ in range(count)]
        self._fetching: asyncio.Task[None] | None = None
        self._carrying: asyncio.Task[None] | None = None
        self._overdue: asyncio.TimerHandle | None = None
        self._halting: asyncio.Task[int] | None = None
        self._lost = False

    def stop(self, seconds: float) -> None:
        """Drain, and leave what is still at a handler after *seconds*. A later call may shorten that, not lengthen."""
        loop = asyncio.get_running_loop()
        when = loop.time() + seconds
        if self._overdue is None or when < self._overdue.when():
            if self._overdue is not None:
                self._overdue.cancel()
            self._overdue = loop.call_at(when, self._leave_the_rest)
        if not self._work.stopping.is_set():
            self._work.stopping.set()
            for strand in self._strands:
                strand.wake()
            if self._fetching is not None:
                self._fetching.cancel()

    async def run(self) -> Ending:
        """Carry the lane until it ends, is stopped or is lost; closes it in any case."""
        try:
            async with asyncio.TaskGroup() as group:
                beside = [group.create_task(self._lane.tend()), group.create_task(self._watch())]
                self._carrying = group.create_task(self._carry())
                await asyncio.wait({self._carrying})
                if self._carrying.cancelled():  # at the drain deadline, perhaps before the lane was halted
                    await self._halt()
                await cancelled(*beside)
        except* LaneLost:
            self._lost = True
        finally:
            if self._overdue is not None:
                self._overdue.cancel()
            await self._let_go()
        return self._ending()

    def _ending(self) -> Ending:
        tally, left = self._work.tally, self._work.tally.in_flight
        tally.abandoned += left
        tally.in_flight = 0
        if self._lost:
            return Ending(End.LOST, left)
        return Ending(End.STOPPED if self._work.stopping.is_set() else End.ENDED, left)

    async def _let_go(self) -> None:
        try:
            async with asyncio.timeout(CLOSING_TIME):
                await self._lane.close()
        except LaneLost:
            self._lost = True
        except TimeoutError:
            self._work.log.warning("lane.not_closed", lane=self._lane.name, seconds=CLOSING_TIME)

    async def _carry(self) -> None:
        async with asyncio.TaskGroup() as group:
            for strand in self._strands:
                group.create_task(strand.run())
            self._fetching = group.create_task(self._fetch())
            group.create_task(self._end_strands(self._fetching))
            if self._work.stopping.is_set():
                self._fetching.cancel()

    async def _end_strands(self, fetching: asyncio.Task[None]) -> None:
        stop = asyncio.ensure_future(self._work.stopping.wait())
        try:
            await asyncio.wait({fetching, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
        if self._work.stopping.is_set():
            await cancelled(fetching)
        for strand in self._strands:
            strand.end()
        if self._work.stopping.is_set():
            await self._halt()

    async def _halt(self) -> None:
        """Once, and to its end, even when the drain deadline comes meanwhile: else what was read ahead stays hidden."""
        if self._halting is None:
            self._halting = asyncio.ensure_future(self._lane.halt())
            self._halting.add_done_callback(self._count_halted)
        await asyncio.shield(self._halting)

    def _count_halted(self, halted: asyncio.Future[int]) -> None:
        if not halted.cancelled() and halted.exception() is None:
            self._work.tally.polled += halted.result()
            self._work.tally.returned += halted.result()

    async def _watch(self) -> None:
        """Give the lane up when its owner says so."""
        seconds = await self._lane.leave()
        if seconds <= 0:
            raise LaneLost(self._lane.name)
        self.stop(seconds)

    async def _fetch(self) -> None:
        """Read for as long as there is room; nothing between two reads can be cancelled."""
        with suppress(LaneEnded):
            while True:
                self._work.settled.clear()
                room = self._room()
                if room > 0:
                    await self._share(await self._lane.fetch(room))
                else:
                    await self._work.settled.wait()

    def _room(self) -> int:
        """How many records may be read now.

        A queue's record burns a delivery attempt when it is received, so a place at the handler is reserved for it
        first; a log's capacity counts everything above its watermark.
        """
        plan, held = self._work.plan, self._lane.held
        if held.nbytes >= plan.capacity_bytes:
            return 0
        room = plan.capacity - held.records
        if self._lane.traits.redelivers:
            (strand,) = self._strands
            room = min(room, strand.room)
        return room

    async def _share(self, records: Sequence[Record]) -> None:
        tally = self._work.tally
        tally.polled += len(records)
        tally.in_flight += len(records)
        if self._keep is not None:
            records = await self._filter(records, self._keep)
        if not records:
            return
        if len(self._strands) == 1:
            self._strands[0].put(records)
        else:
            for index, share in self._by_key(records).items():
                self._strands[index].put(share)

    async def _filter(self, records: Sequence[Record], keep: Keep) -> Sequence[Record]:
        """Filtered out is a verdict: such a record is settled at once."""
        wanted = [record for record in records if keep(record)]
        if len(wanted) < len(records):
            kept = set(map(id, wanted))
            out = [record for record in records if id(record) not in kept]
            await self._lane.ack(out)
            self._work.tally.filtered_out += len(out)
            self._work.tally.in_flight -= len(out)
        return wanted

    def _by_key(self, records: Sequence[Record]) -> dict[int, list[Record]]:
        shares: dict[int, list[Record]] = {}
        for record in records:
            shares.setdefault(crc32((record.key or "").encode()) % len(self._strands), []).append(record)
        return shares

    def _leave_the_rest(self) -> None:
        if self._carrying is not None:
            self._carrying.cancel()
