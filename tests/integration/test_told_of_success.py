"""on_success of mappings on real servers: one record an invocation, confirmed before anything is settled."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer, TopicPartition

from headrace.ledger import LedgerOpening
from headrace.poller import Poller
from headrace.sqlite import open_sqlite
from headrace_connectors import DynamoDBStreamsPoller, KafkaPoller, KinesisPoller, SqsPoller
from support.kafka import Cluster
from support.kinesis import PRODUCER, KinesisLocal, kinesis_client, make_stream, put
from support.places import Down, down
from support.queues import counts, send_all
from support.servers import REGION, Ministack
from support.service import until
from support.tables import make_table

NewQueue = Callable[..., Awaitable[str]]


@pytest.fixture
def account() -> str:
    """Whose the streams of the Kinesis server are."""
    return PRODUCER["AWS_ACCESS_KEY_ID"]


WITHIN = 60.0
"""Seconds."""

pytestmark = pytest.mark.usefixtures("in_aws", "soon_again")


class Away:
    """A queue as a destination, whose server is down until `up`."""

    def __init__(self, down: Down) -> None:
        self.up, self.records = down.up, down.place.arrived
        self.block = {"type": "sqs", "queue_arn": down.place.arn, "endpoint_url": down.server.url}


@pytest.fixture
async def away(account: str, tmp_path: Path) -> AsyncIterator[Away]:
    async with down("sqs", account, tmp_path) as server:
        yield Away(server)


async def test_messages_are_deleted_when_both_destinations_have_them(
    *, new_queue: NewQueue, sqs: Any, away: Away, tmp_path: Path
) -> None:
    """Mutations: deleted first; handled again while the destination is away; the failed one told of, too; told to the
    file again with each try."""
    url, tries, lines = await new_queue(visibility_timeout=12), Counter[str](), tmp_path / "lines"
    await send_all(sqs, url, "abcd")

    def handle(event: Any, context: Any) -> Any:
        tries.update(one["body"] for one in event["Records"])
        bad = [one for one in event["Records"] if one["body"] == "c" and tries["c"] == 1]
        return {"batchItemFailures": [{"itemIdentifier": one["messageId"]} for one in bad]}

    told = {"on_success": {"destination": [away.block, {"type": "file", "path": str(lines)}]}}
    poller = SqsPoller(
        queue_url=url,
        handler=handle,
        name="m",
        batch_size=4,
        maximum_batching_window_in_seconds=2,
        function_response_types=["ReportBatchItemFailures"],
        destination_config=told,
    )
    async with poller:
        running = asyncio.ensure_future(poller.run())
        await until(lambda: poller.condition.state == "holding", WITHIN)
        assert "held until the destination takes them: sqs failed" in poller.condition.reason
        await asyncio.sleep(14)  # longer than they are invisible
        assert sum(await counts(sqs, url)) == len("abcd")
        assert {tries[one] for one in "abd"} == {1}
        await away.up()
        await until(lambda: sum(one.deleted for one in poller.tally.values()) == len("abcd"), WITHIN)
        poller.stop()
        await running
    assert await counts(sqs, url) == (0, 0, 0)
    assert tries == Counter(a=1, b=1, c=2, d=1)
    there, here = await away.records(), [json.loads(line) for line in lines.read_text().splitlines()]
    for records in (there, here):
        assert sorted(map(bodies, records)) == ["abd", "c"]
        assert {one["requestContext"]["condition"] for one in records} == {"Success"}


def bodies(record: Any) -> str:
    return "".join(sorted(one["body"] for one in record["requestPayload"]["Records"]))


async def test_a_position_moves_when_the_destination_has_them(
    *, kinesis_local: KinesisLocal, away: Away, tmp_path: Path
) -> None:
    """What comes before the failed one is a record of its own. Mutations: committed first; handled again meanwhile."""
    tries = Counter[str]()

    def handle(event: Any, context: Any) -> Any:
        found = [data(one) for one in event["Records"]]
        tries.update(found)
        bad = [one for one in event["Records"] if data(one) == "c" and tries["c"] == 1]
        return {"batchItemFailures": [{"itemIdentifier": one["kinesis"]["sequenceNumber"]} for one in bad]}

    state = f"sqlite:{tmp_path}/state.db"
    async with kinesis_client(kinesis_local.url) as kinesis:
        stream = await make_stream(kinesis)
        numbers = await put(kinesis, stream, list("abcd"), ["k"] * 4)
    poller = KinesisPoller(
        stream=stream,
        handler=handle,
        name="m",
        region=REGION,
        endpoint_url=kinesis_local.url,
        starting_position="TRIM_HORIZON",
        state=state,
        batch_size=4,
        maximum_batching_window_in_seconds=2,
        retry_backoff={"initial": 0.1, "maximum": 0.1},
        function_response_types=["ReportBatchItemFailures"],
        destination_config={"on_success": {"destination": away.block}},
    )
    async with poller:
        running = asyncio.ensure_future(poller.run())
        await until(lambda: poller.condition.state == "holding", WITHIN)
        await asyncio.sleep(3)  # longer than between two commits
        assert await position(state) == "TRIM_HORIZON"
        assert tries == Counter("abcd")
        await away.up()
        await until(lambda: sum(one.succeeded for one in poller.tally.values()) == len("abcd"), WITHIN)
        poller.stop()
        await running
    assert await position(state) == numbers[-1]
    assert tries == Counter(a=1, b=1, c=2, d=2)
    told = ["".join(map(data, one["requestPayload"]["Records"])) for one in await away.records()]
    assert sorted(told) == ["ab", "cd"]


def data(record: Any) -> str:
    return base64.b64decode(record["kinesis"]["data"]).decode()


async def position(state: str) -> str:
    ledger = await open_sqlite(LedgerOpening(url=state, service="m"))
    (row,) = (await ledger.rows("m")).rows
    await ledger.close()
    return row.position


async def test_a_topics_offset_moves_when_the_destination_has_them(*, apache_kafka: Cluster, away: Away) -> None:
    """Mutation: committed first."""
    topic, group, calls = apache_kafka.topic(), apache_kafka.group(), list[Any]()
    producer = KafkaProducer(bootstrap_servers=apache_kafka.bootstrap_servers)
    producer.send(topic, value=b"a").get(30)
    producer.close()
    poller = KafkaPoller(
        topics=[topic],
        bootstrap_servers=apache_kafka.bootstrap_servers,
        consumer_group_id=group,
        handler=lambda event, _: calls.append(event),
        name="m",
        destination_config={"on_success": {"destination": away.block}},
    )

    def offset() -> int:
        with apache_kafka.admin() as admin:
            (found,) = admin.list_group_offsets({group: [TopicPartition(topic, 0)]})[group].values()
        return max(found.offset, 0)

    async with poller:
        event = await told(poller, away, offset)
    assert await asyncio.to_thread(offset) == 1
    assert calls == [event]
    assert base64.b64decode(event["records"][f"{topic}-0"][0]["value"]) == b"a"


async def test_a_tables_position_moves_when_the_destination_has_them(
    *, dynamodb: Any, ministack: Ministack, away: Away, tmp_path: Path
) -> None:
    """Mutation: committed first."""
    table, _ = await make_table(dynamodb)
    await dynamodb.put_item(TableName=table, Item={"id": {"S": "a"}})
    state, calls = f"sqlite:{tmp_path}/state.db", list[Any]()
    poller = DynamoDBStreamsPoller(
        table=table,
        handler=lambda event, _: calls.append(event),
        name="m",
        region=REGION,
        endpoint_url=ministack.url,
        starting_position="TRIM_HORIZON",
        state=state,
        destination_config={"on_success": {"destination": away.block}},
    )

    def moved() -> int:
        return asyncio.run(position(state)) != "TRIM_HORIZON"

    async with poller:
        event = await told(poller, away, moved)
    assert await position(state) == event["Records"][0]["dynamodb"]["SequenceNumber"]
    assert calls == [event]


async def told(poller: Poller, away: Away, settled: Callable[[], int]) -> Any:
    """The event of the one record that *away* has in the end; nothing is *settled* before."""
    running = asyncio.ensure_future(poller.run())
    await until(lambda: poller.condition.state == "holding", WITHIN)
    await asyncio.sleep(3)  # longer than between two commits
    assert not await asyncio.to_thread(settled)
    await away.up()
    await until(lambda: sum(one.succeeded for one in poller.tally.values()) == 1, WITHIN)
    poller.stop()
    await running
    (record,) = await away.records()
    assert record["requestContext"]["condition"] == "Success"
    return record["requestPayload"]
