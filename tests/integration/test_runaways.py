"""A circle that no config shows ends, on a real server: what has come through sixteen functions is held where it is.

Each begins with a message that has come through thirteen already: a record of a record doubles its backslashes, so
that sixteen in one another are more than SQS takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from headrace.destination import CONFIRMED, MOST_HOPS
from headrace_connectors import SqsPoller
from headrace_connectors.aws import AwsSettings
from headrace_connectors.tracing import trace_of
from support.messages import message, opening
from support.places import Place
from support.queues import client_of, queue_arn
from support.servers import Ministack

NewQueue = Callable[..., Awaitable[str]]
SO_FAR = 13
COUNTED = {"headrace-hops": {"DataType": "Number", "StringValue": str(SO_FAR)}}

pytestmark = pytest.mark.usefixtures("in_aws")


class Failing:
    """A handler of a mapping that gives up at once, and what it was given."""

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []

    def __call__(self, event: dict[str, Any], context: Any) -> None:
        self.given += event["Records"]
        raise ValueError("boom")

    def poller(self, name: str, url: str, destination: object) -> SqsPoller:
        """A service of its own."""
        to = {"on_failure": {"destination": destination}}
        return SqsPoller(queue_url=url, handler=self, name=name, maximum_retry_attempts=0, destination_config=to)


async def held(*pollers: SqsPoller) -> str:
    """Run them until a record may not be sent on; why."""
    async with AsyncExitStack() as stack:
        running = []
        for one in pollers:
            await stack.enter_async_context(one)
            running.append(asyncio.ensure_future(one.run()))
        async with asyncio.timeout(60):
            while not (found := [one for one in pollers if one.condition.state == "refused"]):
                await asyncio.sleep(0.02)
        reason = found[0].condition.reason
        for one in pollers:
            one.stop()
        await asyncio.gather(*running)
    return reason


async def test_two_services_that_feed_each_other_stop(new_queue: NewQueue, sqs: Any) -> None:
    """Mutations: a count that begins anew in each service; one that is not read, or does not grow."""
    one, two, failing = await new_queue(), await new_queue(), Failing()
    await sqs.send_message(QueueUrl=one, MessageBody="x", MessageAttributes=COUNTED)
    there = failing.poller("one", one, await queue_arn(sqs, two))
    back = failing.poller("two", two, await queue_arn(sqs, one))
    assert "this is a circle" in await held(there, back)
    assert len(failing.given) == MOST_HOPS - SO_FAR + 1


@pytest.mark.parametrize("raw", ["true", "false"])
async def test_a_topic_that_comes_back_stops(
    *, raw: str, ministack: Ministack, account: str, new_queue: NewQueue, sqs: Any
) -> None:
    """Mutation: the envelope of a topic that delivers no raw messages hides the count."""
    url, failing = await new_queue(), Failing()
    async with client_of("sns", ministack.url, account) as sns:
        topic = (await sns.create_topic(Name="again"))["TopicArn"]
        attributes = {"RawMessageDelivery": raw}
        await sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=await queue_arn(sqs, url), Attributes=attributes)
    await sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes=COUNTED)
    assert "this is a circle" in await held(failing.poller("one", url, topic))
    assert len(failing.given) == MOST_HOPS - SO_FAR + 1


async def test_what_a_bus_or_a_bucket_hands_on_counts(new_queue: NewQueue, sqs: Any, tmp_path: Path) -> None:
    """As they send it to a queue, and as Lambda shows it. Mutation: X-Ray's header is not read."""
    url, failing = await new_queue(), Failing()
    trace = trace_of(message("m", b"", hops=MOST_HOPS))
    system = {"AWSTraceHeader": {"DataType": "String", "StringValue": trace}}
    await sqs.send_message(QueueUrl=url, MessageBody="x", MessageSystemAttributes=system)
    destination = {"type": "file", "path": str(tmp_path / "given-up.jsonl")}
    assert "this is a circle" in await held(failing.poller("one", url, destination))
    assert [one["attributes"]["AWSTraceHeader"] for one in failing.given] == [trace]


@pytest.mark.parametrize("word", ["eventbridge", "s3"])
async def test_a_bus_and_a_bucket_take_what_has_a_trace(
    *, word: str, ministack: Ministack, account: str, tmp_path: Path
) -> None:
    """Mutation: a parameter that AWS's model does not know."""
    async with Place(word, ministack.url, account, tmp_path) as place:
        await place.make()
        destination = place.kind.open(opening(sections={"aws": AwsSettings()}), place.options)
        assert await destination.send([message("m", b'{"a":1}', hops=2)]) == [CONFIRMED]
        await destination.close()
        assert await place.arrived(1) == [{"a": 1}]
