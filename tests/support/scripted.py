"""An AWS client that answers from a script: for faults and orders of events that no server can be made to show."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

Answer = dict[str, Any] | BaseException


class ScriptedClient:
    """`answer(operation, params)` is what a call comes to; `calls` keeps them all, with the time of each."""

    def __init__(self, answer: Callable[[str, dict[str, Any]], Any]) -> None:
        self._answer = answer
        self.calls: list[tuple[float, str, dict[str, Any]]] = []

    async def call(self, operation: str, watch: Any = None, **params: Any) -> dict[str, Any]:
        if watch is not None:
            watch.sent()
        self.calls.append((asyncio.get_running_loop().time(), operation, params))
        answer = self._answer(operation, params)
        if asyncio.iscoroutine(answer):
            answer = await answer
        if watch is not None:
            watch.arriving()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def named(self, operation: str) -> list[dict[str, Any]]:
        return [params for _, name, params in self.calls if name == operation]


def message(number: int, *, count: int = 1, body: str = "x", group: str | None = None) -> dict[str, Any]:
    """A message as ReceiveMessage gives it."""
    grouped = {"MessageGroupId": group, "SequenceNumber": f"{number:020}"} if group else {}
    return {
        "MessageId": f"m{number}",
        "ReceiptHandle": f"r{number}-{count}",
        "Body": body,
        "MD5OfBody": "d",
        "Attributes": {"SentTimestamp": "1750000000000", "ApproximateReceiveCount": str(count), **grouped},
    }


def all_done(params: dict[str, Any]) -> dict[str, Any]:
    """The answer of a batch call that did everything."""
    return {"Successful": [{"Id": entry["Id"]} for entry in params["Entries"]]}
