"""A replay of a mapping with `idempotency`: what was run before is not run again, and what it runs is remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Final
from uuid import uuid4

from headrace.idempotency import idempotency_by
from headrace.ledger import Ledger
from headrace.model import Order, Record
from headrace.once import Idempotency, Once
from headrace.replaying.finding import Found, Known
from headrace.replaying.sending import BEHIND, ToHandler

ELSEWHERE: Final = "another record of its key is run elsewhere"


class OncePerKey:
    """Round *inner*: verdicts by key are those of the service's own store, which *opened* opens.

    A record whose key another runs is waited for, until the replay is to stop.
    """

    def __init__(
        self, inner: ToHandler, opened: Callable[[], AbstractAsyncContextManager[Ledger]], stopping: asyncio.Event
    ) -> None:
        self._inner, self._opened, self._stopping = inner, opened, stopping
        self._stack = AsyncExitStack()
        self._ledger: Ledger | None = None
        self._shared: dict[str, Idempotency] = {}

    async def send(self, found: Found, records: Sequence[Record]) -> Mapping[str, str]:
        known = found.known
        shared = None if known is None else await self._shared_of(known)
        if known is None or shared is None:
            return await self._inner.send(found, records)
        key_of, lane = shared.keyer(found.recalled.render), found.letter.lane or "replay"
        order = known.connector.traits.order
        once = Once(shared, key_of, lane, order, self._stopping)
        try:
            return await self._send(once, found, records, order)
        finally:
            once.forget(records)

    async def _send(self, once: Once, found: Found, records: Sequence[Record], order: Order) -> Mapping[str, str]:
        failed: dict[str, str] = {}
        left = records
        while left:
            parted = await once.part(left)
            left = parted.later
            if parted.ready:
                failed |= await self._run(once, found, parted.ready)
                if failed and order is not Order.NONE:
                    return failed | {record.id: BEHIND for record in left}
            elif left and self._stopping.is_set():
                return failed | {record.id: ELSEWHERE for record in left}
            elif left and not parted.seen:
                await asyncio.sleep(parted.wait)
        return failed

    async def _run(self, once: Once, found: Found, records: Sequence[Record]) -> Mapping[str, str]:
        """What was run well is remembered before its letter is settled."""
        told = await self._inner.send(
            found, records, until=lambda: once.until(records), lingering=lambda ends: once.linger(records, ends)
        )
        await once.finish([record for record in records if record.id not in told])
        await once.release([record for record in records if record.id in told])
        return told

    async def _shared_of(self, known: Known) -> Idempotency | None:
        """The mapping's, kept until the end; None where it has no idempotency."""
        name = known.opening.mapping
        if name not in self._shared:
            shared = idempotency_by(known.connector, known.opening, self._store, f"replay {uuid4()}")
            if shared is None:
                return None
            await self._stack.enter_async_context(shared.holds.kept())
            self._shared[name] = shared
        return self._shared[name]

    async def _store(self) -> Ledger:
        if self._ledger is None:
            self._ledger = await self._stack.enter_async_context(self._opened())
        return self._ledger

    async def close(self) -> None:
        await self._stack.aclose()
        await self._inner.close()
