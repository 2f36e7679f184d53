"""The table behind the fake of DynamoDB Streams: items that change, streams that are switched on and off, rollover."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from headrace.clock import Clock
from support.fake_shards import Entry, Shard
from support.fake_streams import ACCOUNT, REGION, Fake, Numbers, base64_text, told, trim_before

RETENTION = 24 * 3600.0
"""Seconds that a change is kept, and a disabled stream can be read: developer guide, Change data capture."""

ROLLOVER = 4 * 3600.0
"""Seconds that a shard stays open: about so many are seen; AWS documents no number."""

FIRST_NUMBER = 10**20
"""Sequence numbers have 21 to 40 digits: API reference, StreamRecord."""

IMAGES = {
    "KEYS_ONLY": (),
    "NEW_IMAGE": ("NewImage",),
    "OLD_IMAGE": ("OldImage",),
    "NEW_AND_OLD_IMAGES": ("NewImage", "OldImage"),
}

Item = Mapping[str, Mapping[str, Any]]
"""Attribute names and typed values: `{"id": {"S": "1"}}`."""

TIME_TO_LIVE = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
"""`userIdentity` of a deletion that DynamoDB did itself: API reference, Identity."""


@dataclass(slots=True, kw_only=True, eq=False)
class Stream:
    """One stream of a table, from its being enabled on; `open`: the shards that take changes, one a partition."""

    arn: str
    label: str
    view_type: str
    created: float
    shards: dict[str, Shard] = field(default_factory=dict)
    open: list[Shard] = field(default_factory=list)
    lives: list[float] = field(default_factory=list)
    disabled: float | None = None


class Table(Fake):
    """A table with a stream.

    Attributes:
        partitions: how many shards of a stream are open at a time; items are spread by their key.
        rollover_every: seconds that a shard stays open; the first ones less, so that they do not all end together.
        streams: all that can be read still, by ARN, the latest last.
        numbers: the sequence numbers to come; see `Numbers`.
    """

    def __init__(
        self,
        name: str = "orders",
        *,
        shards: int = 1,
        key: Sequence[str] = ("id",),
        view_type: str = "NEW_AND_OLD_IMAGES",
        rollover_every: float = ROLLOVER,
        clock: Clock | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(clock=clock, seed=seed)
        self.name, self.key, self.partitions = name, tuple(key), shards
        self.rollover_every = rollover_every
        self.arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"
        self.numbers = Numbers(FIRST_NUMBER, self.random)
        self.created = 0.0
        self.streams: dict[str, Stream] = {}
        self.latest: Stream | None = None
        self._items: dict[bytes, Item] = {}
        self._view_type = view_type

    def enable(self, view_type: str | None = None) -> str:
        """Switch the stream on: a new one, with its own ARN."""
        self.age()
        if self.latest and self.latest.disabled is None:
            raise ValueError("the table has an enabled stream")
        return self._enable(view_type or self._view_type).arn

    def disable(self) -> None:
        """Switch the stream off: its shards are closed, and can be read for another day."""
        stream = self._enabled()
        stream.disabled = self.clock.wall()
        for shard in stream.open:
            shard.close(self.numbers.next(), stream.disabled)
        stream.open = []

    def put_item(self, item: Item) -> str | None:
        """Write an item; the sequence number of its change, None when nothing changed."""
        key = self._key(item)
        old = self._items.get(key)
        self._items[key] = item
        if old == item:
            return None
        return self._change("MODIFY" if old else "INSERT", item, item, old, None)

    def delete_item(self, keys: Item, *, expired: bool = False) -> str | None:
        """Delete an item, or have it *expired* by its time to live; None when there is none."""
        old = self._items.pop(self._key(keys), None)
        return self._change("REMOVE", keys, None, old, TIME_TO_LIVE if expired else None) if old else None

    def rollover(self, name: str) -> str:
        """Close a shard now: the name of its child, which goes on."""
        stream = self._enabled()
        return self._roll(stream, [shard.name for shard in stream.open].index(name), self.clock.wall()).name

    def open_shards(self) -> list[str]:
        return [shard.name for shard in self._enabled().open]

    def trim(self, name: str, up_to: str) -> None:
        """Forget a shard's changes up to this sequence number, which is included."""
        shard = next(stream.shards[name] for stream in self.streams.values() if name in stream.shards)
        shard.trim(shard.after_number(int(up_to)))

    def age(self) -> None:
        now = self.clock.wall()
        if not self.created:
            self.created = now
            self._enable(self._view_type)
        for stream in list(self.streams.values()):
            self._roll_over(stream, now)
            trim_before(stream.shards.values(), now - RETENTION)
            if stream.disabled is not None and stream.disabled < now - RETENTION:
                del self.streams[stream.arn]

    def _enabled(self) -> Stream:
        self.age()
        if self.latest is None or self.latest.disabled is not None:
            raise ValueError("the table has no enabled stream")
        return self.latest

    def _enable(self, view_type: str) -> Stream:
        now = self.clock.wall()
        label = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
        stream = Stream(arn=f"{self.arn}/stream/{label}", label=label, view_type=view_type, created=now)
        self._view_type = view_type
        for index in range(self.partitions):
            stream.open.append(self._add_shard(stream, (), now))
            stream.lives.append(self.rollover_every * (index + 1) / self.partitions)
        self.streams[stream.arn] = self.latest = stream
        return stream

    def _add_shard(self, stream: Stream, parents: tuple[str, ...], now: float) -> Shard:
        name = f"shardId-{int(now * 1000):020}-{self.random.getrandbits(32):08x}"
        shard = Shard(name=name, number=self.numbers.next(), created=now, parents=parents)
        stream.shards[name] = shard
        return shard

    def _roll_over(self, stream: Stream, now: float) -> None:
        """Every shard that is due, each at its own time, children's children too."""
        for index in range(len(stream.open)):
            while now >= (due := stream.open[index].created + stream.lives[index]):
                self._roll(stream, index, due)
                stream.lives[index] = self.rollover_every

    def _roll(self, stream: Stream, index: int, at: float) -> Shard:
        parent = stream.open[index]
        parent.close(self.numbers.next(), at)
        child = stream.open[index] = self._add_shard(stream, (parent.name,), at)
        parent.children.append(child)
        return child

    def _key(self, item: Item) -> bytes:
        return orjson.dumps({name: item[name] for name in self.key}, default=base64_text)

    def _change(self, name: str, keys: Item, new: Item | None, old: Item | None, who: Any) -> str | None:
        self.age()
        if self.latest is None or self.latest.disabled is not None:
            return None
        stream, number, now = self.latest, self.numbers.next(), self.clock.wall()
        images = {"NewImage": new, "OldImage": old}
        change = told(
            ApproximateCreationDateTime=float(int(now)),
            Keys={name: keys[name] for name in self.key},
            **{image: images[image] for image in IMAGES[stream.view_type]},
            SequenceNumber=str(number),
            StreamViewType=stream.view_type,
        )
        change["SizeBytes"] = len(orjson.dumps(change, default=base64_text))
        body = told(
            eventID=f"{self.random.getrandbits(128):032x}",
            eventName=name,
            eventVersion="1.1",
            eventSource="aws:dynamodb",
            awsRegion=REGION,
            dynamodb=change,
            userIdentity=who,
        )
        digest = int.from_bytes(hashlib.md5(self._key(keys), usedforsecurity=False).digest(), "big")
        shard = stream.open[digest % len(stream.open)]
        shard.entries.append(Entry(number=number, at=now, nbytes=change["SizeBytes"], body=body))
        return str(number)
