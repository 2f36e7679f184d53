"""Records that SQS cannot take, kept in a real bucket: the message is deleted, or the position moves, only then."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from headrace.claims import claim_in
from headrace_connectors import KinesisPoller, SqsPoller
from headrace_connectors.destinations.s3 import s3
from support.kinesis import PRODUCER, KinesisLocal, kinesis_client, make_stream, put
from support.messages import opening
from support.places import Down, down
from support.queues import counts, drain, queue_arn, send_all
from support.servers import REGION, Ministack
from support.service import until

NewQueue = Callable[..., Awaitable[str]]

LARGE = 1_048_400
"""Bytes of a message that SQS takes, and whose failure record it does not: 1 MiB is 1,048,576."""


@pytest.fixture
def account() -> str:
    """Whose the streams of the Kinesis server are."""
    return PRODUCER["AWS_ACCESS_KEY_ID"]


WITHIN = 60.0
"""Seconds."""

pytestmark = pytest.mark.usefixtures("in_aws")


class Bucket:
    """Its server is down until `up`."""

    def __init__(self, down: Down) -> None:
        self.up, self._place = down.up, down.place
        name = f"failed-{down.place.account}"
        self.block = {"type": "s3", "bucket": name, "prefix": "p/", "endpoint_url": down.server.url}

    async def fetched(self, record: Any) -> Any:
        """What the ticket of *record* stands for, as a replay gets it."""
        assert s3.claims is not None
        claim = claim_in(record)
        assert claim is not None
        options = s3.options(**{key: one for key, one in self.block.items() if key != "type"})
        return json.loads(await s3.claims.fetch(opening(), options, claim))

    async def keys(self) -> list[str]:
        client = await self._place.client("s3")
        listed = await client.list_objects_v2(Bucket=self.block["bucket"])
        return [one["Key"] for one in listed.get("Contents", [])]


@pytest.fixture
async def bucket(account: str, tmp_path: Path) -> AsyncIterator[Bucket]:
    async with down("s3", account, tmp_path) as away:
        yield Bucket(away)


async def records_in(sqs: Any, url: str) -> list[Any]:
    return [json.loads(one["Body"]) for one in await drain(sqs, url)]


async def test_a_queues_message_near_the_limit(*, new_queue: NewQueue, sqs: Any, bucket: Bucket) -> None:
    """Mutations: deleted before it is kept; handled again while the bucket is away; told of before; kept in place of
    the small one."""
    url, failed, tries = await new_queue(visibility_timeout=600), await new_queue(), Counter[int]()
    await send_all(sqs, url, ["x" * LARGE])
    await send_all(sqs, url, ["small"])

    def fail(event: Any, context: Any) -> None:
        tries.update(len(one["body"]) for one in event["Records"])
        raise ValueError("boom")

    told = {"destination": {"type": "sqs", "queue_arn": await queue_arn(sqs, failed)}, "claim_check": bucket.block}
    poller = SqsPoller(
        queue_url=url,
        handler=fail,
        name="m",
        maximum_retry_attempts=0,
        batch_size=1,
        destination_config={"on_failure": told},
    )
    async with poller:
        running = asyncio.ensure_future(poller.run())
        await until(lambda: poller.condition.state == "holding", WITHIN)
        assert "held until the destination takes them: sqs " not in poller.condition.reason
        assert f"s3 {bucket.block['bucket']}: EndpointConnectionError" in poller.condition.reason
        await until(lambda: sum(one.deleted for one in poller.tally.values()) == 1, WITHIN)
        assert sum(await counts(sqs, url)) == 1
        (small,) = await records_in(sqs, failed)
        assert small["payload"]["Records"][0]["body"] == "small"
        await bucket.up()
        await until(lambda: sum(one.deleted for one in poller.tally.values()) == len(tries), WITHIN)
        poller.stop()
        await running
    assert await counts(sqs, url) == (0, 0, 0)
    assert tries == Counter({LARGE: 1, len("small"): 1})
    (ticket,) = await records_in(sqs, failed)
    assert "payload" not in ticket
    assert ticket["requestContext"]["condition"] == "RetryAttemptsExhausted"
    whole = await bucket.fetched(ticket)
    assert whole["payload"]["Records"][0]["body"] == "x" * LARGE
    (key,) = await bucket.keys()
    assert key == ticket["claimCheck"]["key"]
    assert key.startswith("p/claims/m/m/")


@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")  # of the producer
async def test_a_logs_record_above_the_limit(
    *, kinesis_local: KinesisLocal, ministack: Ministack, new_queue: NewQueue, sqs: Any, bucket: Bucket
) -> None:
    """As an event it is a third larger than it was. Mutations: metadata alone; the others of its batch are kept too."""
    await bucket.up()
    failed, data = await new_queue(), ["a", "x" * 900_000, "c"]
    async with kinesis_client(kinesis_local.url) as kinesis:
        stream = await make_stream(kinesis)
        await put(kinesis, stream, data, ["k"] * 3)

    def fail(event: Any, context: Any) -> None:
        raise ValueError("boom")

    to = {"type": "sqs", "queue_arn": await queue_arn(sqs, failed), "endpoint_url": ministack.url}
    poller = KinesisPoller(
        stream=stream,
        handler=fail,
        name="m",
        region=REGION,
        endpoint_url=kinesis_local.url,
        starting_position="TRIM_HORIZON",
        state="memory:",
        batch_size=3,
        maximum_batching_window_in_seconds=2,
        maximum_retry_attempts=0,
        failure_payload="full",
        destination_config={"on_failure": {"destination": to, "claim_check": bucket.block}},
    )
    async with poller:
        running = asyncio.ensure_future(poller.run())
        await until(lambda: sum(one.delivered for one in poller.tally.values()) == len(data), WITHIN)
        poller.stop()
        await running
    told_of = await records_in(sqs, failed)
    (ticket,) = [one for one in told_of if "claimCheck" in one]
    assert sorted(found for one in told_of if one is not ticket for found in shown(one)) == ["a", "c"]
    assert "payload" not in ticket
    assert shown(await bucket.fetched(ticket)) == [data[1]]
    assert len(await bucket.keys()) == 1


def shown(record: Any) -> list[str]:
    return [base64.b64decode(one["kinesis"]["data"]).decode() for one in record["payload"]["Records"]]


async def test_a_claim_of_another_place_is_not_fetched(bucket: Bucket) -> None:
    """A record is no authority over what is read. Mutation: whatever bucket and key it names."""
    for claim in ({"bucket": "other", "key": "p/claims/k"}, {"bucket": bucket.block["bucket"], "key": "p/other/k"}):
        with pytest.raises(ValueError, match="of another place than"):
            await bucket.fetched({"claimCheck": {"type": "s3", **claim}})
