"""What a mapping gives up, on a real topic and in a real bucket: what a subscriber, and GetObject, see of it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from headrace.batcher import BatchPolicy
from headrace.destination import Destination, Payload, Said
from headrace.model import Origin
from headrace.outlet import Outlet
from headrace.plugins import DestinationKind
from headrace.policy import FailurePolicy
from headrace.testing import MemoryLog
from headrace.writing import FailureRecords
from headrace_connectors import SqsPoller
from headrace_connectors.aws import AwsSettings
from headrace_connectors.destinations.s3 import s3 as to_s3
from headrace_connectors.destinations.sns import sns as to_sns
from support.engine import Lines, Rig, error
from support.messages import about, message, opening
from support.queues import client_of, counts, drain, queue_arn, send_all
from support.servers import Microburst, Ministack

NewQueue = Callable[..., Awaitable[str]]


pytestmark = pytest.mark.usefixtures("in_aws", "soon_again")


@pytest.fixture
async def s3(ministack: Ministack, account: str) -> AsyncIterator[Any]:
    async with client_of("s3", ministack.url, account) as client:
        await client.create_bucket(
            Bucket=f"failed-{account}", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        yield client


@pytest.fixture
async def sns(ministack: Ministack, account: str) -> AsyncIterator[Any]:
    async with client_of("sns", ministack.url, account) as client:
        yield client


async def subscribed(sns: Any, sqs: Any, new_queue: NewQueue, **attributes: str) -> tuple[str, str]:
    """A new topic's ARN, and the URL of a queue that gets what is published there."""
    fifo = ".fifo" if attributes else ""
    topic = (await sns.create_topic(Name=f"failed{fifo}", Attributes=attributes))["TopicArn"]
    queue = await new_queue(fifo=bool(fifo))
    await sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=await queue_arn(sqs, queue))
    return topic, queue


async def objects(s3: Any, bucket: str) -> dict[str, Any]:
    listed = await s3.list_objects_v2(Bucket=bucket)
    found = {}
    for one in listed.get("Contents", []):
        answer = await s3.get_object(Bucket=bucket, Key=one["Key"])
        found[one["Key"]] = json.loads(await answer["Body"].read())
    return found


@asynccontextmanager
async def opened(kind: DestinationKind, mapping: Any = None, **options: Any) -> AsyncIterator[Destination]:
    destination = kind.open(mapping or opening(), kind.options(**options))
    try:
        yield destination
    finally:
        await destination.close()


def failing(destination: Destination, kind: DestinationKind, names: str, payload: Payload) -> Rig:
    """A log that ends, whose handler fails its one batch; it is not tried again."""

    async def fail(*_: Any) -> Any:
        return error()

    outlet = Outlet(
        destination=destination,
        write=FailureRecords(
            about=about(),
            origin=lambda lane, some: Origin(block="ThingInfo", info={"shardId": lane, "batchSize": len(some)}),
            render=lambda some: {"Records": [one.raw | {"data": "ü" * 100} for one in some]},
            full=payload is Payload.OBJECT,
        ),
        apart=False,
        payload=kind.payload or payload,
        log=Lines(),
    )
    log = MemoryLog(page=100)
    log.put(names)
    log.seal()
    batch = BatchPolicy(size=len(names))
    return Rig(log.lane("shardId-7"), fail, discard=outlet, failure=FailurePolicy(retries=0), batch=batch)


async def give_up(destination: Destination, kind: DestinationKind, names: str, payload: Payload) -> Rig:
    """The same, until it is given up."""
    rig = failing(destination, kind, names, payload)
    async with asyncio.timeout(60), rig.running() as running:
        await running
    return rig


async def poll(url: str, destination: object) -> None:
    """Give up all that is in the queue."""

    def fail(event: Any, context: Any) -> None:
        raise ValueError("boom")

    to = {"on_failure": {"destination": destination}}
    arguments: dict[str, Any] = {"maximum_retry_attempts": 0, "destination_config": to, "batch_size": 10}
    async with asyncio.timeout(60), SqsPoller(queue_url=url, handler=fail, name="orders", **arguments) as poller:
        running = asyncio.ensure_future(poller.run())
        while not await poller.idle():
            await asyncio.sleep(0.1)
        poller.stop()
        await running


