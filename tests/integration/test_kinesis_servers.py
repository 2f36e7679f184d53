"""What our tests rely on in Kinesis servers that we did not write, and where these differ from AWS."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.kinesis import KinesisServer, kinesis_client, make_stream, put, shards, split

FIRST = "shardId-000000000000"


@pytest.fixture(params=["kinesis_local", "roto"])
def server(request: pytest.FixtureRequest) -> KinesisServer:
    return request.getfixturevalue(request.param)


async def pages(client: Any, stream: str, kind: str, count: int, **start: Any) -> list[dict[str, Any]]:
    """At most so many answers of GetRecords, to the shard's end."""
    asked = await client.get_shard_iterator(StreamName=stream, ShardId=FIRST, ShardIteratorType=kind, **start)
    answers, following = [], asked["ShardIterator"]
    while following and len(answers) < count:
        answers.append(await client.get_records(ShardIterator=following))
        following = answers[-1].get("NextShardIterator")
    return answers


def test_they_listen_on_loopback_alone(server: KinesisServer) -> None:
    """127.0.0.2 is this machine too, and answers for a server that listens on every address."""
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", server.port), timeout=1):
        pass


async def test_a_closed_shard_ends_and_one_of_them_names_its_children(server: KinesisServer) -> None:
    async with kinesis_client(server.url) as client:
        stream = await make_stream(client)
        await put(client, stream, ["a"])
        await split(client, stream, FIRST)
        (answer,) = await pages(client, stream, "TRIM_HORIZON", 3)
        assert (len(answer["Records"]), answer["MillisBehindLatest"]) == (1, 0)
        told = [child["ShardId"] for child in answer.get("ChildShards", [])]
        children = [shard["ShardId"] for shard in await shards(client, stream) if shard.get("ParentShardId")]
        assert told == (children if server.name == "kinesis-local" else [])


async def test_a_record_that_is_not_there_is_refused_by_one_and_passed_over_by_the_other(
    server: KinesisServer,
) -> None:
    """AWS goes on at the trim horizon, as roto does."""
    async with kinesis_client(server.url) as client:
        stream = await make_stream(client)
        (number,) = await put(client, stream, ["a"])
        before = {"StartingSequenceNumber": str(int(number) - 1)}
        if server.name == "kinesis-local":
            with pytest.raises(ClientError, match="ResourceNotFound"):
                await pages(client, stream, "AT_SEQUENCE_NUMBER", 1, **before)
        else:
            (answer,) = await pages(client, stream, "AT_SEQUENCE_NUMBER", 1, **before)
            assert [one["SequenceNumber"] for one in answer["Records"]] == [number]


async def test_after_its_end_a_closed_shard_is_empty_and_only_one_of_them_says_that_it_ended(
    server: KinesisServer,
) -> None:
    """AWS answers empty without a next iterator, as kinesis-local does: AT_TIMESTAMP cannot be tried on roto."""
    async with kinesis_client(server.url) as client:
        stream = await make_stream(client)
        (number,) = await put(client, stream, ["a"])
        (answer,) = await pages(client, stream, "TRIM_HORIZON", 1)
        await split(client, stream, FIRST)
        later = answer["Records"][0]["ApproximateArrivalTimestamp"].timestamp() + 1
        await asyncio.sleep(later + 0.1 - time.time())  # a time to come is refused
        answers = await pages(client, stream, "AT_TIMESTAMP", 3, Timestamp=later)
        assert [one["Records"] for one in answers] == [[]] * len(answers)
        assert len(answers) == (1 if server.name == "kinesis-local" else 3)
        (last,) = await pages(client, stream, "AFTER_SEQUENCE_NUMBER", 3, StartingSequenceNumber=number)
        assert last["Records"] == []
