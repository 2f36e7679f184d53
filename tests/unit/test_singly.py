"""One a call: ten side by side, in order for each key, and no thousands of calls to a server that is away."""

from __future__ import annotations

import asyncio

import pytest

from headrace.destination import CONFIRMED, Message, Reply, Said
from headrace_connectors.destinations import singly as file
from headrace_connectors.destinations.singly import singly
from support.messages import message


async def test_of_one_key_each_waits_for_the_one_before_it() -> None:
    """Mutation: side by side whatever their keys, with which a slow first arrives after its second."""
    arrived: list[str] = []

    async def send(one: Message) -> Reply:
        await asyncio.sleep(0.02 if one.id.startswith("slow") else 0)
        arrived.append(one.id)
        return CONFIRMED

    some = [message("slow a", b"", key="a"), message("b", b"", key="b"), message("a", b"", key="a"), message("n", b"")]
    assert await singly(some, send) == [CONFIRMED] * 4
    assert [name for name in arrived if "a" in name] == ["slow a", "a"]
    assert arrived.index("b") < arrived.index("slow a")


async def test_a_failure_ends_the_sending() -> None:
    asked: list[str] = []

    async def send(one: Message) -> Reply:
        asked.append(one.id)
        return Reply(Said.FAILED, "away") if one.id == "m3" else CONFIRMED

    replies = await singly([message(f"m{n}", b"") for n in range(100)], send)
    assert [one.said for one in replies] == [Said.CONFIRMED] * 3 + [Said.FAILED] + [Said.CONFIRMED] * 6 + [
        Said.FAILED
    ] * 90
    assert len(asked) == 10


async def test_who_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutation: a stop waits for ever."""
    monkeypatch.setattr(file, "PATIENCE", 0.05)

    async def send(_: Message) -> Reply:
        await asyncio.Event().wait()
        return CONFIRMED

    async with asyncio.timeout(10):
        (reply,) = await singly([message("m", b"")], send)
    assert (reply.said, reply.reason) == (Said.FAILED, "no answer within 0.05 s")