async def test_a_logs_record_is_an_object_under_lambdas_key(s3: Any, account: str) -> None:
    """The payload is there whatever `failure_payload` says, as JSON text (6.3). Mutations: an object; left out."""
    async with opened(to_s3, bucket=f"failed-{account}") as destination:
        rig = await give_up(destination, to_s3, "abc", Payload.OMITTED)
    ((key, record),) = (await objects(s3, f"failed-{account}")).items()
    day = record["timestamp"][:10]
    at = record["timestamp"][:19].replace(":", ".")
    assert re.fullmatch(rf"aws/lambda/{opening().uuid}/shardId-7/{day.replace('-', '/')}/{at}-[0-9a-f-]{{36}}", key)
    assert list(record) == ["requestContext", "responseContext", "version", "timestamp", "ThingInfo", "payload"]
    assert [one["id"] for one in json.loads(record["payload"])["Records"]] == ["a", "b", "c"]
    assert (rig.tally.delivered, rig.lane.held.records) == (3, 0)


async def test_what_is_put_again_is_one_object(s3: Any, account: str) -> None:
    """A lost answer, as its sender sees it. Mutation: a random key."""
    async with opened(to_s3, bucket=f"failed-{account}", prefix="dead/") as destination:
        for _ in range(2):
            (reply,) = await destination.send([message("m", b"{}")])
            assert reply.said is Said.CONFIRMED
    (key,) = await objects(s3, f"failed-{account}")
    assert key.startswith("dead/aws/lambda/")


async def test_a_queues_messages_go_to_a_bucket_by_its_arn(
    new_queue: NewQueue, sqs: Any, s3: Any, account: str
) -> None:
    url = await new_queue(visibility_timeout=600)
    names = await send_all(sqs, url, [f"body {number}" for number in range(12)])
    await poll(url, f"arn:aws:s3:::failed-{account}")
    records = (await objects(s3, f"failed-{account}")).values()
    events = [json.loads(record["payload"])["Records"] for record in records]
    assert sorted(event["messageId"] for (event,) in events) == sorted(names)
    assert {record["responsePayload"]["errorType"] for record in records} == {"ValueError"}
    assert await counts(sqs, url) == (0, 0, 0)


async def test_a_bucket_may_stand_behind_an_endpoint_that_has_one_name(ministack: Ministack) -> None:
    """botocore sees to it. Mutation: addressing_style virtual: BUCKET.localhost, which many machines cannot resolve."""
    endpoint = ministack.url.replace("127.0.0.1", "localhost")
    asked: list[str] = []
    async with opened(to_s3, bucket="nobodys", endpoint_url=endpoint) as destination:
        client = await destination._connection.get()
        client._client.meta.events.register("before-send.s3", lambda request, **_: asked.append(request.url))
        (reply,) = await destination.send([message("m", b"{}")])
    assert reply.said is Said.FAILED
    assert "NoSuchBucket" in reply.reason
    assert asked[0].startswith(f"{endpoint}/nobodys/aws/lambda/")


async def test_a_subscriber_sees_the_record_as_the_message(new_queue: NewQueue, sqs: Any, sns: Any) -> None:
    """6.1: it is the notification's `Message`. Metadata alone for a log, as on AWS."""
    topic, queue = await subscribed(sns, sqs, new_queue)
    async with opened(to_sns, topic_arn=topic) as destination:
        await give_up(destination, to_sns, "abc", Payload.OMITTED)
    (notification,) = [json.loads(one["Body"]) for one in await drain(sqs, queue)]
    assert notification["TopicArn"] == topic
    record = json.loads(notification["Message"])
    assert list(record) == ["requestContext", "responseContext", "version", "timestamp", "ThingInfo"]
    assert record["ThingInfo"] == {"shardId": "shardId-7", "batchSize": 3}


async def test_a_queues_messages_go_to_a_topic_by_its_arn(new_queue: NewQueue, sqs: Any, sns: Any) -> None:
    topic, queue = await subscribed(sns, sqs, new_queue)
    url = await new_queue(visibility_timeout=600)
    names = await send_all(sqs, url, [f"body {number}" for number in range(23)])
    await poll(url, topic)
    records = [json.loads(json.loads(one["Body"])["Message"]) for one in await drain(sqs, queue)]
    assert sorted(record["payload"]["Records"][0]["messageId"] for record in records) == sorted(names)


async def test_a_fifo_topic_keeps_the_group_and_drops_a_repeat(new_queue: NewQueue, sqs: Any, sns: Any) -> None:
    """AWS refuses FIFO topics at run time; ours work as its queues do."""
    topic, queue = await subscribed(sns, sqs, new_queue, FifoTopic="true")
    async with opened(to_sns, topic_arn=topic) as destination:
        for _ in range(2):
            replies = await destination.send([message("a", b'"a"', key="x"), message("b", b'"b"', key="y")])
            assert [one.said for one in replies] == [Said.CONFIRMED] * 2
    found = {json.loads(one["Body"])["Message"]: one["Attributes"] for one in await drain(sqs, queue)}
    assert {body: attributes["MessageGroupId"] for body, attributes in found.items()} == {'"a"': "x", '"b"': "y"}


