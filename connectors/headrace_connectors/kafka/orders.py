"""The members' side of what an operator asks of a group: looked for now and then, carried out once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from headrace.ownthread import OwnThread
from headrace_connectors.kafka.client import TopicPartition
from headrace_connectors.kafka.requests import Request, Requests

EVERY = 3.0
"""Seconds between two looks."""

Told: TypeAlias = Callable[[Mapping[TopicPartition, Request]], None]


class Orders:
    """Has a thread and a connection of its own: what they wait for keeps no commit waiting."""

    def __init__(self, name: str, settings: Mapping[str, Any], group: str, seconds: float) -> None:
        self._requests = Requests(settings, group, seconds)
        self._thread = OwnThread(f"{name} orders")
        self._looked, self._looking = 0.0, False

    def look(self, now: float, parts: Sequence[TopicPartition], tell: Told) -> None:
        """*tell* what was asked of *parts*, if it is time to look again; a look that fails is made again later."""
        if self._looking or not parts or now - self._looked < EVERY:
            return
        self._looked, self._looking = now, True

        def over(future: asyncio.Future[dict[TopicPartition, Request]]) -> None:
            self._looking = False
            if not future.cancelled() and future.exception() is None:
                tell(future.result())

        self._thread.begin(partial(self._requests.read, parts)).add_done_callback(over)

    def close(self) -> None:
        self._thread.begin(self._requests.close)
        self._thread.close()
