"""The leases of one process: taken from the ledger, renewed in one call, given up at their deadline."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from headrace.calls import Call
from headrace.clock import SYSTEM, Clock
from headrace.ledger import Lease, Ledger, Mark, deadline
from headrace.model import KEEP, LaneLost, Position, Unchanged
from headrace.observe import Log, log
from headrace.retry import again, capped
from headrace.witness import NoWitness, Witness

TTL = 10.0
"""Seconds that a lease is good for without being renewed."""

RENEWALS = 4
"""Renewals within one ttl: three may fail before a lease is lost."""

MARGIN = 0.1
"""Of the ttl: dispatch ends that much before the store lets others in."""


def new_owner() -> str:
    """A name for this start of this process, and for no other."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


class Leases:
    """Opens the ledger when the first source asks for it, and renews whatever is held while `run` runs.

    While the store is away, lanes go on to their deadlines, then they are lost; what comes back is taken anew.
    `witness` remembers beside the store what was begun in it.
    """

    def __init__(
        self,
        open_ledger: Callable[[], Awaitable[Ledger]],
        *,
        ttl: float = TTL,
        owner: str | None = None,
        closes: bool = True,
        witness: Witness | None = None,
        clock: Clock = SYSTEM,
        logger: Log | None = None,
    ) -> None:
        self._closes = closes
        self.witness: Witness = witness or NoWitness()
        self.owner, self.ttl = owner or new_owner(), ttl
        self._open, self._clock, self._log = open_ledger, clock, logger or log()
        self._ledger: Ledger | None = None
        self._opening = asyncio.Lock()
        self._held: dict[Lease, Holding] = {}
        self._taken = asyncio.Event()

    @property
    def look_every(self) -> float:
        """Seconds between two looks at what others hold: often enough to take over soon after a lease expires."""
        return min(1.0, self.ttl / 4)

    async def ledger(self) -> Ledger:
        """The ledger, opened once.

        Raises:
            ConfigError: its URL means nothing.
            LedgerError: it cannot be used, or reached now (LedgerUnavailable).
        """
        async with self._opening:
            if self._ledger is None:
                self._ledger = await self._open()
            return self._ledger

    async def run(self) -> None:
        """Renew until cancelled."""
        while True:
            await self._taken.wait()
            await asyncio.sleep(self.ttl / RENEWALS)
            if not self._held:
                self._taken.clear()
                continue
            wait = capped(self.ttl / RENEWALS)  # what is taken anew after an outage must not wait for a long back-off
            async for attempt in again(self._log, "leases.not_renewed", wait=wait, owner=self.owner):
                with attempt:
                    await self._renew()

    async def _renew(self) -> None:
        """All in one call; one that hangs is given up while there is time for another."""
        ledger, sent, held = await self.ledger(), self._clock.boot(), dict(self._held)
        async with asyncio.timeout(self.ttl / 2):
            renewal = await ledger.renew({lease: one.words() for lease, one in held.items()}, self.ttl)
        for lease, holding in held.items():
            if self._held.get(lease) is not holding:  # let go of meanwhile
                continue
            if lease in renewal.lost:
                holding.lose("the ledger has given it to another, or an operator has moved it")
                continue
            holding.deadline = self._deadline(sent)
            if lease in renewal.asked:
                holding.asked_by = renewal.asked[lease]
                holding.ask(f"asked for by {holding.asked_by}")
            if lease.mapping in renewal.paused:
                holding.ask("the mapping is paused")

    def _deadline(self, sent: float) -> float:
        return deadline(sent=sent, ttl=self.ttl, margin=self.ttl * MARGIN)

    async def acquire(self, mapping: str, shard: str, *, allowed: float) -> Holding | None:
        """Take the row of *shard*; None when another holds it. *allowed*: seconds that a planned move may take.

        Raises:
            LedgerError: as the ledger does.
        """
        ledger, sent = await self.ledger(), self._clock.boot()
        lease = await ledger.acquire(mapping, shard, self.owner, self.ttl)
        if lease is None:
            return None
        holding = self._held[lease] = Holding(
            self, ledger, lease, self._deadline(sent), allowed=allowed, clock=self._clock, logger=self._log
        )
        self._taken.set()
        return holding

    def drop(self, lease: Lease) -> None:
        """Renew it no more."""
        self._held.pop(lease, None)

    def holding(self, mapping: str) -> dict[str, Holding]:
        """What is held of *mapping* now, by shard."""
        return {lease.shard: one for lease, one in self._held.items() if lease.mapping == mapping}

    async def close(self) -> None:
        """Let go of the store; leases that are still held expire by themselves."""
        if self._ledger is not None and self._closes:
            await self._ledger.close()


