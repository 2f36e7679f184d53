"""The fake of Kinesis with enhanced fan-out: consumers, and subscriptions that are held to AWS's rules."""

from __future__ import annotations

import asyncio
import base64
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar

from headrace_connectors.aws import AwsError
from support.fake_kinesis import FakeKinesis
from support.fake_kinesis_listing import hash_keys
from support.fake_shards import Shard
from support.fake_streams import Call

LASTS = 300.0
"""Seconds of a subscription; calls of one consumer and shard, a second; how long one that was taken bars the next:
API reference, SubscribeToShard."""

BETWEEN, BARRED = 1.0, 5.0

HEARTBEAT = 5.0
"""Seconds after which an event comes that holds no record. Not documented; AWS's own clients wait 35 s for it."""

PAGE_RECORDS, PAGE_BYTES = 10_000, 2 << 20

Meddle = Callable[[int, dict[str, Any]], object]
"""Is shown each event with its number within its subscription, and may change it; what it returns is done instead:
an error to raise, `None` to let it pass, or CUT for an end without a word."""

CUT = object()


class FakeFanout(FakeKinesis):
    """Consumers are registered by `register`.

    Attributes:
        meddle: see `Meddle`.
        silent: nothing is sent, heartbeats neither.
        sent: events that were taken from the server.
        live: how many subscriptions stand.
    """

    operations: ClassVar[Mapping[str, str]] = {**FakeKinesis.operations, "DescribeStreamConsumer": "_describe_consumer"}

    def __init__(self, name: str = "clicks", **settings: Any) -> None:
        super().__init__(name, **settings)
        self.consumers: dict[str, tuple[str, str]] = {}
        self.meddle: Meddle = lambda _, __: None
        self.silent = False
        self.sent = self.live = 0
        self._called: defaultdict[str, float] = defaultdict(lambda: -BETWEEN)
        self._taken: defaultdict[str, float] = defaultdict(lambda: -BARRED)
        self._owner: dict[str, object] = {}

    def register(self, name: str, status: str = "ACTIVE") -> str:
        arn = f"{self.arn}/consumer/{name}:{len(self.consumers)}"
        self.consumers[name] = (arn, status)
        return arn

    def _describe_consumer(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params["ConsumerName"] not in self.consumers:
            raise AwsError("ResourceNotFoundException", f"Consumer {params['ConsumerName']} is not found.")
        arn, status = self.consumers[params["ConsumerName"]]
        name = params["ConsumerName"]
        return {"ConsumerDescription": {"ConsumerName": name, "ConsumerARN": arn, "ConsumerStatus": status}}

    @asynccontextmanager
    async def stream(self, operation: str, **params: Any) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """As `AwsClient.stream`."""
        call = Call(operation, params, self.clock.wall())
        self.calls.append(call)
        fault = self._fault(call)
        await self._wait(getattr(fault, "seconds", self.latency))
        try:
            if isinstance(fault, AwsError):
                raise fault.with_traceback(None)
            shard, index = self._subscribe(params)
        except AwsError as error:
            call.outcome = error.code
            raise
        call.outcome = "ok"
        self.live += 1
        mine = self._owner[shard.name] = object()
        events = self._events(shard, index, mine)
        try:
            yield events
        finally:
            self.live -= 1
            await events.aclose()

    def _subscribe(self, params: Mapping[str, Any]) -> tuple[Shard, int]:
        self.age()
        now, name = self.clock.boot(), params["ShardId"]
        if params["ConsumerARN"] not in {arn for arn, _ in self.consumers.values()}:
            raise AwsError("ResourceNotFoundException", f"Consumer {params['ConsumerARN']} is not found.")
        shard = next((one for one in self._listed() if one.name == name), None)
        if shard is None:
            raise AwsError("ResourceNotFoundException", f"Shard {name} does not exist")
        if now - self._called[name] < BETWEEN:
            raise AwsError("LimitExceededException", f"Rate exceeded for consumer on {name}")
        self._called[name] = now
        if now - self._taken[name] < BARRED:
            raise AwsError("ResourceInUseException", f"Another active subscription exists for {name}")
        start = params["StartingPosition"]
        asked = {"ShardIteratorType": start["Type"]}
        asked |= {"StartingSequenceNumber": start.get("SequenceNumber"), "Timestamp": start.get("Timestamp")}
        index = self._start(shard, asked)
        self._taken[name] = now
        return shard, index

    async def _events(self, shard: Shard, index: int, mine: object) -> AsyncIterator[dict[str, Any]]:
        began, last, number = self.clock.boot(), -HEARTBEAT, 0
        continuation = shard.entries[index - shard.trimmed - 1].number if index > shard.trimmed else shard.number
        while self.clock.boot() - began < LASTS:
            if self._owner[shard.name] is not mine:
                raise AwsError("ResourceInUseException", "taken over")
            if self.silent:
                await asyncio.sleep(0.2)
                continue
            index = max(index, shard.trimmed)
            page = shard.page(index, PAGE_RECORDS, PAGE_BYTES)
            index += len(page)
            over = shard.closed is not None and index >= shard.end
            if page or over or self.clock.boot() - last >= HEARTBEAT:
                last = self.clock.boot()
                continuation = page[-1].number if page else max(continuation, self.numbers.next())
                event = self._event(shard, page, index, None if over else continuation)
                what = self.meddle(number, event)
                number += 1
                if what is CUT:
                    return
                if isinstance(what, AwsError):
                    raise what
                self.sent += 1
                yield {"SubscribeToShardEvent": event}
                if over:
                    return
            await asyncio.sleep(0.2)

    def _event(self, shard: Shard, page: list[Any], index: int, continuation: int | None) -> dict[str, Any]:
        rest = shard.page(index, 1, PAGE_BYTES)
        event = {
            "Records": [self._full(entry.body) for entry in page],
            "MillisBehindLatest": max(int((self.clock.wall() - rest[0].at) * 1000), 1) if rest else 0,
        }
        if continuation is not None:
            return {**event, "ContinuationSequenceNumber": str(continuation)}
        children = [
            {"ShardId": one.name, "ParentShards": list(one.parents), "HashKeyRange": hash_keys(one)}
            for one in shard.children
        ]
        return {**event, "ChildShards": children}

    @staticmethod
    def _full(body: Mapping[str, Any]) -> dict[str, Any]:
        """As botocore gives it."""
        at = datetime.fromtimestamp(body["ApproximateArrivalTimestamp"], UTC)
        return {**body, "Data": base64.b64decode(body["Data"]), "ApproximateArrivalTimestamp": at}