@pytest.fixture
async def other() -> AsyncIterator[Ministack]:
    """A server of the destination's own."""
    own = await asyncio.to_thread(Ministack().start)
    try:
        yield own
    finally:
        await asyncio.to_thread(own.__exit__)


@pytest.mark.parametrize("kind", [to_sns, to_s3], ids=["sns", "s3"])
async def test_a_server_that_is_away_holds_the_shard(kind: DestinationKind, account: str, other: Ministack) -> None:
    """Sent again until it is there, once. Mutations: dropped; settled unsent; a client that stays broken."""
    topic = f"arn:aws:sns:eu-central-1:{account}:failed"
    options = {"topic_arn": topic} if kind is to_sns else {"bucket": f"failed-{account}"}
    await asyncio.to_thread(other.stop)
    away = opening(sections={"aws": AwsSettings(endpoint_url=other.url)})
    async with opened(kind, away, **options) as destination:
        rig = failing(destination, kind, "abc", Payload.OMITTED)
        async with asyncio.timeout(90), rig.running() as running:
            while not rig.lines.of("destination.unavailable"):
                await asyncio.sleep(0.1)
            assert rig.lane.held.records == 3
            assert rig.work.unsent.condition(0.0).state == "holding"
            await asyncio.to_thread(other.start)
            async with client_of(kind.type, other.url, account) as client:
                if kind is to_sns:
                    await client.create_topic(Name="failed")
                else:
                    place = {"LocationConstraint": "eu-central-1"}
                    await client.create_bucket(Bucket=f"failed-{account}", CreateBucketConfiguration=place)
                await running
                if kind is to_s3:
                    assert len(await objects(client, f"failed-{account}")) == 1
    assert (rig.tally.delivered, rig.tally.dropped, rig.lane.held.records) == (3, 0, 0)


@pytest.mark.parametrize(
    "rule",
    [{"error": {"code": "ServiceUnavailable", "status": 503}}, {"reset": True}],
    ids=["unavailable", "reset"],
)
async def test_faults_of_the_server_are_failures_that_pass(
    s3: Any, sns: Any, account: str, microburst: Microburst, rule: dict[str, Any]
) -> None:
    topic = (await sns.create_topic(Name="failed"))["TopicArn"]
    there = opening(sections={"aws": AwsSettings(endpoint_url=microburst.url)})
    async with (
        opened(to_s3, there, bucket=f"failed-{account}") as bucket,
        opened(to_sns, there, topic_arn=topic) as published,
    ):
        for destination, service in ((bucket, "s3"), (published, "sns")):
            microburst.rules([{"service": service, "probability": 1.0, **rule}])
            (reply,) = await destination.send([message("m", b"{}")])
            assert reply.said is Said.FAILED, (service, reply)
            microburst.clear()
            (reply,) = await destination.send([message("m", b"{}")])
            assert reply.said is Said.CONFIRMED, (service, reply)
    assert len(await objects(s3, f"failed-{account}")) == 1


async def test_check_asks_the_server(sns: Any, sqs: Any, s3: Any, account: str, new_queue: NewQueue) -> None:
    """Mutations: a missing one is found with the first failure; a topic that nobody hears is no warning."""
    heard, _ = await subscribed(sns, sqs, new_queue)
    unheard = (await sns.create_topic(Name="unheard"))["TopicArn"]

    async def probe(kind: DestinationKind, **options: str) -> tuple[list[str], list[str]]:
        found = await kind.probe(opening(), kind.options(**options))
        return [str(one) for one in found.faults], [str(one) for one in found.warnings]

    assert await probe(to_s3, bucket=f"failed-{account}") == ([], [])
    assert await probe(to_s3, bucket="nobodys-bucket") == (
        ["bucket: there is no such bucket; create it, or correct its name"],
        [],
    )
    assert await probe(to_sns, topic_arn=heard) == ([], [])
    faults, warnings = await probe(to_sns, topic_arn=unheard)
    assert (faults, "has no subscription" in warnings[0]) == ([], True)
    (fault,), _ = await probe(to_sns, topic_arn=f"{heard}-none")
    assert fault.startswith("topic_arn: NotFound")
