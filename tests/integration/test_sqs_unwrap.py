"""A queue that SNS, S3 and EventBridge feed: what the handler sees through SqsPoller, with real envelopes."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import structlog

from headrace_connectors import SqsPoller
from support.queues import client_of, counts, queue_arn, send_all
from support.servers import Ministack

NewQueue = Callable[..., Awaitable[str]]
OPEN = json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}]})
ATTRIBUTES = {
    "type": {"DataType": "String", "StringValue": "order é"},
    "total": {"DataType": "Number", "StringValue": "1.10"},
    "tags": {"DataType": "String.Array", "StringValue": '["a", 1, null]'},
}
SAME = ("body", "messageAttributes", "md5OfMessageAttributes", "md5OfBody", "eventSource", "awsRegion")


pytestmark = pytest.mark.usefixtures("in_aws")


@pytest.fixture
async def clients(ministack: Ministack, account: str) -> AsyncIterator[Any]:
    """`await clients(service)`."""
    async with AsyncExitStack() as stack:

        async def client(service: str) -> Any:
            config = {"s3": {"addressing_style": "path"}} if service == "s3" else {}
            return await stack.enter_async_context(client_of(service, ministack.url, account, **config))

        yield client


async def handled(url: str, count: int, **arguments: Any) -> tuple[list[dict[str, Any]], SqsPoller]:
    """Poll until the queue is empty and *count* records were handed over; these, and the poller with its counts."""
    seen: list[dict[str, Any]] = []

    async def handler(event: dict[str, Any], _: Any) -> None:
        seen.extend(event["Records"])

    async with SqsPoller(queue_url=url, handler=handler, **arguments) as poller:
        running = asyncio.ensure_future(poller.run())
        async with asyncio.timeout(30):
            while len(seen) < count or not await poller.idle():
                await asyncio.sleep(0.05)
        poller.stop()
        await running
    (tally,) = poller.tally.values()
    assert tally.balance == 0
    assert len(seen) == count
    return seen, poller


async def arrived(sqs: Any, url: str, count: int) -> None:
    async with asyncio.timeout(30):
        while (await counts(sqs, url))[0] < count:
            await asyncio.sleep(0.05)


async def test_an_unwrapped_notification_is_what_raw_delivery_sends(
    sqs: Any, new_queue: NewQueue, clients: Any
) -> None:
    """Catches: any difference to SNS's own raw delivery: text, attributes, digests. The server made both."""
    sns = await clients("sns")
    topic = (await sns.create_topic(Name=f"t-{secrets.token_hex(4)}"))["TopicArn"]
    wrapped, raw = await new_queue(Policy=OPEN), await new_queue(Policy=OPEN)
    for url, as_raw in ((wrapped, "false"), (raw, "true")):
        await sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=await queue_arn(sqs, url),
            Attributes={"RawMessageDelivery": as_raw},
        )
    sent = await sns.publish(TopicArn=topic, Message='{"é":  1.10}', Subject="An order", MessageAttributes=ATTRIBUTES)
    ((from_wrapped,), _), ((from_raw,), _) = [await handled(url, 1, unwrap=["sns"]) for url in (wrapped, raw)]
    (envelope,) = from_wrapped.pop("envelopes")
    assert {key: envelope[key] for key in ("type", "TopicArn", "MessageId", "Subject")} == {
        "type": "sns",
        "TopicArn": topic,
        "MessageId": sent["MessageId"],
        "Subject": "An order",
    }
    assert from_wrapped["body"] == '{"é":  1.10}'
    assert from_wrapped["messageAttributes"]["tags"]["dataType"] == "String.Array"
    assert from_wrapped.keys() == from_raw.keys()
    assert {name: from_wrapped[name] for name in SAME} == {name: from_raw[name] for name in SAME}


async def test_a_blob_is_what_sqs_itself_carries(sqs: Any, new_queue: NewQueue) -> None:
    """The notification is written by hand: ministack 1.5.33 leaves binary values out of its own."""
    url = await new_queue()
    blob = {"blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}
    notification = {
        "Type": "Notification",
        "MessageId": "of SNS",
        "TopicArn": "arn:t",
        "Message": "x",
        "MessageAttributes": {"blob": {"Type": "Binary", "Value": "AP8="}},
    }
    await send_all(sqs, url, ["x"], MessageAttributes=blob)
    await send_all(sqs, url, [json.dumps(notification)])
    records, _ = await handled(url, 2, unwrap=["sns"])
    one, other = ({name: record[name] for name in SAME} for record in records)
    assert one == other
    assert one["messageAttributes"]["blob"]["binaryValue"] == "AP8="


async def test_off_by_default(sqs: Any, new_queue: NewQueue, clients: Any) -> None:
    sns = await clients("sns")
    topic = (await sns.create_topic(Name=f"t-{secrets.token_hex(4)}"))["TopicArn"]
    url = await new_queue(Policy=OPEN)
    await sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=await queue_arn(sqs, url))
    await sns.publish(TopicArn=topic, Message="x", MessageAttributes=ATTRIBUTES)
    (record,), _ = await handled(url, 1)
    assert json.loads(record["body"])["Type"] == "Notification"
    assert record["messageAttributes"] == {}
    assert "envelopes" not in record


