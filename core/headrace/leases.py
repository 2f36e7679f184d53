"""The leases of one process: taken from the ledger, renewed in one call, given up at their deadline."""

from __future__ import annotations

import asyncio
import math
import os
import secrets
import socket
from collections.abc import Awaitable, Callable
from typing import Protocol
from weakref import WeakSet

from headrace.clock import SYSTEM, Clock
from headrace.holding import Holding
from headrace.ledger import Lease, Ledger, Watched
from headrace.observe import Log, log
from headrace.renewing import RENEWALS, deadline, turn
from headrace.retry import again, capped
from headrace.witness import NoWitness, Witness

TTL = 10.0
"""Seconds that a lease is good for without being renewed."""


def new_owner() -> str:
    """A name for this start of this process, and for no other."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


class Suspecting(Protocol):
    """What holds something in the store besides a lease."""

    def suspect(self) -> None:
        """The store may be another: what it knows it has to say itself."""
        ...


class Leases:
    """Opens the ledger when the first source asks for it, and renews whatever is held while `run` runs.

    While the store is away, lanes go on to their deadlines, then they are lost; what comes back is taken anew. Once the
    store may be another, nothing is dispatched before it has confirmed each lease, for which it is asked at once; and
    nothing is taken for a look, in which all others are to find out, too.
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
        self._opened, self._taken, self._hurry = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._stores = 0  # how often it became another
        self._others: WeakSet[Suspecting] = WeakSet()
        self._changed = -math.inf

    @property
    def settled(self) -> bool:
        """Whether all who hold leases have had time to find out that the store is another."""
        return self._clock.boot() - self._changed >= self.look_every

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
                self._opened.set()
            return self._ledger

    async def run(self) -> None:
        """Renew until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            group.create_task(self._renew_in_time())

    async def _watch(self) -> None:
        await self._opened.wait()
        if isinstance(self._ledger, Watched):
            await self._ledger.watch(self._suspect)

    def _suspect(self) -> None:
        """The store may be another: what it knows of our leases it has to say itself."""
        self._stores += 1
        self._changed = self._clock.boot()
        for one in (*self._held.values(), *self._others):
            one.suspect()
        if self._held:
            self._log.warning("leases.in_doubt", leases=len(self._held), why="the store may be another")
        self._hurry.set()

    async def _renew_in_time(self) -> None:
        while True:
            await self._taken.wait()
            await turn(self.ttl, self._hurry)
            if not self._held:
                self._taken.clear()
                continue
            wait = capped(self.ttl / RENEWALS)  # what is taken anew after an outage must not wait for a long back-off
            async for attempt in again(
                self._log, "leases.not_renewed", wait=wait, waking=self._hurry, owner=self.owner
            ):
                with attempt:
                    self._hurry.clear()
                    await self._renew()

    async def _renew(self) -> None:
        """All in one call; one that hangs is given up while there is time for another."""
        ledger, sent, stores, held = await self.ledger(), self._clock.boot(), self._stores, dict(self._held)
        async with asyncio.timeout(self.ttl / 2):
            renewal = await ledger.renew({lease: one.words() for lease, one in held.items()}, self.ttl)
        confirmed = 0
        for lease, holding in held.items():
            if self._held.get(lease) is not holding:  # let go of meanwhile
                continue
            if lease in renewal.lost:
                holding.lose("the ledger has given it to another, or never knew of it, or an operator has moved it")
                continue
            holding.deadline = deadline(sent=sent, ttl=self.ttl)
            if stores == self._stores and holding.trust():
                confirmed += 1
            if lease in renewal.asked:
                holding.asked_by = renewal.asked[lease]
                holding.ask(f"asked for by {holding.asked_by}")
            if lease.mapping in renewal.paused:
                holding.ask("the mapping is paused")
        if confirmed:
            self._log.info("leases.confirmed", leases=confirmed, seconds=self._clock.boot() - self._changed)

    def told_of_doubt(self, other: Suspecting) -> None:
        """*other*, as long as it lives, is told too when the store may be another."""
        self._others.add(other)

    async def acquire(self, mapping: str, shard: str, *, allowed: float) -> Holding | None:
        """Take the row of *shard*; None when another holds it. *allowed*: seconds that a planned move may take.

        Raises:
            LedgerError: as the ledger does.
        """
        if not self.settled:
            return None
        ledger, sent, stores = await self.ledger(), self._clock.boot(), self._stores
        lease = await ledger.acquire(mapping, shard, self.owner, self.ttl)
        if lease is None:
            return None
        until = deadline(sent=sent, ttl=self.ttl)
        holding = self._held[lease] = Holding(
            ledger, lease, until, self.drop, allowed=allowed, clock=self._clock, logger=self._log
        )
        self._taken.set()
        if stores != self._stores:
            holding.suspect()
            self._hurry.set()
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
