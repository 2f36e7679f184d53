"""Tumbling windows of Kinesis and DynamoDB Streams, read from their fakes, from the first record to the end."""

from __future__ import annotations

import asyncio
from typing import Any

from headrace.testing import virtual
from support.fake_dynamodb import FakeDynamoDB
from support.fake_fleets import DynamoDBFleet, KinesisFleet
from support.fake_kinesis import FakeKinesis

KEYS = [
    "Records",
    "window",
    "state",
    "shardId",
    "eventSourceARN",
    "isFinalInvokeForWindow",
    "isWindowTerminatedEarly",
]


async def events_of(fleet: Any, end: Any) -> list[dict[str, Any]]:
    """What a worker's handler is given, from the first record to the end of the window."""
    events: list[dict[str, Any]] = []

    async def tell(_: Any, names: list[str], event: dict[str, Any]) -> dict[str, Any]:
        events.append(event)
        return {"state": {"count": event["state"].get("count", 0) + len(names)}}

    worker = fleet.worker("a", tell=tell, tumbling_window_in_seconds=60).start()
    await fleet.until(lambda: len(fleet.done) == 3, 60)
    end()
    await fleet.until(lambda: any(event["isFinalInvokeForWindow"] for event in events), 600)
    await worker.stop()
    return events


def check(events: list[dict[str, Any]], shard: str, arn: str) -> None:
    assert all(list(event) == KEYS for event in events)
    assert {(event["shardId"], event["eventSourceARN"]) for event in events} == {(shard, arn)}
    final = events[-1]
    assert (final["Records"], final["state"], final["isFinalInvokeForWindow"]) == ([], {"count": 3}, True)


@virtual
async def test_kinesis() -> None:
    """Mutation: events of a window without the ARN that their records have."""
    fake = FakeKinesis(shards=1)
    for number in range(3):
        fake.put("k", f"k/{number}")
    (shard,) = fake.open_shards()
    events = await events_of(KinesisFleet(fake), lambda: fake.split_shard(shard))
    check(events, shard, events[0]["Records"][0]["eventSourceARN"])


@virtual
async def test_dynamodb() -> None:
    """The end of a quiet shard is by time."""
    fake = FakeDynamoDB(shards=1)
    for number in range(3):
        fake.put_item({"id": {"S": f"k{number}"}, "name": {"S": f"k/{number}"}})
    (shard,) = fake.open_shards()
    events = await events_of(DynamoDBFleet(fake), lambda: None)
    check(events, shard, events[0]["Records"][0]["eventSourceARN"])


@virtual
async def test_a_final_invocation_that_kills_its_process_is_paid_for_by_no_record() -> None:
    """The records before it have their verdict.

    Mutation: a mark of the last of them that stands while the window is handed over: after as many deaths as it may
    fail, that record is given up.
    """
    fake = FakeKinesis(shards=1)
    fleet = KinesisFleet(fake)
    first = [f"k/{number}" for number in range(5)]
    for name in first:
        fake.put("k", name)
    died = asyncio.Event()
    deaths: list[dict[str, Any]] = []

    async def tell(_: Any, names: list[str], event: dict[str, Any]) -> dict[str, Any]:
        seen = [*event["state"].get("seen", []), *names]
        if event["isFinalInvokeForWindow"] and len(deaths) < 6:
            deaths.append(event["state"])
            died.set()
            await asyncio.Event().wait()
        return {"state": {"seen": seen}}

    settings = {"tumbling_window_in_seconds": 60, "maximum_retry_attempts": 1, "tell": tell}
    await asyncio.sleep(60)
    fake.put("k", "k/next")
    worker = fleet.worker("w0", **settings).start()
    for number in range(1, 7):
        await died.wait()
        died.clear()
        await worker.kill()
        worker = fleet.worker(f"w{number}", **settings).start()
    await fleet.until(lambda: "k/next" in fleet.names())
    assert not any(tally.dropped for tally in worker.mapping.tallies.values())
    assert [state["seen"] for state in deaths] == [first] * 6
    await worker.stop()
