"""A mapping of a queue whose handler fails at everything, run in this process by the service's own code."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Self, TypeAlias

from headrace.config import load
from headrace.functions import Function
from headrace.service.process import Service
from headrace.service.status import MappingView
from headrace_connectors.catalog import catalog
from support.queues import counts, send_all
from support.service import until
from support.sites import Fault, Site

WITHIN = 30.0
"""Seconds."""
FUNCTIONS = ("f", "repair")
MANY = range(7)

Giving: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple["GivingUp", AsyncExitStack]]]
"""`running`, of one queue and site."""


class GivingUp:
    """Of *queue*; what it gives up goes to *site*, and to *claim_check* where it is too large.

    `tries` is how often a handler had each number.
    """

    def __init__(self, sqs: Any, queue: str, site: Site, claim_check: dict[str, Any] | None = None) -> None:
        self._sqs, self._queue, self._site = sqs, queue, site
        self.tries: Counter[int] = Counter()
        self._sent = 0
        told = {"destination": site.block, **({"claim_check": claim_check} if claim_check else {})}
        mapping = {
            "source": {"type": "sqs", "queue_url": queue},
            "function": "f",
            "maximum_retry_attempts": 0,
            "retry_backoff": {"initial": 0.5, "maximum": 0.5},
            "destination_config": {"on_failure": told},
        }
        config = {
            "service": {"name": "s", "state": site.state, "listen": None},
            "functions": {name: {"handler": "not.imported"} for name in FUNCTIONS},
            "mappings": {"m": mapping},
        }
        path = site.folder / "config.json"
        path.write_text(json.dumps(config))
        functions = {name: Function.of(name, self._fail, timeout=3) for name in FUNCTIONS}
        self._service = Service(load([path], catalog), functions, only=["m"])

    def _fail(self, event: Any, context: Any) -> None:
        self.tries.update(number_of(one) for one in event["Records"])
        raise ValueError("boom")

    async def __aenter__(self) -> Self:
        self._running = asyncio.ensure_future(self._service.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._service.stop()
        with suppress(asyncio.CancelledError):
            await self._running

    @property
    def view(self) -> MappingView:
        (view,) = self._service.snapshot().mappings
        return view

    async def send(self, numbers: Sequence[int], filling: str | None = None) -> None:
        filled = self._site.filling if filling is None else filling
        await send_all(self._sqs, self._queue, [f"{number} {filled}" for number in numbers])
        self._sent += len(numbers)

    async def left(self) -> int:
        """Messages that are not deleted."""
        return sum(await counts(self._sqs, self._queue))

    async def says(self, state: str, why: str) -> None:
        """The condition comes to be *state*, and names the place and *why*."""
        text = f"{re.escape(self._site.where)}: .*(?:{why})"

        def said() -> bool:
            return self.view.state == state and re.search(text, self.view.reason) is not None

        await until(said, WITHIN, lambda: f"{text} in {self.view}")

    async def confirmed(self, count: int) -> None:
        """At least *count* are deleted, and no more than were confirmed."""
        await until(lambda: self.view.counts["deleted"] >= count, WITHIN, lambda: repr(self.view))
        assert self.view.counts["deleted"] <= self.view.counts["delivered"]
        async with asyncio.timeout(WITHIN):  # one may be deleted at the server, and not be counted yet
            while await self.left() != self._sent - self.view.counts["deleted"]:
                await asyncio.sleep(0.05)
        assert self.view.counts["deleted"] <= self.view.counts["delivered"]

    async def all_there(self, some: Sequence[int]) -> list[int]:
        """The numbers that are there, in order, when all of *some* are, and the queue is empty."""
        await self.confirmed(self._sent)
        assert self.view.counts["delivered"] == self._sent
        return await self.seen(some)

    async def seen(self, some: Sequence[int]) -> list[int]:
        """The same, whatever the queue has."""
        found: list[int] = []
        async with asyncio.timeout(WITHIN):
            while not {*found} >= {*some}:
                await asyncio.sleep(0.05)
                found += numbers(await self._site.found())
        return sorted(found)

    async def records(self, count: int) -> list[Any]:
        """That are there, when so many are."""
        found: list[Any] = []
        async with asyncio.timeout(WITHIN):
            while len(found) < count:
                await asyncio.sleep(0.05)
                found += await self._site.found()
        return found


@asynccontextmanager
async def running(
    sqs: Any, queue: str, site: Site, fault: Fault | None = None, **more: Any
) -> AsyncIterator[tuple[GivingUp, AsyncExitStack]]:
    """A mapping that runs, and what ends the fault that it began with."""
    async with AsyncExitStack() as stack:
        fate = await stack.enter_async_context(AsyncExitStack())
        if fault is not None:
            await fate.enter_async_context(fault)
        yield await stack.enter_async_context(GivingUp(sqs, queue, site, **more)), fate


async def held_until_mended(giving_up: Giving, site: Site, fault: Fault, why: str) -> list[int]:
    """All are held, and none is handled again; what is there once the fault is mended."""
    async with giving_up(fault) as (mapping, fate):
        await mapping.send(MANY)
        await mapping.says("holding", site.why[why])
        assert await mapping.left() == len(MANY)
        await fate.aclose()
        there: list[int] = await mapping.all_there(MANY)
    assert set(mapping.tries.values()) == {1}
    return there


async def down_in_the_middle(giving_up: Giving, site: Site) -> None:
    async with giving_up() as (mapping, fate):
        await mapping.send([0])
        assert await mapping.all_there([0]) == [0]
        await fate.enter_async_context(site.down())
        await mapping.send(MANY[1:])
        await mapping.says("holding", site.why["down"])
        assert await mapping.left() == len(MANY[1:])
        await fate.aclose()
        assert await mapping.all_there(MANY[1:]) == [*MANY[1:]]
    assert set(mapping.tries.values()) == {1}


def number_of(message: dict[str, Any]) -> int:
    return int(message["body"].split()[0])


def numbers(records: Sequence[dict[str, Any]]) -> list[int]:
    """Of the messages that *records* tell of, in order."""
    payloads = [one["payload"] for one in records if "payload" in one]
    events = [json.loads(one) if isinstance(one, str) else one for one in payloads]
    return sorted(number_of(one) for event in events for one in event["Records"])
