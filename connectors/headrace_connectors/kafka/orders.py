"""The members' side of what an operator asks of a group: looked for now and then, carried out once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from headrace.ownthread import OwnThread
from headrace_connectors.kafka.asking import Asking
from headrace_connectors.kafka.client import TopicPartition
from headrace_connectors.kafka.requests import Request, Requests

EVERY = 3.0
"""Seconds between two looks."""


class Orders:
    """Has a thread and a connection of its own: what they wait for keeps no commit waiting."""

    def __init__(self, name: str, settings: Mapping[str, Any], group: str, seconds: float) -> None:
        self._requests = Requests(settings, group, seconds)
        self._thread = OwnThread(f"{name} orders")
        self._asking: Asking[dict[TopicPartition, Request]] = Asking(EVERY, self._thread.begin)

    def look(
        self, now: float, parts: Sequence[TopicPartition], tell: Callable[[Mapping[TopicPartition, Request]], None]
    ) -> None:
        """*tell* what was asked of *parts*, if it is time to look again."""
        if parts:
            self._asking.look(now, partial(self._requests.read, parts), tell)

    def close(self) -> None:
        self._thread.begin(self._requests.close)
        self._thread.close()
