"""One copy of a service on a virtual loop, with one mapping `m`: started, stopped, killed."""

from __future__ import annotations

import asyncio
from typing import Any, Self

from headrace.leases import Leases
from headrace.mapping import Mapping


class VirtualCopy:
    """Subclasses make `leases` and `mapping`."""

    leases: Leases
    mapping: Mapping
    task: asyncio.Future[Any] | None = None

    def start(self) -> Self:
        async def both() -> None:
            renewing = asyncio.ensure_future(self.leases.run())
            try:
                await self.mapping.run()
            finally:
                renewing.cancel()

        self.task = asyncio.ensure_future(both())
        return self

    async def stop(self, seconds: float = 60) -> None:
        self.mapping.stop(seconds)
        assert self.task is not None
        await self.task

    async def kill(self) -> None:
        """SIGKILL: nothing of it runs any more, and nothing was said. What a graceful end would write is cut off."""
        for holding in list(self.leases.holding("m").values()):
            holding._ledger = _Dead()
        self.leases._ledger = _Dead()
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


class _Dead:
    """The store of a process that is no more: nothing arrives."""

    def __getattr__(self, name: str) -> Any:
        async def nothing(*_: Any, **__: Any) -> None:
            await asyncio.Event().wait()

        return nothing
