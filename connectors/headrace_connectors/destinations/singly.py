"""Messages one a call, some side by side: for what takes no batches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

from headrace.destination import PATIENCE, Message, Reply, Said

AT_ONCE: Final = 10
"""Calls side by side."""


async def singly(messages: Sequence[Message], send: Callable[[Message], Awaitable[Reply]]) -> Sequence[Reply]:
    """A reply for each. Messages of one key go one after the other; one that failed ends the sending."""
    replies: list[Reply] = []
    for some in _rounds(messages):
        replies += await asyncio.gather(*(_in_time(send, one) for one in some))
        failed = next((one for one in replies if one.said is Said.FAILED), None)
        if failed is not None:
            return [*replies, *[failed] * (len(messages) - len(replies))]
    return replies


async def _in_time(send: Callable[[Message], Awaitable[Reply]], message: Message) -> Reply:
    try:
        async with asyncio.timeout(PATIENCE):
            return await send(message)
    except TimeoutError:
        return Reply(Said.FAILED, f"no answer within {PATIENCE:g} s")


def _rounds(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """What goes side by side: not two of one key."""
    some: list[Message] = []
    keys: set[str | None] = set()
    for one in messages:
        if len(some) == AT_ONCE or (one.key is not None and one.key in keys):
            yield some
            some, keys = [], set()
        some.append(one)
        keys.add(one.key)
    if some:
        yield some
