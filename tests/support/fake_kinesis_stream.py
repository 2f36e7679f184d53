"""The stream behind the fake of Kinesis, as its writers see it: put, split, merge, trim, delete and make again."""

from __future__ import annotations

import base64
import hashlib
import itertools

from headrace.clock import Clock
from support.fake_shards import Entry, Shard
from support.fake_streams import ACCOUNT, REGION, Fake, Numbers, trim_before

RETENTION = 24 * 3600.0
"""Seconds that a record is kept, if nothing else was asked for: Kinesis developer guide, Changing the retention."""

HASH_KEYS = 1 << 128
FIRST_NUMBER = 49 * 10**54
"""Sequence numbers have 56 digits, as those that Kinesis gives today."""


class KinesisStream(Fake):
    """One stream. Its writers are not held to any limit.

    Attributes:
        shards: all there ever were since the stream was made, by name; empty before the first call.
        numbers: the sequence numbers to come; see `Numbers`.
    """

    def __init__(
        self,
        name: str = "clicks",
        *,
        shards: int = 1,
        clock: Clock | None = None,
        seed: int = 0,
        retention: float = RETENTION,
    ) -> None:
        super().__init__(clock=clock, seed=seed)
        self.name, self.retention = name, retention
        self.arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"
        self.numbers = Numbers(FIRST_NUMBER, self.random)
        self.shards: dict[str, Shard] = {}
        self.created: float | None = None
        self._first_shards = shards

    def create(self, shards: int) -> None:
        """Make the stream, with as many shards; one of this name that was there is gone with its records."""
        self.created = self._now()
        self.shards = {}
        bounds = [HASH_KEYS * index // shards for index in range(shards + 1)]
        for low, high in itertools.pairwise(bounds):
            self._add_shard((), low, high - 1)

    def delete(self) -> None:
        """From now on there is no such stream, until it is made again."""
        self.age()
        self.created, self.shards = None, {}
        self._first_shards = 0

    def put(self, partition_key: str, data: bytes | str, explicit_hash: int | None = None) -> str:
        """Append a record; its sequence number."""
        return self.append(partition_key, data.encode() if isinstance(data, str) else data, explicit_hash)[1]

    def split_shard(self, name: str, at_hash: int | None = None) -> list[str]:
        """Close a shard, and give its range to two, the second from *at_hash* on (default: half of it): their names."""
        parent = self._open_shard(name)
        middle = at_hash if at_hash is not None else (parent.low + parent.high + 1) // 2
        if not parent.low < middle <= parent.high:
            raise ValueError(f"{middle} does not split {name}: {parent.low} to {parent.high}")
        self._close(parent)
        ranges = ((parent.low, middle - 1), (middle, parent.high))
        return [self._add_shard((parent.name,), low, high).name for low, high in ranges]

    def merge_shards(self, name: str, adjacent: str) -> str:
        """Close two neighbours, and give their ranges to one: its name."""
        low, high = sorted((self._open_shard(name), self._open_shard(adjacent)), key=lambda shard: shard.low)
        if low.high + 1 != high.low:
            raise ValueError(f"{name} and {adjacent} are no neighbours")
        for parent in (low, high):
            self._close(parent)
        return self._add_shard((name, adjacent), low.low, high.high).name

    def trim(self, name: str, up_to: str) -> None:
        """Forget a shard's records up to this sequence number, which is included."""
        self.age()
        self.shards[name].trim(self.shards[name].after_number(int(up_to)))

    def open_shards(self) -> list[str]:
        self.age()
        return [shard.name for shard in self.shards.values() if shard.closed is None]

    def age(self) -> None:
        if self.created is None and self._first_shards:
            self.create(self._first_shards)
        trim_before(self.shards.values(), self.clock.wall() - self.retention)

    def _now(self) -> float:
        """In milliseconds, as Kinesis keeps time."""
        return round(self.clock.wall(), 3)

    def _add_shard(self, parents: tuple[str, ...], low: int, high: int) -> Shard:
        name = f"shardId-{len(self.shards):012}"
        shard = Shard(name=name, number=self.numbers.next(), created=self._now(), parents=parents, low=low, high=high)
        self.shards[name] = shard
        for parent in parents:
            self.shards[parent].children.append(shard)
        return shard

    def _close(self, shard: Shard) -> None:
        shard.close(self.numbers.next(), self._now())

    def _open_shard(self, name: str) -> Shard:
        self.age()
        shard = self.shards[name]
        if shard.closed is not None:
            raise ValueError(f"{name} is closed")
        return shard

    def append(self, key: str, data: bytes, explicit_hash: int | None) -> tuple[Shard, str]:
        """A record to the shard of its key, or of its explicit hash key: that shard, and the sequence number."""
        self.age()
        digest = int.from_bytes(hashlib.md5(key.encode(), usedforsecurity=False).digest(), "big")
        point = digest if explicit_hash is None else explicit_hash
        shard = next(s for s in self.shards.values() if s.closed is None and s.low <= point <= s.high)
        number, now = self.numbers.next(), self._now()
        body = {
            "SequenceNumber": str(number),
            "ApproximateArrivalTimestamp": now,
            "Data": base64.b64encode(data).decode(),
            "PartitionKey": key,
        }
        shard.entries.append(Entry(number=number, at=now, nbytes=len(data) + len(key.encode()), body=body))
        return shard, str(number)