class Holding:
    """One lease while it is held: the cursor of its lane.

    `position` and `memo` are what was committed last; `deadline` moves on with each renewal, in seconds of
    `Clock.boot`; `asked_by` is who asked for it, if somebody did; `words` says for people how the lane is doing, and
    goes to the ledger with each renewal.
    """

    def __init__(
        self,
        leases: Leases,
        ledger: Ledger,
        lease: Lease,
        until: float,
        *,
        allowed: float,
        clock: Clock,
        logger: Log,
    ) -> None:
        self.lease, self.deadline = lease, until
        self.position, self.memo = lease.position, lease.memo
        self.words: Callable[[], str] = str
        self.asked_by: str | None = None
        self._leases, self._ledger, self._clock, self._log = leases, ledger, clock, logger
        self._allowed = allowed
        self._asked = self._lost = ""
        self._change = asyncio.Event()

    @property
    def epoch(self) -> int:
        return self.lease.epoch

    def ask(self, why: str) -> None:
        """Have the lane finish what it has at the handler, commit and let go."""
        if not self._asked:
            self._asked = why
            self._log.info("lease.asked", mapping=self.lease.mapping, lane=self.lease.shard, why=why)
            self._change.set()

    def lose(self, why: str) -> None:
        """It is ours no more: nothing may be dispatched, settled or written."""
        if not self._lost:
            self._lost = why
            self.deadline = min(self.deadline, self._clock.boot())
            self._log.warning("lease.lost", mapping=self.lease.mapping, lane=self.lease.shard, why=why)
            self._leases.drop(self.lease)
            self._change.set()

    async def leave(self) -> float:
        """As `Lane.leave`."""
        while True:
            if self._lost:
                return 0.0
            left = self.deadline - self._clock.boot()
            if left <= 0:
                self.lose("it was not renewed in time")
                return 0.0
            if self._asked:
                return self._allowed
            self._change.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._change.wait()

    async def commit(self, position: Position, memo: bytes | Unchanged | None = KEEP) -> None:
        async with self._fenced():
            await self._ledger.commit(self.lease, position, memo=memo)
        self.position = position
        if not isinstance(memo, Unchanged):
            self.memo = memo

    async def follow(self, position: Position, calls: Sequence[Call] = ()) -> None:
        """Commit what follows the position, with the calls that come of it.

        Lost, where the store was put back to an older copy and has another position: who has the shard next goes on
        from that, and with the queue that is of one age with it.
        """
        async with self._fenced():
            await self._ledger.commit(self.lease, position, calls=calls, after=self.position)
        self.position = position

    async def mark(self, mark: Mark) -> None:
        async with self._fenced():
            await self._ledger.mark(self.lease, mark)

    async def close(self, *, finished: bool) -> None:
        async with self._fenced():
            if finished:
                await self._ledger.commit(self.lease, self.position, memo=None, end=True)
            else:
                await self._ledger.release(self.lease)

    async def give_back(self) -> None:
        """Let go of it at once, as nothing was begun under it."""
        try:
            await self.close(finished=False)
        finally:
            self.drop()

    @asynccontextmanager
    async def _fenced(self) -> AsyncIterator[None]:
        if self._lost:
            raise LaneLost(f"{self.lease.shard}: {self._lost}")
        try:
            yield
        except LaneLost as lost:
            self.lose(str(lost))
            raise

    def drop(self) -> None:
        """Nothing more is written: what was not released expires by itself."""
        self._leases.drop(self.lease)
