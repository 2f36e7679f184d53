"""One attempt: what is looked at right before the handler is begun."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headrace.attempting import attempt_of
from headrace.functions import Function
from headrace.testing import MemoryLog
from headrace.testing.shards import MemoryStream
from headrace.verdict import Kind
from support.fleet import Fleet


@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_a_doubt_that_begins_on_the_way_to_the_handler_is_in_time(kind: str) -> None:
    """The store becomes another after the lane's last look. Mutation (tried): a call that only knows of a time."""
    log, begun = MemoryLog(), list[Any]()
    log.put("a")
    lane = log.lane()
    records = await lane.fetch(1)

    class Stream(MemoryStream):
        def render(self, records: Any) -> Any:
            if not begun:
                log.cursor.doubt = asyncio.Event()
            return super().render(records)

    async def later(event: Any, _: object) -> None:
        begun.append(event)

    function = Function.of("f", later if kind == "async" else lambda event, _: begun.append(event), timeout=3)
    attempt = attempt_of(Fleet(1).worker("a").mapping._opening, function, Stream(), lane)
    outcome = await attempt(records, 1, {})
    assert (outcome.verdict.kind, begun) == (Kind.LAPSED, [])
    begun.append("the doubt is over")
    log.cursor.doubt = None
    assert (await attempt(records, 1, {})).verdict.kind is Kind.SUCCESS
    assert len(begun) == 2
    await function.close()
