"""The shards of a log that are this copy's: looked for, leased, given to whoever reads them, and let go of."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Generic, Protocol, TypeAlias, TypeVar

from headrace import balance, graph
from headrace.errors import LedgerError, SourceUnavailable
from headrace.holding import Holding
from headrace.ledger import Graph, Ledger, Row
from headrace.log import Closed
from headrace.model import Condition, Held, LaneLost, Position
from headrace.plugins import Opening
from headrace.shards import Listable
from headrace.upkeep import Upkeep

LOOKS_OF_SOURCE, LOOKS_OF_STORE = 16, 2
"""One look in so many is made at least while it is away. A store may come back empty: who knows what was in it must be
there before anybody begins anew, which waits for three looks.
"""

MOVING = 900.0
"""Seconds that a planned move waits for what is at the handler, Lambda's longest call: let go of sooner, whoever takes
the shard would begin the same records beside it.
"""

LEFT_ALONE = "waiting"
"""The state of a source whose shards are not all taken, as calls of earlier leases still run."""

PAUSED = "paused"
"""The state of a source that an operator has paused, for every copy."""

LETTING_GO = 10.0
"""Seconds that may take; what is not let go of by then expires."""


class Carried(Protocol):
    """What reads a shard while its lease is ours."""

    @property
    def held(self) -> Held:
        """What was read and is not settled."""
        ...

    @property
    def condition(self) -> Condition: ...

    @property
    def behind(self) -> float | None:
        """Seconds from the shard's tip; None where nobody knows."""
        ...

    async def close(self) -> None:
        """Commit, and let the shard go."""
        ...


L = TypeVar("L", bound=Carried)

Make: TypeAlias = Callable[[str, Holding, Closed], Awaitable[L]]
"""What reads a shard that was just taken; it tells the last argument when it has let go."""


