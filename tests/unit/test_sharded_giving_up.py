"""What shards give up, from the config's word to the destination: confirmed before a position moves in the ledger."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from headrace.destination import CONFIRMED, Message, Payload, Reply, Said
from headrace.plugins import DestinationKind, Destined, Probe, Routing
from headrace.settings import Settings
from headrace.testing import virtual
from support.fleet import Fleet

NAMES = [f"r{number:03}" for number in range(40)]
BAD = "r020"


class Shelf:
    """A destination that keeps what it is sent; while `away`, nothing."""

    name = "shelf"

    def __init__(self) -> None:
        self.away = False
        self.tries = 0
        self.kept: list[dict[str, Any]] = []

    async def send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        self.tries += 1
        if self.away:
            return [Reply(Said.FAILED, "nobody there")] * len(messages)
        self.kept += [json.loads(one.body) for one in messages]
        return [CONFIRMED] * len(messages)

    async def close(self) -> None: ...

    def destined(self, payload: Payload | None = None, **more: Any) -> Routing:
        async def probe(*_: object) -> Probe:
            return Probe()

        kind = DestinationKind(
            type="shelf", summary="", options=Settings, open=lambda *_: self, probe=probe, payload=payload, **more
        )
        return Routing.to(Destined(kind=kind, options=Settings()))


async def boom(names: list[str], _: Any) -> None:
    if BAD in names:
        raise ValueError("boom")


async def positions(fleet: Fleet) -> dict[str, str | None]:
    return {row.shard: row.position for row in (await fleet.graph()).rows}


@virtual
async def test_a_destination_that_is_down_holds_its_shard_over_a_kill_and_no_other() -> None:
    """Rule 9. Mutations: committed before it is confirmed; dropped; the other shards wait; a takeover that skips it."""
    fleet, shelf = Fleet(4), Shelf()
    shelf.away = True
    given: dict[str, Any] = {
        "behave": boom,
        "on_failure": shelf.destined(),
        "batch_size": 1,
        "maximum_retry_attempts": 1,
    }
    fleet.stream.put(NAMES)
    (held,) = [shard for shard in fleet.stream.shards.values() if any(entry[0] == BAD for entry in shard.entries)]
    bad = next(entry[2] for entry in held.entries if entry[0] == BAD)
    last = {shard.name: str(shard.entries[-1][2]) for shard in fleet.stream.shards.values()}
    first = fleet.worker("a", **given).start()
    for worker in (first, fleet.worker("b", **given)):
        if worker is not first:
            await first.kill()
            worker.start()
        await asyncio.sleep(600)
        reached = await positions(fleet)
        assert {name for name, position in reached.items() if position == last[name]} == set(last) - {held.name}
        assert int(reached[held.name] or 0) < bad
        assert worker.mapping.condition.state == "holding"
    assert shelf.tries > 20
    shelf.away = False
    await fleet.until(lambda: len(fleet.done) == len(NAMES) - 1)
    await worker.stop()
    assert await positions(fleet) == last
    (record,) = shelf.kept
    assert record["MemoryBatchInfo"] == {"shardId": held.name, "first": BAD, "last": BAD, "size": 1}
    assert record["requestContext"]["approximateInvokeCount"] == 2


@pytest.mark.parametrize(
    ("written", "kind", "keys"),
    [
        (None, None, []),
        ("metadata", None, []),
        ("full", None, ["responsePayload", "payload"]),
        ("metadata", Payload.TEXT, ["payload"]),
        ("full", Payload.TEXT, ["responsePayload", "payload"]),
    ],
)
@virtual
async def test_the_payload_goes_as_the_mapping_and_the_kind_say(
    written: str | None, kind: Payload | None, keys: list[str]
) -> None:
    """AWS's keys and no other, unless it is to be full; a kind such as S3 has its own word on the payload."""
    fleet, shelf = Fleet(1), Shelf()
    fleet.stream.put(["a", BAD, "z"])
    asked = {"failure_payload": written} if written else {}
    worker = fleet.worker("w", behave=boom, on_failure=shelf.destined(kind), maximum_retry_attempts=0, **asked).start()
    await fleet.until(lambda: shelf.kept)
    await worker.stop()
    (record,) = shelf.kept
    every = [
        "requestContext",
        "responseContext",
        "responsePayload",
        "version",
        "timestamp",
        "MemoryBatchInfo",
        "payload",
        "headrace",
    ]
    more = {"responsePayload", "payload", *([] if written == "full" else ["headrace"])}
    assert list(record) == [key for key in every if key in keys or key not in more]
    if keys:
        event = json.loads(record["payload"]) if kind is Payload.TEXT else record["payload"]
        assert [one["id"] for one in event["Records"]] == ["a", BAD, "z"]


@virtual
async def test_a_kind_may_ask_for_each_record_by_itself_and_have_a_form_of_its_own() -> None:
    """Mutation: what the kind says does not reach the way out."""
    fleet, shelf = Fleet(1), Shelf()
    fleet.stream.put(["a", BAD, "z"])
    to = shelf.destined(singly=True, form=lambda record: {"form": "theirs", **record})
    worker = fleet.worker("w", behave=boom, on_failure=to, maximum_retry_attempts=0).start()
    await fleet.until(lambda: len(shelf.kept) == 3)
    await worker.stop()
    assert [record["MemoryBatchInfo"]["first"] for record in shelf.kept] == ["a", BAD, "z"]
    assert {record["form"] for record in shelf.kept} == {"theirs"}
