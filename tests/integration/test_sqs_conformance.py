"""The SQS lane is held to the conformance suite, against a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from headrace.clock import SYSTEM
from headrace.model import Lane, Record
from headrace.observe import Tally, log
from headrace.testing import tended
from headrace.testing.conformance import LaneConformance, Redelivers
from headrace_connectors.aws import AwsClient, AwsSettings, aws_client
from headrace_connectors.sqs.inbox import MOST, GroupedInbox, Inbox
from headrace_connectors.sqs.lane import SqsLane
from headrace_connectors.sqs.queue import Queue
from support.queues import send_all
from support.servers import REGION, Ministack

VISIBILITY = 4
"""Seconds; a message that is not given back stays hidden for so long."""


VISIBILITY = 4
"""Seconds; a message that is not given back stays hidden for so long."""


class SqsHarness:
    """A queue of its own; FIFO by its name. What is prompt is long for a busy machine, and well short of VISIBILITY."""

    promptly, patience, slack = 3.0, 7.0, 1.0

    def __init__(self, client: AwsClient, queue: Queue, sqs: Any) -> None:
        self._client, self._queue, self._sqs = client, queue, sqs
        self._fifo = queue.url.endswith(".fifo")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Lane]:
        lane = SqsLane(
            "queue",
            self._client,
            self._queue,
            visibility=VISIBILITY,
            ceiling=43200,
            concurrency=4,
            inbox=GroupedInbox(MOST, apart=False) if self._fifo else Inbox(),
            tally=Tally(),
            clock=SYSTEM,
            log=log(),
        )
        async with tended(lane):
            yield lane

    async def put(self, names: Sequence[str], keys: Sequence[str] | None = None) -> None:
        groups = keys or names
        if self._fifo:
            await send_all(self._sqs, self._queue.url, names, groups)
        else:
            await send_all(self._sqs, self._queue.url, names)

    def name(self, record: Record) -> str:
        return str(record.raw["Body"])


class _OnMinistack:
    fifo = False

    @pytest.fixture
    async def harness(
        self,
        ministack: Ministack,
        sqs: Any,
        new_queue: Callable[..., Awaitable[str]],
        aws_env: dict[str, str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> AsyncIterator[SqsHarness]:
        for name, value in aws_env.items():
            monkeypatch.setenv(name, value)
        url = await new_queue(visibility_timeout=VISIBILITY, fifo=self.fifo)
        async with aws_client("sqs", AwsSettings(region=REGION, endpoint_url=ministack.url)) as client:
            yield SqsHarness(client, await Queue.describe(client, url), sqs)


class TestSqsLane(_OnMinistack, LaneConformance, Redelivers):
    pass


class TestSqsFifoLane(_OnMinistack, LaneConformance, Redelivers):
    fifo = True
