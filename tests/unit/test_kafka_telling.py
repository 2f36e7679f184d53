"""What a thread tells the loop comes in order, all of it, and wakes it once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from headrace_connectors.kafka.telling import Teller


class Loop:
    """A loop that listens when it is told to."""

    def __init__(self) -> None:
        self.wakes: list[Callable[[], None]] = []
        self.soon: list[Callable[[], None]] = []
        self.closed = False

    def call_soon_threadsafe(self, what: Callable[[], None]) -> None:
        if self.closed:
            raise RuntimeError("Event loop is closed")
        self.wakes.append(what)

    def call_soon(self, what: Callable[[], None]) -> None:
        self.soon.append(what)


def test_a_loop_that_is_behind_is_woken_once() -> None:
    """Mutations: a wake-up for each; what comes later wakes nobody."""
    loop: Any = Loop()
    teller, told = Teller(loop), list[int]()
    for number in range(3):
        teller.tell(lambda number=number: told.append(number))  # type: ignore[misc]
    assert len(loop.wakes) == 1
    loop.wakes[0]()
    for what in loop.soon:
        what()
    assert told == [0, 1, 2]
    teller.tell(lambda: told.append(3))
    assert len(loop.wakes) == 2


async def test_what_fails_keeps_nothing_else_from_being_told() -> None:
    """Mutation: all are called in one go."""
    loop, failed, told = asyncio.get_running_loop(), list[Any](), asyncio.Event()
    loop.set_exception_handler(lambda _, context: failed.append(context["exception"]))
    teller = Teller(loop)
    teller.tell(lambda: 1 // 0)  # type: ignore[arg-type,return-value]
    teller.tell(told.set)
    async with asyncio.timeout(5):
        await told.wait()
    assert isinstance(failed[0], ZeroDivisionError)


def test_a_loop_that_is_closed_is_told_nothing() -> None:
    """Mutation: the poll thread ends with an error, in place of its client's close."""
    loop: Any = Loop()
    loop.closed = True
    Teller(loop).tell(lambda: None)
