"""The simulation over Kinesis as its connector reads it: what AWS's limits, refusals and listings do to a fleet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace_connectors.aws import AwsError
from support.fake_fleets import KinesisFleet
from support.fake_kinesis import FakeKinesis
from support.fake_streams import Delay, Fault
from support.simulation import Simulation

CODES = (
    "ProvisionedThroughputExceededException",
    "ExpiredIteratorException",
    "InternalFailure",
    "KMSThrottlingException",
)


class SimulatedKinesis(Simulation):
    """Delays, empty pages with a next iterator, throttles, expired iterators, listings that are late or repeat."""

    away = False

    def make_fleet(self, shards: int, **settings: Any) -> KinesisFleet:
        rng = self.rng
        self.fake = fake = FakeKinesis(shards=shards, seed=rng.randrange(2**31))
        fake.listing.page_size, fake.listing.delay = rng.choice([1, 2, 100]), rng.choice([0.0, 3.0])
        fake.listing.repeat_pages = rng.random() < 0.5
        fake.empty_chance, fake.latency = rng.choice([0.0, 0.3]), rng.choice([0.01, 0.2])
        fake.ends_with_records = rng.random() < 0.5
        self.refusals = rng.choice([0.0, 0.1, 0.2])
        fake.faults = self._fault
        fake.age()
        return KinesisFleet(fake, **settings)

    def _fault(self, operation: str, _: Mapping[str, Any]) -> Fault:
        if self.away:
            return AwsError("ServiceUnavailable", "away")
        lists = operation in {"DescribeStreamSummary", "ListShards"}
        if self.rng.random() > self.refusals / (10 if lists else 1):
            return None
        if self.rng.random() < 0.3:
            return Delay(self.rng.uniform(0, 3)) if self.rng.random() < 0.5 else {}
        return AwsError("LimitExceededException" if lists else self.rng.choice(CODES), "by script")

    def put(self, name: str, key: str) -> tuple[str, int]:
        shard, number = self.fake.append(key, name.encode(), None)
        return shard.name, int(number)

    def open_shards(self) -> list[str]:
        return sorted(self.fake.open_shards(), key=lambda name: self.fake.shards[name].low)

    def split(self, shard: str) -> None:
        self.fake.split_shard(shard)

    def merge(self, shard: str, adjacent: str) -> None:
        self.fake.merge_shards(shard, adjacent)

    def parents(self) -> dict[str, tuple[str, ...]]:
        return {name: shard.parents for name, shard in self.fake.shards.items()}

    def set_away(self, away: bool) -> None:
        self.away = away

    def identifier(self, name: str) -> str:
        return str(self.produced[int(name)].sequence)
