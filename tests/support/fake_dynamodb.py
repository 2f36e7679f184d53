"""DynamoDB Streams in this process, on the test's clock, that hold their readers to AWS's limits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, ClassVar

from headrace_connectors.aws import AwsError
from support.fake_dynamodb_table import RETENTION, Stream, Table
from support.fake_rates import Calls
from support.fake_shards import Shard
from support.fake_streams import following, seal, text, told, unseal

PAGE_RECORDS, PAGE_BYTES = 1_000, 1 << 20
"""The most that GetRecords answers: its API reference (Streams)."""

ITERATOR_SECONDS = 900.0
"""How long a shard iterator is good for: API reference (Streams), GetShardIterator."""

SHARDS_A_PAGE, DESCRIBES_A_SECOND = 100, 10
"""Of DescribeStream: its API reference (Streams)."""

READERS = 2
"""At most so many processes should read a shard at a time: developer guide, Change data capture."""

ACTIVE_SECONDS = 1.5
"""How long after its last call a chain of iterators still counts as a reader here; AWS gives no number."""


class FakeDynamoDB(Table):
    """A table and both its services: DynamoDB's and DynamoDB Streams' operations are of different names.

    Attributes:
        page_size: the most shards on a page of DescribeStream, whatever was asked for.
        list_delay: seconds by which DescribeStream is late with children, and with parents being closed.
        empty_pages: how many of the next GetRecords that could answer records answer none, but a next iterator.
        ends_with_records: the page with a closed shard's last records is also its end; if False, an empty one follows.
        throttled_as: the code of a refusal; both are seen.
    """

    operations: ClassVar[Mapping[str, str]] = {
        "DeleteItem": "_delete_item",
        "DescribeStream": "_describe_stream",
        "DescribeTable": "_describe_table",
        "GetRecords": "_get_records",
        "GetShardIterator": "_get_shard_iterator",
        "PutItem": "_put_item",
    }

    def __init__(self, name: str = "orders", **settings: Any) -> None:
        super().__init__(name, **settings)
        self.page_size, self.list_delay = SHARDS_A_PAGE, 0.0
        self.empty_pages = 0
        self.ends_with_records = True
        self.throttled_as = "LimitExceededException"
        self._describes = Calls(DESCRIBES_A_SECOND)
        self._readers: defaultdict[str, dict[int, float]] = defaultdict(dict)

    def _check_table(self, params: Mapping[str, Any]) -> None:
        if params["TableName"] not in {self.name, self.arn}:
            raise AwsError("ResourceNotFoundException", f"Requested resource not found: Table: {params['TableName']}")

    def _put_item(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self._check_table(params)
        self.put_item(params["Item"])
        return {}

    def _delete_item(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self._check_table(params)
        self.delete_item(params["Key"])
        return {}

    def _describe_table(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self._check_table(params)
        latest = self.latest
        enabled = latest is not None and latest.disabled is None
        table = told(
            TableName=self.name,
            TableArn=self.arn,
            TableStatus="ACTIVE",
            CreationDateTime=self.created,
            KeySchema=self._key_schema(),
            LatestStreamArn=latest and latest.arn,
            LatestStreamLabel=latest and latest.label,
            StreamSpecification={"StreamEnabled": True, "StreamViewType": latest.view_type}
            if latest and enabled
            else None,
        )
        return {"Table": table}

    def _key_schema(self) -> list[dict[str, str]]:
        kinds = ("HASH", "RANGE")
        return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(self.key, kinds, strict=False)]

    def _stream(self, arn: object) -> Stream:
        if arn not in self.streams:
            raise AwsError("ResourceNotFoundException", f"Requested resource not found: Stream: {arn} not found")
        return self.streams[str(arn)]

    def _listed(self, stream: Stream) -> list[Shard]:
        since = self.clock.wall() - RETENTION
        return [shard for shard in stream.shards.values() if not shard.outlived(since)]

    def _describe_stream(self, params: Mapping[str, Any]) -> dict[str, Any]:
        now, stream = self.clock.wall(), self._stream(params["StreamArn"])
        if not self._describes.admit(now):
            raise AwsError("ThrottlingException", "Rate exceeded")
        known = [s for s in self._listed(stream) if not s.parents or now >= s.created + self.list_delay]
        if "ShardFilter" in params:
            known = self._children(known, params["ShardFilter"])
        rest = following(known, params.get("ExclusiveStartShardId"))
        size = min(int(params.get("Limit", SHARDS_A_PAGE)), SHARDS_A_PAGE, self.page_size)
        description = told(
            StreamArn=stream.arn,
            StreamLabel=stream.label,
            StreamStatus="ENABLED" if stream.disabled is None else "DISABLED",
            StreamViewType=stream.view_type,
            CreationRequestDateTime=stream.created,
            TableName=self.name,
            KeySchema=self._key_schema(),
            Shards=[self._described(shard, now) for shard in rest[:size]],
            LastEvaluatedShardId=rest[size - 1].name if len(rest) > size else None,
        )
        return self.dated({"StreamDescription": description})

    @staticmethod
    def _children(shards: list[Shard], shard_filter: Mapping[str, Any]) -> list[Shard]:
        if shard_filter.get("Type") != "CHILD_SHARDS":
            raise AwsError("ValidationException", f"ShardFilter of unknown type {shard_filter.get('Type')}")
        return [shard for shard in shards if shard_filter["ShardId"] in shard.parents]

    def _described(self, shard: Shard, now: float) -> dict[str, Any]:
        closed = shard.closed is not None and now >= shard.closed + self.list_delay
        numbers = told(
            StartingSequenceNumber=str(shard.number), EndingSequenceNumber=text(shard.ending) if closed else None
        )
        parent = shard.parents[0] if shard.parents else None
        return told(ShardId=shard.name, SequenceNumberRange=numbers, ParentShardId=parent)

    def _get_shard_iterator(self, params: Mapping[str, Any]) -> dict[str, Any]:
        stream = self._stream(params["StreamArn"])
        shard = next((s for s in self._listed(stream) if s.name == params["ShardId"]), None)
        if shard is None:
            raise AwsError("ResourceNotFoundException", f"Requested resource not found: Shard: {params['ShardId']}")
        index = self._start(shard, params["ShardIteratorType"], params.get("SequenceNumber"))
        return {"ShardIterator": self._iterator(stream, shard, index, self.random.getrandbits(64))}

    def _start(self, shard: Shard, kind: str, number: object) -> int:
        if kind == "TRIM_HORIZON":
            return shard.trimmed
        if kind == "LATEST":
            return shard.end
        if kind not in {"AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"}:
            raise AwsError("ValidationException", f"ShardIteratorType {kind} is none")
        if not str(number).isdecimal() or not shard.holds(int(str(number))):
            raise AwsError("ValidationException", f"Invalid SequenceNumber {number} for shard {shard.name}")
        if int(str(number)) <= shard.horizon:
            raise self._trimmed()
        place = shard.at_number if kind == "AT_SEQUENCE_NUMBER" else shard.after_number
        return place(int(str(number)))

    @staticmethod
    def _trimmed() -> AwsError:
        """Of a sequence number, or an iterator, older than the trim point: API reference (Streams), GetRecords."""
        return AwsError(
            "TrimmedDataAccessException", "The operation attempted to read past the oldest stream record in a shard."
        )

    def _iterator(self, stream: Stream, shard: Shard, index: int, chain: int) -> str:
        born = self.clock.wall()
        return seal({"stream": stream.arn, "shard": shard.name, "index": index, "born": born, "chain": chain})

    def _get_records(self, params: Mapping[str, Any]) -> dict[str, Any]:
        now, content = self.clock.wall(), unseal(params["ShardIterator"])
        limit = int(params.get("Limit", PAGE_RECORDS))
        if content is None or "chain" not in content:
            raise AwsError("ValidationException", "Invalid ShardIterator")
        if not 1 <= limit <= PAGE_RECORDS:
            raise AwsError("ValidationException", f"Limit {limit} is not within 1 and {PAGE_RECORDS}")
        if now >= content["born"] + ITERATOR_SECONDS:
            raise AwsError("ExpiredIteratorException", "Iterator expired.")
        stream = self._stream(content["stream"])
        shard, index = stream.shards[content["shard"]], int(content["index"])
        self._admit(shard, content["chain"], now)
        if index < shard.trimmed:
            raise self._trimmed()
        empty = self.empty_pages > 0 and index < shard.end
        self.empty_pages -= empty
        page = [] if empty else shard.page(index, limit, PAGE_BYTES)
        after = index + len(page)
        ended = shard.closed is not None and after == shard.end and (not page or self.ends_with_records)
        following_one = None if ended else self._iterator(stream, shard, after, content["chain"])
        return {"Records": [entry.body for entry in page], "NextShardIterator": following_one}

    def _admit(self, shard: Shard, chain: int, now: float) -> None:
        """A chain of iterators is a reader for as long as it calls: the third one at a time is refused."""
        readers = self._readers[shard.name]
        active = {one for one, at in readers.items() if now < at + ACTIVE_SECONDS and one != chain}
        if len(active) >= READERS:
            raise AwsError(self.throttled_as, f"too many readers of shard {shard.name}")
        readers[chain] = now
