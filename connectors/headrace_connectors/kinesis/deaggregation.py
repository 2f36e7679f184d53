"""Reads a shard with its KPL aggregates taken apart: `deaggregate: true`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from headrace.model import Position, Record
from headrace.observe import Log
from headrace.shards import Listed
from headrace_connectors.kinesis.aggregates import HashRange, expand
from headrace_connectors.streams.reader import Page, ShardCalls

ToRecords: TypeAlias = Callable[[Sequence[dict[str, Any]]], Sequence[Record]]

NAMED = 10
"""Sequence numbers that one line of log names."""


class Deaggregated:
    """`ShardCalls` over those of a shard, with the user records of each aggregate in its place.

    They share its sequence number, so its token, so no position lies between them. An aggregate of another shard is
    left out, and told of; the position of its page is the shard's own, so it is passed.
    """

    def __init__(
        self,
        shard: str,
        calls: ShardCalls,
        *,
        hash_range: Callable[[str], Awaitable[HashRange | None]],
        to_records: ToRecords,
        log: Log,
    ) -> None:
        self._shard, self._calls, self._to_records, self._log = shard, calls, to_records, log
        self._ask_hash_range = hash_range
        self._hash_range: HashRange | None = None

    async def iterator(self, after: Position) -> str:
        if self._hash_range is None:  # asked for here: once a page has come nothing may fail any more
            self._hash_range = await self._ask_hash_range(self._shard)
        return await self._calls.iterator(after)

    async def page(self, iterator: str) -> Page:
        page = await self._calls.page(iterator)
        return replace(page, records=self._apart(page.records))

    def _apart(self, records: Sequence[Record]) -> Sequence[Record]:
        apart: list[Record] = []
        strays: list[str] = []
        for record in records:
            users = expand(record.raw, self._hash_range)
            if users is None:
                apart.append(record)
            elif users:
                apart += self._to_records(users)
            else:
                strays.append(record.id)
        if strays:
            self._log.warning("aggregate.of_another_shard", shard=self._shard, count=len(strays), ids=strays[:NAMED])
        return apart

    async def children(self) -> Sequence[Listed]:
        return await self._calls.children()
