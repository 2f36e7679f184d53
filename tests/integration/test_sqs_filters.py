"""Filters of an SQS mapping against a real server: what nobody wants is deleted and counted, the rest untouched."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from headrace_connectors import SqsPoller
from support.queues import counts, send_all

NewQueue = Callable[..., Awaitable[str]]

BODIES = [
    '{"total":  5, "kind":"a"}',
    '{"total": 0, "kind": "a"}',
    '{"total": "5"}',
    '[{"total": 1}]',
    "plain text",
    "5",
    '{"total": 5',
    '{"total": NaN}',
    "[" * 3000,
    '{"total": 1e400}',
    '{"kind": "b"}',
]


pytestmark = pytest.mark.usefixtures("in_aws")


async def handled(url: str, patterns: list[Any]) -> tuple[list[str], Any]:
    """The bodies that the handler saw until the queue was empty, and the counts."""
    seen: list[str] = []

    async def handler(event: dict[str, Any], context: Any) -> None:
        seen.extend(record["body"] for record in event["Records"])

    criteria = {"filters": [{"pattern": pattern} for pattern in patterns]}
    async with SqsPoller(queue_url=url, handler=handler, filter_criteria=criteria) as poller:
        running = asyncio.ensure_future(poller.run())
        async with asyncio.timeout(60):
            while not await poller.idle():
                await asyncio.sleep(0.1)
        poller.stop()
        await running
    (tally,) = poller.tally.values()
    return seen, tally


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [
        ([{"body": {"total": [{"numeric": [">", 0]}]}}], [BODIES[0], BODIES[3]]),
        (['{"body":{"total":[{"numeric":[">",0]}]}}', {"body": {"kind": ["b"]}}], [BODIES[0], BODIES[3], BODIES[10]]),
        ([{"body": ["plain text", "5"]}], ["plain text", "5"]),
        ([{"body": {"total": [{"exists": False}]}}], ['{"kind": "b"}']),
        ([{"eventSource": ["aws:sqs"], "messageId": [{"anything-but": "x"}]}], BODIES),
        ([], BODIES),
    ],
)
async def test_what_no_filter_wants_is_deleted_and_counted(
    new_queue: NewQueue, sqs: Any, patterns: list[Any], wanted: list[str]
) -> None:
    """Lambda's format table for SQS. Catches: a drop that is no delete, or no count; a body changed on its way."""
    url = await new_queue()
    await send_all(sqs, url, BODIES)
    seen, tally = await handled(url, patterns)
    assert sorted(seen) == sorted(wanted)
    assert (tally.filtered_out, tally.succeeded) == (len(BODIES) - len(wanted), len(wanted))
    assert (tally.deleted, tally.balance) == (len(BODIES), 0)
    assert await counts(sqs, url) == (0, 0, 0)
