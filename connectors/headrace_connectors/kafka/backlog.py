"""How much of a member's partitions waits: in records, and what comes next of those that nobody reads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Any, Protocol
from weakref import WeakSet

from headrace_connectors.kafka.client import KafkaClient
from headrace_connectors.kafka.extent import unsettled
from headrace_connectors.kafka.member import CALL_SECONDS, Member
from headrace_connectors.kafka.partition import Partition
from headrace_connectors.kafka.taking import Taking


class Ask(Protocol):
    """A question to the cluster; None while it answers none."""

    def __call__(self, question: Callable[[KafkaClient], Any], /) -> Awaitable[Any]: ...


class Backlog:
    """Asks for as little as it can: what is committed, brokers keep from a member while it joins."""

    def __init__(self, member: Member, taking: Taking, ask: Ask) -> None:
        self._member, self._taking, self._ask = member, taking, ask
        self._ahead: WeakSet[Partition] = WeakSet()

    async def records(self, partitions: Collection[Partition]) -> int | None:
        """Those behind what is committed; None while the cluster does not say."""
        settled = {one.part: offset for one in partitions if (offset := self._taking.settled(one)) is not None}
        parts = [one.part for one in partitions]
        found: int | None = await self._ask(partial(unsettled, parts=parts, settled=settled))
        return found

    async def look_ahead(self, partitions: Collection[Partition]) -> None:
        """Have what comes next of each polled, so that its age is known; without a lane it is handed to nobody."""
        parts = {one.part: one for one in partitions if one not in self._ahead}
        found = await self._ask(lambda client: client.committed(list(parts), CALL_SECONDS)) if parts else None
        for part, offset in (found or {}).items():
            self._member.move(parts[part], offset.next)
            self._ahead.add(parts[part])
