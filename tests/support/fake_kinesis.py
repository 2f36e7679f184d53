"""A Kinesis stream in this process, on the test's clock, that holds its readers to AWS's limits."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, ClassVar

from headrace_connectors.aws import AwsError
from support.fake_kinesis_listing import Listing, hash_keys
from support.fake_kinesis_stream import KinesisStream
from support.fake_rates import Calls, Volume
from support.fake_shards import Entry, Shard
from support.fake_streams import ACCOUNT, seal, told, unix, unseal

GET_RECORDS_A_SECOND = 5
"""Calls a second and shard: Kinesis developer guide, Quotas and limits."""

BYTES_A_SECOND = 2 << 20
"""Read from a shard; an answer of 10 MiB stops its readers for 5 seconds: API reference, GetRecords."""

PAGE_RECORDS, PAGE_BYTES = 10_000, 10 << 20
"""The most that GetRecords answers: its API reference."""

ITERATORS_A_SECOND = 5
"""GetShardIterator, a second and shard: its API reference."""

ITERATOR_SECONDS = 300.0
"""How long a shard iterator is good for: API reference, GetShardIterator."""

LISTS_A_SECOND, SUMMARIES_A_SECOND = 1_000, 20
"""ListShards a stream, DescribeStreamSummary an account: their API references."""


class FakeKinesis(KinesisStream):
    """One stream and its service.

    Attributes:
        listing: how ListShards misbehaves; see `Listing`.
        empty_pages: how many of the next GetRecords that could answer records answer none, but a next iterator;
            `empty_chance`: how probably any other does so.
        stretches: how many empty pages lie between where GetShardIterator begins and the first record, as in a shard
            that was quiet for long: only who goes on by the next iterators comes past them.
        ends_with_records: the page with a closed shard's last records is also its end; if False, an empty one follows.
    """

    operations: ClassVar[Mapping[str, str]] = {
        "DescribeStreamSummary": "_describe",
        "GetRecords": "_get_records",
        "GetShardIterator": "_get_shard_iterator",
        "ListShards": "_list_shards",
        "MergeShards": "_merge",
        "PutRecord": "_put_record",
        "PutRecords": "_put_records",
        "SplitShard": "_split",
    }

    def __init__(self, name: str = "clicks", **settings: Any) -> None:
        super().__init__(name, **settings)
        self.listing = Listing()
        self.empty_pages, self.empty_chance = 0, 0.0
        self.stretches = 0
        self.ends_with_records = True
        self._reads: defaultdict[str, Calls] = defaultdict(lambda: Calls(GET_RECORDS_A_SECOND))
        self._read_bytes: defaultdict[str, Volume] = defaultdict(lambda: Volume(BYTES_A_SECOND))
        self._iterators: defaultdict[str, Calls] = defaultdict(lambda: Calls(ITERATORS_A_SECOND))
        self._lists, self._summaries = Calls(LISTS_A_SECOND), Calls(SUMMARIES_A_SECOND)

    def _check_stream(self, params: Mapping[str, Any]) -> None:
        named = params.get("StreamName", self.name) == self.name and params.get("StreamARN", self.arn) == self.arn
        if self.created is None or not named:
            stream = params.get("StreamName") or params.get("StreamARN") or self.name
            raise AwsError("ResourceNotFoundException", f"Stream {stream} under account {ACCOUNT} not found.")

    def _listed(self) -> list[Shard]:
        since = self.clock.wall() - self.retention
        return [shard for shard in self.shards.values() if not shard.outlived(since)]

    def _list_shards(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self._check_stream(params)
        if not self._lists.admit(self.clock.wall()):
            raise AwsError("LimitExceededException", f"Rate exceeded for stream {self.name}.")
        return self.dated(self.listing.answer(params, self._listed(), self.clock.wall()))

    def _describe(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self._check_stream(params)
        if not self._summaries.admit(self.clock.wall()):
            raise AwsError("LimitExceededException", f"Rate exceeded for account {ACCOUNT}.")
        summary = {
            "StreamName": self.name,
            "StreamARN": self.arn,
            "StreamStatus": "ACTIVE",
            "StreamModeDetails": {"StreamMode": "PROVISIONED"},
            "RetentionPeriodHours": int(self.retention / 3600),
            "StreamCreationTimestamp": self.created,
            "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
            "EncryptionType": "NONE",
            "OpenShardCount": len(self.open_shards()),
            "ConsumerCount": 0,
        }
        return self.dated({"StreamDescriptionSummary": summary})

    def _get_shard_iterator(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self._check_stream(params)
        shard = next((s for s in self._listed() if s.name == params["ShardId"]), None)
        if shard is None:
            told = f"Shard {params['ShardId']} in stream {self.name} under account {ACCOUNT} does not exist"
            raise AwsError("ResourceNotFoundException", told)
        if not self._iterators[shard.name].admit(self.clock.wall()):
            raise self._throttled(shard)
        return {"ShardIterator": self._iterator(shard, self._start(shard, params), self.stretches)}

    def _start(self, shard: Shard, params: Mapping[str, Any]) -> int:
        match params["ShardIteratorType"]:
            case "TRIM_HORIZON":
                return shard.trimmed
            case "LATEST":
                return shard.end
            case "AT_TIMESTAMP":
                return shard.at_time(self._past(params["Timestamp"]))
            case "AT_SEQUENCE_NUMBER":
                return shard.at_number(self._its_own(shard, params["StartingSequenceNumber"]))
            case "AFTER_SEQUENCE_NUMBER":
                return shard.after_number(self._its_own(shard, params["StartingSequenceNumber"]))
            case other:
                raise AwsError("InvalidArgumentException", f"ShardIteratorType {other} is none")

    def _past(self, timestamp: object) -> float:
        """Kinesis refuses a time to come, even by its own clock's next millisecond."""
        time = unix(timestamp)
        if time > self.clock.wall():
            told = f"timestampInMillis: {time * 1000:.0f}, currentTimestampInMillis: {self.clock.wall() * 1000:.0f}"
            beyond = "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis."
            raise AwsError("InvalidArgumentException", f"{beyond} {told}")
        return time

    def _its_own(self, shard: Shard, number: object) -> int:
        if not str(number).isdecimal() or not shard.holds(int(str(number))):
            told = f"StartingSequenceNumber {number} used in GetShardIterator on shard {shard.name} in stream"
            raise AwsError("InvalidArgumentException", f"{told} {self.name} is invalid.")
        return int(str(number))

    def _iterator(self, shard: Shard, index: int, stretches: int = 0) -> str:
        born = self.clock.wall()
        return seal({"shard": shard.name, "index": index, "born": born, "stream": self.created, "stretches": stretches})

    def _throttled(self, shard: Shard) -> AwsError:
        told = f"Rate exceeded for shard {shard.name} in stream {self.name} under account {ACCOUNT}."
        return AwsError("ProvisionedThroughputExceededException", told)

    def _get_records(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self._check_stream(params)
        now = self.clock.wall()
        shard, index, stretches = self._resolve(params["ShardIterator"], now)
        limit = int(params.get("Limit", PAGE_RECORDS))
        if not 1 <= limit <= PAGE_RECORDS:
            raise AwsError("InvalidArgumentException", f"Limit {limit} is not within 1 and {PAGE_RECORDS}")
        if self._read_bytes[shard.name].spent(now) or not self._reads[shard.name].admit(now):
            raise self._throttled(shard)
        page = [] if stretches or self._leaves_empty(shard, index) else shard.page(index, limit, PAGE_BYTES)
        self._read_bytes[shard.name].add(now, sum(entry.nbytes for entry in page))
        return self._page(shard, index + len(page), page, now, max(stretches - 1, 0))

    def _resolve(self, token: object, now: float) -> tuple[Shard, int, int]:
        """Where an iterator stands; what was trimmed under it is passed over in silence, as Kinesis does."""
        content = unseal(token)
        if content is None or "index" not in content:
            raise AwsError("InvalidArgumentException", "Invalid ShardIterator.")
        if now >= content["born"] + ITERATOR_SECONDS:
            told = (
                f"Iterator expired. The iterator was created at {content['born']:.0f} while right now it is {now:.0f}"
            )
            raise AwsError("ExpiredIteratorException", told)
        if content["stream"] != self.created:
            raise AwsError("ResourceNotFoundException", f"Shard {content['shard']} does not exist")
        shard = self.shards[content["shard"]]
        return shard, max(content["index"], shard.trimmed), content["stretches"]

    def _leaves_empty(self, shard: Shard, index: int) -> bool:
        if index >= shard.end:
            return False
        if self.empty_pages > 0:
            self.empty_pages -= 1
            return True
        return self.empty_chance > 0 and self.random.random() < self.empty_chance

    def _page(self, shard: Shard, after: int, page: list[Entry], now: float, stretches: int) -> dict[str, Any]:
        rest = shard.page(after, 1, PAGE_BYTES)
        behind = max(int((now - rest[0].at) * 1000), 1) if rest else 0
        answer = {"Records": [entry.body for entry in page], "MillisBehindLatest": behind}
        if shard.closed is None or rest or (page and not self.ends_with_records):
            return {**answer, "NextShardIterator": self._iterator(shard, after, stretches)}
        children = [
            {"ShardId": child.name, "ParentShards": list(child.parents), "HashKeyRange": hash_keys(child)}
            for child in shard.children
        ]
        return {**answer, "NextShardIterator": None, **told(ChildShards=children or None)}

    def _put_record(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self._check_stream(params)
        data = params["Data"] if isinstance(params["Data"], bytes) else base64.b64decode(params["Data"])
        explicit = params.get("ExplicitHashKey")
        shard, number = self.append(params["PartitionKey"], data, None if explicit is None else int(explicit))
        return {"ShardId": shard.name, "SequenceNumber": number}

    def _put_records(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self._check_stream(params)
        return {"FailedRecordCount": 0, "Records": [self._put_record(entry) for entry in params["Records"]]}

    def _split(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self._check_stream(params)
        self.split_shard(params["ShardToSplit"], int(params["NewStartingHashKey"]))
        return {}

    def _merge(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self._check_stream(params)
        self.merge_shards(params["ShardToMerge"], params["AdjacentShardToMerge"])
        return {}
