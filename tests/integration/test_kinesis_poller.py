"""`KinesisPoller` and its shards on real servers: every start, splits and merges, LATEST on a quiet stream."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from headrace.model import LaneEnded
from headrace_connectors import KinesisPoller
from support.kinesis import PRODUCER, KinesisLocal, kinesis_client, make_stream, merge, put, shards, split
from support.kinesis_reading import at_server, ids, read
from support.servers import REGION

FIRST = "shardId-000000000000"


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PRODUCER.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def kinesis(kinesis_local: KinesisLocal) -> AsyncIterator[Any]:
    async with kinesis_client(kinesis_local.url) as client:
        yield client


class Handled:
    """A handler, and what it was handed."""

    def __init__(self) -> None:
        self.events: list[dict] = []

    async def __call__(self, event: dict, context: object) -> None:
        self.events.append(event)

    @property
    def records(self) -> list[dict]:
        return [record for event in self.events for record in event["Records"]]

    @property
    def data(self) -> list[str]:
        return [base64.b64decode(record["kinesis"]["data"]).decode() for record in self.records]


async def until(said: Callable[[], bool], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not said():
            await asyncio.sleep(0.05)


def poller(server: KinesisLocal, stream: str, handled: Handled, **arguments: Any) -> KinesisPoller:
    given = {"starting_position": "TRIM_HORIZON", "state": "memory:", **arguments}
    return KinesisPoller(stream=stream, handler=handled, region=REGION, endpoint_url=server.url, **given)


async def test_every_start_on_a_real_server(kinesis_local: KinesisLocal, kinesis: Any) -> None:
    stream = await make_stream(kinesis)
    numbers = await put(kinesis, stream, ["a", "b"])
    await asyncio.sleep(0.3)
    between = time.time()
    await asyncio.sleep(0.3)
    numbers += await put(kinesis, stream, ["c", "d"])
    opened = at_server(kinesis_local.url, stream)
    for position, left in (
        (opened.beginning, numbers),
        (opened.at(between), numbers[2:]),
        (opened.sequence(numbers[1]), numbers[1:]),
        (numbers[1], numbers[2:]),
        (opened.at(0), numbers),
    ):
        assert ids(await read(opened.reader(FIRST, position), len(left))) == left, position
    await opened.close()


async def test_a_position_that_the_server_does_not_know_is_trimmed(kinesis_local: KinesisLocal, kinesis: Any) -> None:
    """kinesis-local refuses such a number. Catches: a refusal that is taken for a stream that is missing."""
    stream = await make_stream(kinesis)
    numbers = await put(kinesis, stream, ["a", "b"])
    opened = at_server(kinesis_local.url, stream, on_trimmed="skip")
    gone = str(int(numbers[0]) - 1)
    assert ids(await read(opened.reader(FIRST, gone), 2)) == numbers
    assert opened.tallies[FIRST].lost_to_retention == 1
    await opened.close()


async def test_a_shard_that_was_split_ends_and_names_its_children(kinesis_local: KinesisLocal, kinesis: Any) -> None:
    stream = await make_stream(kinesis)
    numbers = await put(kinesis, stream, ["a", "b"])
    await split(kinesis, stream, FIRST)
    opened = at_server(kinesis_local.url, stream)
    listing = await opened.list()
    assert [(one.parents, one.closed) for one in listing.shards] == [((), True), ((FIRST,), False), ((FIRST,), False)]
    assert abs(listing.now - time.time()) < 5
    reader = opened.reader(FIRST)
    assert ids(await read(reader, 2)) == numbers
    with pytest.raises(LaneEnded):
        await reader.read(1)
    assert [(one.name, one.parents) for one in opened.found] == [
        (one.name, one.parents) for one in listing.shards if one.parents
    ]
    await opened.close()


async def test_records_come_in_order_per_key_through_splits_and_merges(
    kinesis_local: KinesisLocal, kinesis: Any, tmp_path: Path
) -> None:
    """Catches: a child that is read before its parents are done with; records of a closed shard that are left."""
    stream = await make_stream(kinesis, shards=2)
    handled, keys = Handled(), [f"key-{number}" for number in range(8)]
    sent: list[str] = []

    async def send(count: int) -> None:
        fresh = [f"{key}:{len(sent) + index}" for index in range(count) for key in keys]
        await put(kinesis, stream, fresh, keys * count)
        sent.extend(fresh)

    await send(3)
    await split(kinesis, stream, FIRST)
    await send(3)
    async with poller(kinesis_local, stream, handled, state=f"sqlite:{tmp_path}/state.db", batch_size=7) as polling:
        running = asyncio.create_task(polling.run())
        await send(3)
        left, right = [one["ShardId"] for one in await shards(kinesis, stream) if one.get("ParentShardId")]
        await merge(kinesis, stream, left, right)
        await send(3)
        await until(lambda: len(handled.data) >= len(sent), 60)
        polling.stop()
        await running
    assert sorted(handled.data) == sorted(sent)
    for key in keys:
        assert [one for one in handled.data if one.startswith(f"{key}:")] == [
            one for one in sent if one.startswith(f"{key}:")
        ]
    for record in handled.records:
        assert record["eventSourceARN"].endswith(f":stream/{stream}")
        assert record["eventID"].endswith(record["kinesis"]["sequenceNumber"])


async def test_what_was_checkpointed_does_not_come_again(
    kinesis_local: KinesisLocal, kinesis: Any, tmp_path: Path
) -> None:
    stream = await make_stream(kinesis)
    await put(kinesis, stream, ["a", "b"])
    state = f"sqlite:{tmp_path}/state.db"
    for expected in (["a", "b"], ["c"]):
        handled = Handled()
        async with poller(kinesis_local, stream, handled, state=state) as polling:
            running = asyncio.create_task(polling.run())
            await until(lambda handled=handled, expected=expected: len(handled.data) >= len(expected))
            polling.stop()
            await running
        assert handled.data == expected
        await put(kinesis, stream, ["c"])


async def test_filters_see_the_data_decoded(kinesis_local: KinesisLocal, kinesis: Any) -> None:
    stream = await make_stream(kinesis)
    await put(kinesis, stream, ['{"n": 1}', "plain", '{"n": 2}'])
    handled = Handled()
    wanted = {"filters": [{"pattern": {"data": {"n": [{"numeric": [">", 1]}]}}}]}
    async with poller(kinesis_local, stream, handled, filter_criteria=wanted) as polling:
        running = asyncio.create_task(polling.run())
        await until(lambda: sum(tally.filtered_out for tally in polling.tally.values()) == 2 and bool(handled.data))
        polling.stop()
        await running
    assert handled.data == ['{"n": 2}']


async def test_a_stream_that_is_missing_is_waited_for(kinesis_local: KinesisLocal, kinesis: Any) -> None:
    handled = Handled()
    async with poller(kinesis_local, "not-there", handled) as polling:
        running = asyncio.create_task(polling.run())
        await until(lambda: "ResourceNotFound" in polling.condition.reason)
        assert "create it" in polling.condition.reason
        polling.stop()
        await running
