"""DynamoDB Streams end to end, against a real server: events of real changes; a poller goes on where it was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headrace_connectors import DynamoDBStreamsPoller
from headrace_connectors.aws import AwsSettings
from headrace_connectors.dynamodb.source import dynamodb as connector
from headrace_connectors.dynamodb.source import probe
from support.dynamodb import opening_of
from support.servers import REGION, Ministack
from support.tables import make_table

ITEM: dict[str, Any] = {
    "id": {"S": "1"},
    "n": {"N": "12.5"},
    "b": {"B": b"\x00\xff"},
    "bool": {"BOOL": True},
    "null": {"NULL": True},
    "ss": {"SS": ["a"]},
    "ns": {"NS": ["1"]},
    "bs": {"BS": [b"\x01"]},
    "l": {"L": [{"B": b"\xff"}, {"S": "ü"}]},
    "m": {"M": {"deep": {"M": {"b": {"B": b""}}}}},
}
SHOWN: dict[str, Any] = {
    **ITEM,
    "b": {"B": "AP8="},
    "bs": {"BS": ["AQ=="]},
    "l": {"L": [{"B": "/w=="}, {"S": "ü"}]},
    "m": {"M": {"deep": {"M": {"b": {"B": ""}}}}},
}
LATER = {"id": {"S": "1"}, "n": {"N": "2"}}

IMAGES = {
    "KEYS_ONLY": [(None, None)] * 3,
    "NEW_IMAGE": [(SHOWN, None), (LATER, None), (None, None)],
    "OLD_IMAGE": [(None, None), (None, SHOWN), (None, LATER)],
    "NEW_AND_OLD_IMAGES": [(SHOWN, None), (LATER, SHOWN), (None, LATER)],
}


class Handler:
    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    async def __call__(self, event: dict[str, Any], context: object) -> None:
        json.dumps(event)  # a handler may: nothing in it is bytes or a time
        self.records += event["Records"]

    async def until(self, enough: Callable[[list[dict[str, Any]]], bool]) -> None:
        async with asyncio.timeout(30):
            while not enough(self.records):
                await asyncio.sleep(0.05)


@pytest.fixture(autouse=True)
def _credentials(aws_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws_env.items():
        monkeypatch.setenv(name, value)


def poller(ministack: Ministack, handler: Handler, **more: Any) -> DynamoDBStreamsPoller:
    more.setdefault("starting_position", "TRIM_HORIZON")
    return DynamoDBStreamsPoller(
        handler=handler, region=REGION, endpoint_url=ministack.url, state=more.pop("state", "memory:"), **more
    )


async def polled(ministack: Ministack, handler: Handler, count: int, **more: Any) -> None:
    async with poller(ministack, handler, **more) as one:
        running = asyncio.ensure_future(one.run())
        await handler.until(lambda records: len(records) >= count)
        one.stop()
        await running


@pytest.mark.parametrize("view_type", IMAGES)
async def test_events_of_real_changes(ministack: Ministack, dynamodb: Any, view_type: str) -> None:
    """A put, an update and a delete, with values of every type."""
    table, arn = await make_table(dynamodb, view_type=view_type)
    await dynamodb.put_item(TableName=table, Item=ITEM)
    await dynamodb.put_item(TableName=table, Item=LATER)
    await dynamodb.delete_item(TableName=table, Key={"id": {"S": "1"}})
    handler = Handler()
    await polled(ministack, handler, 3, table=table)
    assert [record["eventName"] for record in handler.records] == ["INSERT", "MODIFY", "REMOVE"]
    for record, (new, old) in zip(handler.records, IMAGES[view_type], strict=True):
        change = record["dynamodb"]
        assert (change.get("NewImage"), change.get("OldImage")) == (new, old)
        assert (change["Keys"], change["StreamViewType"]) == ({"id": {"S": "1"}}, view_type)
        assert isinstance(change["ApproximateCreationDateTime"], int | float)
        assert isinstance(change["SizeBytes"], int)
        assert (record["eventVersion"], record["eventSource"]) == ("1.1", "aws:dynamodb")
        assert (record["eventSourceARN"], record["awsRegion"]) == (arn, REGION)
        assert "userIdentity" not in record


async def test_it_goes_on_where_it_was(ministack: Ministack, dynamodb: Any, tmp_path: Path) -> None:
    """Catches: a checkpoint that is not written, or not read; a start that is taken again."""
    table, arn = await make_table(dynamodb)
    state = f"sqlite:{tmp_path / 'state.db'}"
    first, second = Handler(), Handler()
    for name in "ab":
        await dynamodb.put_item(TableName=table, Item={"id": {"S": name}})
    await polled(ministack, first, 2, stream_arn=arn, state=state)
    await dynamodb.put_item(TableName=table, Item={"id": {"S": "c"}})
    await polled(ministack, second, 1, stream_arn=arn, state=state, starting_position="LATEST")
    assert [record["dynamodb"]["Keys"]["id"]["S"] for record in second.records] == ["c"]


async def test_a_filter_takes_what_it_wants(ministack: Ministack, dynamodb: Any) -> None:
    table, _ = await make_table(dynamodb)
    for number in range(3):
        await dynamodb.put_item(TableName=table, Item={"id": {"S": "1"}, "n": {"N": str(number)}})
    await dynamodb.delete_item(TableName=table, Key={"id": {"S": "1"}})
    handler = Handler()
    wanted = {"filters": [{"pattern": {"eventName": ["REMOVE"], "dynamodb": {"OldImage": {"n": {"N": ["2"]}}}}}]}
    await polled(ministack, handler, 1, table=table, filter_criteria=wanted)
    assert [record["eventName"] for record in handler.records] == ["REMOVE"]


async def test_what_a_probe_says(ministack: Ministack, dynamodb: Any) -> None:
    table, arn = await make_table(dynamodb)
    sections = {"aws": AwsSettings(region=REGION, endpoint_url=ministack.url)}
    opening = opening_of({"table": table})
    object.__setattr__(opening, "sections", sections)
    said = await probe(opening)
    assert dict(said.values) == {
        "source.stream_arn": arn,
        "source.stream_view_type": "NEW_AND_OLD_IMAGES",
        "source.open_shards": 1,
    }
    assert not [*said.faults, *said.warnings]
    missing = opening_of({"table": "no-such-table"})
    object.__setattr__(missing, "sections", sections)
    (fault,) = (await connector.probe(missing)).faults
    assert fault.path == "source.table"
    assert "ResourceNotFoundException" in fault.message
