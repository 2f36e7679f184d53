"""Enhanced fan-out against a real server: the conformance suite, exceptions as events, cuts, aggregates."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from headrace.log import LogLane
from headrace.model import Lane, Record
from headrace.testing import FaultProxy, MemoryCursor, MemoryLog, tended
from headrace.testing.conformance import Fences, LaneConformance
from headrace_connectors import KinesisPoller
from headrace_connectors.kinesis.source import KinesisShards, probe
from support.aggregates import aggregate
from support.kinesis import PRODUCER, kinesis_client, make_stream, put, register
from support.kinesis_reading import at_server, ids, read
from support.servers import REGION, Ministack

SHARD = "shardId-000000000000"


class FanoutHarness:
    """A stream of one shard, and a consumer of its own; the server takes back a subscription that is hung up."""

    promptly, patience, slack = 8.0, 30.0, 0.0

    def __init__(self, url: str, stream: str, consumer: str, client: Any) -> None:
        self._url, self._stream, self._consumer, self._client = url, stream, consumer, client
        self._store = MemoryLog()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Lane]:
        shards = at_server(self._url, self._stream, consumer=self._consumer)
        reader = shards.reader(SHARD, self._store.position or shards.beginning)
        lane = LogLane(SHARD, reader, MemoryCursor(self._store, self._store.seize()), commit_interval=0.1)
        try:
            async with tended(lane):
                yield lane
        finally:
            await shards.close()

    async def put(self, names: Sequence[str], keys: Sequence[str] | None = None) -> None:
        await put(self._client, self._stream, names, keys)

    def name(self, record: Record) -> str:
        return base64.b64decode(record.raw["Data"]).decode()

    async def finish(self) -> None:
        raise NotImplementedError("this server forgets what a shard holds when it is split")

    async def seize(self) -> None:
        self._store.seize()


@pytest.fixture
async def client(ministack: Ministack, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    for name, value in PRODUCER.items():
        monkeypatch.setenv(name, value)
    async with kinesis_client(ministack.url) as client:
        yield client


@pytest.fixture
async def stream(client: Any) -> str:
    return await make_stream(client)


class TestFanoutOnMinistack(LaneConformance, Fences):
    @pytest.fixture
    async def harness(self, ministack: Ministack, client: Any, stream: str) -> FanoutHarness:
        return FanoutHarness(ministack.url, stream, (await register(client, stream))[0], client)


async def test_the_event_is_pushed_and_names_its_consumer(ministack: Ministack, client: Any, stream: str) -> None:
    name, arn = await register(client, stream)
    shards = at_server(ministack.url, stream, consumer=name)
    reader = shards.reader(SHARD)
    reading = asyncio.ensure_future(read(reader, 1))
    await asyncio.sleep(1)
    (number,) = await put(client, stream, ["x"], ["key"])
    records = await reading
    (shown,) = shards.render(records)["Records"]
    assert shown["eventSourceARN"] == arn
    assert shown["eventID"] == f"{SHARD}:{number}"
    assert shown["kinesis"]["partitionKey"] == "key"
    assert shown["kinesis"]["data"] == "eA=="
    assert isinstance(shown["kinesis"]["approximateArrivalTimestamp"], float)
    await reader.close()
    await shards.close()


async def test_an_exception_that_comes_as_an_event_is_understood(
    ministack: Ministack, client: Any, stream: str
) -> None:
    """Catches: an exception frame that is taken for the end of the stream."""
    name, arn = await register(client, stream)
    shards = at_server(ministack.url, stream, consumer=name)
    reader = shards.reader(SHARD)
    reading = asyncio.ensure_future(read(reader, 1))
    await asyncio.sleep(1)
    await client.deregister_stream_consumer(ConsumerARN=arn)
    async with asyncio.timeout(10):
        while "register-stream-consumer" not in reader.condition.reason:
            await asyncio.sleep(0.05)
    assert reader.condition.state == "missing"
    summary = await client.describe_stream_summary(StreamName=stream)
    stream_arn = summary["StreamDescriptionSummary"]["StreamARN"]
    await client.register_stream_consumer(StreamARN=stream_arn, ConsumerName=name)
    numbers = await put(client, stream, ["x"])
    async with asyncio.timeout(60):
        assert ids(await reading) == numbers
    await reader.close()
    await shards.close()


async def test_a_cut_connection_goes_on_behind_what_came(ministack: Ministack, client: Any, stream: str) -> None:
    """Catches: records twice or never after a cut; a reader that ends with its connection."""
    name, _ = await register(client, stream)
    async with FaultProxy("127.0.0.1", ministack.port) as proxy:
        shards: KinesisShards = at_server(f"http://127.0.0.1:{proxy.port}", stream, consumer=name)
        reader = shards.open(SHARD, shards.beginning, lambda _: None)
        first = await put(client, stream, ["a", "b"])
        records = await read(reader, 2)
        proxy.cut()
        second = await put(client, stream, ["c"])
        async with asyncio.timeout(30):
            records += await read(reader, 1)
        assert ids(records) == [*first, *second]
        await reader.close()
        await shards.close()


async def test_aggregates_that_are_pushed_are_taken_apart(ministack: Ministack, client: Any, stream: str) -> None:
    name, _ = await register(client, stream)
    data = aggregate([("a", None, b"one"), ("b", None, b"two")])
    await client.put_record(StreamName=stream, Data=data, PartitionKey="a")
    shards = at_server(ministack.url, stream, consumer=name, deaggregate=True)
    reader = shards.reader(SHARD)
    shown = shards.render(await read(reader, 2))["Records"]
    assert [(one["kinesis"]["partitionKey"], one["kinesis"]["data"]) for one in shown] == [("a", "b25l"), ("b", "dHdv")]
    await reader.close()
    await shards.close()


async def test_what_check_connect_says_of_a_consumer(ministack: Ministack, client: Any, stream: str) -> None:
    name, arn = await register(client, stream)
    found = await probe(at_server(ministack.url, stream, consumer=name)._opening)
    assert (found.faults, found.values["source.consumer_arn"]) == ((), arn)
    (fault,) = (await probe(at_server(ministack.url, stream, consumer="nobody")._opening)).faults
    assert fault.path == "source.consumer"
    assert "--consumer-name nobody" in fault.message


async def test_a_poller_reads_as_its_consumer(ministack: Ministack, client: Any, stream: str) -> None:
    """From the config's own word to the handler. Catches: an option that reaches nobody."""
    name, arn = await register(client, stream)
    numbers = await put(client, stream, ["a", "b"])
    seen: list[dict[str, Any]] = []
    all_seen = asyncio.Event()

    async def handler(event: dict[str, Any], _: object) -> None:
        seen.extend(event["Records"])
        if len(seen) >= len(numbers):
            all_seen.set()

    async with KinesisPoller(
        stream=stream,
        consumer=name,
        handler=handler,
        starting_position="TRIM_HORIZON",
        state="memory:",
        maximum_retry_attempts=1,
        region=REGION,
        endpoint_url=ministack.url,
    ) as poller:
        running = asyncio.ensure_future(poller.run())
        async with asyncio.timeout(30):
            await all_seen.wait()
        poller.stop()
        await running
    assert [one["kinesis"]["sequenceNumber"] for one in seen] == numbers
    assert {one["eventSourceARN"] for one in seen} == {arn}