@pytest.mark.parametrize("through_sns", [False, True])
async def test_keys_of_a_bucket_are_decoded_and_its_test_event_is_settled(
    sqs: Any, new_queue: NewQueue, clients: Any, through_sns: bool
) -> None:
    """Catches: the test event handed over, or left in the queue; a key that GetObject does not know."""
    s3 = await clients("s3")
    bucket = f"b-{secrets.token_hex(6)}"
    url = await new_queue(Policy=OPEN)
    arn = await queue_arn(sqs, url)
    await s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    if through_sns:
        sns = await clients("sns")
        topic = (await sns.create_topic(Name=f"t-{secrets.token_hex(4)}"))["TopicArn"]
        await sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        told = {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]}
    else:
        told = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    await s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=told)
    keys = ["in/a b+c%.txt", "café/日🐟", 'quote"s']
    for key in keys:
        await s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    await arrived(sqs, url, 4)
    with structlog.testing.capture_logs() as lines:
        records, poller = await handled(url, 3, unwrap=["sns", "s3"])
    (line,) = [line for line in lines if line["event"] == "message.test_event"]
    assert line["bucket"] == bucket
    (tally,) = poller.tally.values()
    assert (tally.filtered_out, tally.succeeded, tally.deleted) == (1, 3, 4)
    assert await counts(sqs, url) == (0, 0, 0)
    things = [json.loads(record["body"])["Records"][0]["s3"]["object"] for record in records]
    assert sorted(thing["key"] for thing in things) == sorted(keys)
    for thing in things:
        found = await s3.get_object(Bucket=bucket, Key=thing["key"])
        assert (await found["Body"].read()).decode() == thing["key"]
        assert thing["urlEncodedKey"].isascii()
    assert ["envelopes" in record for record in records] == [through_sns] * 3


@pytest.mark.parametrize("through_sns", [False, True])
async def test_an_event_of_a_rule_is_its_detail(sqs: Any, new_queue: NewQueue, clients: Any, through_sns: bool) -> None:
    events = await clients("events")
    url = await new_queue(Policy=OPEN)
    target = await queue_arn(sqs, url)
    if through_sns:
        sns = await clients("sns")
        topic = (await sns.create_topic(Name=f"t-{secrets.token_hex(4)}"))["TopicArn"]
        await sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=target)
        target = topic
    await events.put_rule(Name="orders", EventPattern='{"source": ["shop"]}')
    await events.put_targets(Rule="orders", Targets=[{"Id": "q", "Arn": target}])
    entry = {
        "Source": "shop",
        "DetailType": "Order placed",
        "Detail": '{"n": 12345678901234567890}',
        "Resources": ["arn:x"],
    }
    await events.put_events(Entries=[entry])
    (record,), _ = await handled(url, 1, unwrap=["eventbridge", "sns"])
    assert record["body"] == '{"n": 12345678901234567890}'
    *outer, envelope = record["envelopes"]
    assert [one["type"] for one in outer] == (["sns"] if through_sns else [])
    assert {key: envelope[key] for key in ("type", "detail-type", "source", "resources")} == {
        "type": "eventbridge",
        "detail-type": "Order placed",
        "source": "shop",
        "resources": ["arn:x"],
    }


async def test_answers_name_messages_as_ever(sqs: Any, new_queue: NewQueue) -> None:
    """Catches: the id of an envelope shown for the message's, or a failed message that does not come back whole."""
    url = await new_queue(visibility_timeout=4)
    body = json.dumps({"Type": "Notification", "MessageId": "of SNS", "TopicArn": "arn:t", "Message": "x"})
    (sent,) = await send_all(sqs, url, [body])
    seen: list[dict[str, Any]] = []

    async def handler(event: dict[str, Any], _: Any) -> dict[str, Any]:
        (record,) = event["Records"]
        seen.append(record)
        failed = [{"itemIdentifier": record["messageId"]}] if len(seen) == 1 else []
        return {"batchItemFailures": failed}

    report = ["ReportBatchItemFailures"]
    async with SqsPoller(queue_url=url, handler=handler, unwrap=["sns"], function_response_types=report) as poller:
        running = asyncio.ensure_future(poller.run())
        async with asyncio.timeout(30):
            while len(seen) < 2 or not await poller.idle():
                await asyncio.sleep(0.05)
        poller.stop()
        await running
    assert [record["messageId"] for record in seen] == [sent, sent]
    assert [record["body"] for record in seen] == ["x", "x"]
