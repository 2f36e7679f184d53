"""One lease while it is held: when it must be given up, when it is in doubt, and what is written under it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from headrace.calls import Call
from headrace.clock import Clock
from headrace.ledger import Lease, Ledger, Mark
from headrace.model import KEEP, LaneLost, Position, Unchanged
from headrace.observe import Log


class Holding:
    """One lease while it is held: the cursor of its lane.

    `position` and `memo` are what was committed last; `deadline` moves on with each renewal, in seconds of
    `Clock.boot`; `doubt` is `Lane.doubt`; `asked_by` is who asked for it, if somebody did; `words` says for people how
    the lane is doing, and goes to the ledger with each renewal.
    """

    def __init__(
        self,
        ledger: Ledger,
        lease: Lease,
        until: float,
        drop: Callable[[Lease], object],
        *,
        allowed: float,
        clock: Clock,
        logger: Log,
    ) -> None:
        self.lease, self.deadline = lease, until
        self.position, self.memo = lease.position, lease.memo
        self.words: Callable[[], str] = str
        self.asked_by: str | None = None
        self.doubt: asyncio.Event | None = None
        self._ledger, self._drop, self._clock, self._log = ledger, drop, clock, logger
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
            self._drop(self.lease)
            self._change.set()
            self.trust()

    def suspect(self) -> None:
        """The store may be another than the one that gave it."""
        if self.doubt is None and not self._lost:
            self.doubt = asyncio.Event()

    def trust(self) -> bool:
        """It is known whose it is; whether that was in doubt."""
        if self.doubt is None:
            return False
        self.doubt.set()
        self.doubt = None
        return True

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
        self._drop(self.lease)