class Sharing(Generic[L]):
    """Looks at the ledger every moment, takes what is free, asks for a fair share.

    A source or store that is away is a condition; what is held goes on meanwhile, to its deadline.

    Attributes:
        carried: what reads each shard that is ours.
        last: the holding of each shard that ever was, whether or not it is held still.

    *make* says what reads a shard; *listed* is told the source's own time after each listing; *restored* is what a
    position becomes when it is written back to a store that lost it.
    """

    def __init__(
        self,
        opening: Opening,
        shards: Listable,
        make: Make[L],
        *,
        listed: Callable[[float], None] = lambda _: None,
        restored: Callable[[Position], Position] = str,
    ) -> None:
        if opening.leases is None:
            raise ValueError("a sharded source needs leases")
        self._opening, self._make, self._leases = opening, make, opening.leases
        self._log, self._clock, self._mapping = opening.log, opening.clock, opening.mapping
        self._look_every = self._leases.look_every
        self._ask_every = max(1.0, self._leases.ttl / 2)
        self._ask_at = 0.0
        self._free_since: dict[str, float] = {}
        self._reserved: dict[str, float] = {}  # let go for another, and until when it is left to that one
        self.carried: dict[str, L] = {}
        self.last: dict[str, Holding] = {}
        self._news = asyncio.Event()
        self._upkeep = Upkeep(
            opening, shards, self._leases, self.last, news=self._news, listed=listed, restored=restored
        )
        self.found = self._upkeep.tell
        self.condition = Condition("connecting", since=self._clock.wall())

    async def idle(self) -> bool:
        """Every shard of ours is read to its tip with all of it settled, and none waits for an owner."""
        known = self._upkeep.known
        if known is None or self._upkeep.found:
            return False
        ours = self._leases.holding(self._mapping)
        if any(not row.ended and not row.held and row.shard not in ours for row in known.rows):
            return False
        carried = [one for shard, one in self.carried.items() if shard in ours]
        return len(carried) == len(ours) and all(at_tip(one) and not one.held.records for one in carried)

    async def close(self) -> None:
        """What nobody carries, as something failed before it was begun, is let go of for others."""
        for one in list(self.carried.values()):
            with suppress(TimeoutError, LaneLost):
                async with asyncio.timeout(LETTING_GO):
                    await one.close()

    async def taken(self) -> AsyncIterator[L]:
        """What reads each shard, as it becomes ours."""
        failures, most = 0, LOOKS_OF_SOURCE
        while True:
            self._news.clear()
            try:
                for shard in await self._look():
                    if one := await self._take(shard):
                        yield one
                failures = 0
            except (SourceUnavailable, LedgerError) as error:
                self._unavailable(error, failures)
                failures += 1
                most = LOOKS_OF_STORE if isinstance(error, LedgerError) else LOOKS_OF_SOURCE
            await self._pause(self._look_every * min(2**failures, most) * random.uniform(0.75, 1))

    def _unavailable(self, error: Exception, failures: int) -> None:
        if failures % 10 == 0:
            self._log.warning("source.unavailable", error=str(error))
        self._set_condition("unavailable", str(error))

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    async def _look(self) -> Sequence[str]:
        """Have the graph brought up to date; the shards to take now."""
        ledger = await self._leases.ledger()
        seen = await self._upkeep.look(ledger)
        if seen is None:
            return []
        self._remember(seen)
        if seen.paused:
            self._set_condition(PAUSED, "headrace resume goes on")
            return []
        return await self._choose(ledger, seen)

    def _remember(self, seen: Graph) -> None:
        now = self._clock.boot()
        free = [row.shard for row in seen.rows if not row.held and not row.ended]
        self._free_since = {shard: self._free_since.get(shard, now) for shard in free}
        self._reserved = {shard: until for shard, until in self._reserved.items() if until > now}
        for row in seen.rows:
            if row.held and row.asked not in {None, self._leases.owner}:  # of a dead one it may be a dead one, too
                self._reserve(row.shard)

    def _reserve(self, shard: str) -> None:
        self._reserved[shard] = self._clock.boot() + 3 * self._look_every

    async def _choose(self, ledger: Ledger, seen: Graph) -> Sequence[str]:
        now, rows = self._clock.boot(), graph.readable(seen)
        ours = self._leases.holding(self._mapping)
        waited = {shard for shard, since in self._free_since.items() if now - since >= self._look_every}
        may_ask, owner = now >= self._ask_at, self._leases.owner
        running = {row.shard for row in rows if row.shard not in ours and self._opening.still_runs(row.shard)}
        move = balance.choose(rows, owner, waited=waited, reserved={*self._reserved, *running}, may_ask=may_ask)
        moved = balance.sought(rows, owner, {shard: one.epoch for shard, one in self.last.items()})
        if move.ask is not None:
            self._ask_at = now + self._ask_every * random.uniform(0.75, 1.5)
            await ledger.ask(self._mapping, move.ask, self._leases.owner)
        left_alone = sorted(row.shard for row in rows if row.shard in running and row.owner in {None, owner})
        if left_alone:
            self._leave_alone(left_alone)
        else:
            self._set_condition("polling", self._without_lanes(seen, rows) if not ours and not move.take else "")
        return [shard for shard in (*moved, *move.take) if shard not in {*ours, *running, *self.carried}]

    def _leave_alone(self, shards: Sequence[str]) -> None:
        """Say of these why nobody has them."""
        why = "a call of an earlier lease still runs, and the next would run beside it with the same records"
        if self.condition.state != LEFT_ALONE:
            self._log.warning("shards.left_alone", lanes=shards, why=why)
        self._set_condition(LEFT_ALONE, f"{', '.join(shards)} is left alone: {why}")

    @staticmethod
    def _without_lanes(seen: Graph, rows: Sequence[Row]) -> str:
        if rows:
            return "every shard that can be read is held by other copies"
        return "the stream has ended" if seen.rows else "the stream has no shards"

    async def _take(self, shard: str) -> L | None:
        holding = await self._leases.acquire(self._mapping, shard, allowed=MOVING)
        if holding is None:
            return None
        if graph.moved(self._upkeep.known, holding.lease):  # its parents, too, perhaps: look again
            with suppress(LaneLost):
                await holding.give_back()
            return None
        lease = holding.lease
        self._upkeep.known = graph.taken(self._upkeep.known, lease)
        self._log.info("lease.taken", lane=shard, epoch=lease.epoch, position=lease.position, crashes=lease.crashes)
        self.last[shard] = holding
        try:
            one = self.carried[shard] = await self._make(shard, holding, partial(self._closed, shard, holding))
        except BaseException:
            holding.drop()  # else it would be renewed, and read by nobody
            raise
        return one

    def _closed(self, shard: str, holding: Holding, finished: bool) -> None:  # noqa: FBT001 - as it is told
        """A shard was let go: its children may be read now, or another may take it."""
        del self.carried[shard]
        if holding.asked_by is not None:
            self._reserve(shard)
        if finished:
            self._upkeep.look_for_children()

    def _set_condition(self, state: str, reason: str = "") -> None:
        if (self.condition.state, self.condition.reason) != (state, reason):
            self.condition = Condition(state, reason, self._clock.wall())


def at_tip(one: Carried) -> bool:
    """Whether nothing was left to read when its reader was answered last, and it is answered still."""
    return one.behind == 0 and one.condition.ready
