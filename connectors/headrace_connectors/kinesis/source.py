"""A Kinesis stream as a source: its shards, for core's sharded source to lease."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakValueDictionary

from headrace.errors import Fault
from headrace.log import LOG_TRAITS
from headrace.model import Event, Origin, Position, Record
from headrace.plugins import Connector, Opening, Probe
from headrace.shards import Found, Listing
from headrace_connectors.aws import AwsError
from headrace_connectors.kinesis import event, position
from headrace_connectors.kinesis.calls import KinesisCalls
from headrace_connectors.kinesis.consumer import Consumer, subscribing
from headrace_connectors.kinesis.deaggregation import Deaggregated
from headrace_connectors.kinesis.event import VIEW
from headrace_connectors.kinesis.fanout import Subscription
from headrace_connectors.kinesis.needs import rights
from headrace_connectors.kinesis.options import KinesisOptions, check, warn
from headrace_connectors.kinesis.origin import origin
from headrace_connectors.kinesis.pace import AT_THE_TIP, Pace, Unpaced
from headrace_connectors.kinesis.recall import recall
from headrace_connectors.kinesis.stream import About, Connect, Stream, connecting
from headrace_connectors.streams.options import DEFAULTS, REFUSES
from headrace_connectors.streams.reader import PagedReader, ShardCalls
from headrace_connectors.streams.refusals import Refused

_PACES = "kinesis.paces"


class KinesisShards:
    """A stream whose shards are polled, or pushed to a consumer.

    `polled`: polled all the same, and shown as the consumer's, which has one subscriber a shard. `connect` is for
    tests: how its client is made; `new_pace` is for benchmarks, whose server has no limits.
    """

    beginning: Position = position.TRIM_HORIZON
    rests = True
    seekable = True

    def __init__(
        self,
        opening: Opening,
        connect: Connect | None = None,
        *,
        polled: bool = False,
        new_pace: Callable[[], Pace] = Pace,
    ) -> None:
        self._opening, self._polled, self._new_pace = opening, polled, new_pace
        self._options: KinesisOptions = opening.options
        self._aws = self._options.aws(opening)
        self._stream = Stream(self._options, self._aws, connect or connecting(self._aws), clock=opening.clock)
        self._consumer = (
            Consumer(self._options.consumer, self._stream, connect or subscribing(self._aws))
            if self._options.consumer
            else None
        )

    def at(self, time: float) -> Position:
        return position.at(time)

    def sequence(self, number: str) -> Position | None:
        return position.sequence(number)

    async def list(self) -> Listing:
        if self._consumer and self._polled:  # no subscription will ask who it is
            await self._consumer.known()
        return await self._stream.listing()

    def open(self, shard: str, after: Position, found: Found) -> PagedReader:
        opening, options = self._opening, self._options
        tally = opening.tally(shard)

        def to_records(page: Sequence[dict[str, Any]], about: About | None = None) -> list[Record]:
            about = about or self._about
            return event.records(page, shard=shard, arn=self.arn, region=about.region)

        def lost() -> None:
            tally.lost_to_retention += 1

        pushed = None
        if self._consumer and not self._polled:
            pushed = Subscription(shard, self._stream, self._consumer, clock=opening.clock, log=opening.log)
        calls: ShardCalls = KinesisCalls(
            shard,
            stream=pushed or self._stream,
            pace=Unpaced() if pushed else self._pace(shard),
            to_records=to_records,
            clock=opening.clock,
        )
        if options.deaggregate:
            hash_range = self._stream.hash_range
            calls = Deaggregated(shard, calls, hash_range=hash_range, to_records=to_records, log=opening.log)
        return PagedReader(
            shard,
            after,
            calls,
            beginning=self.beginning,
            found=found,
            on_trimmed=options.on_trimmed,
            pause=0.0 if pushed else AT_THE_TIP,
            lost=lost,
            clock=opening.clock,
            log=opening.log,
            hang_up=pushed.close if pushed else None,
        )

    def _pace(self, shard: str) -> Pace:
        """One a shard, shared by every mapping of the process that reads it, for as long as one does."""
        paces: WeakValueDictionary[object, Pace]
        paces = self._opening.shared.setdefault(_PACES, WeakValueDictionary())
        return paces.setdefault((self._aws.endpoint_url, self._aws.region, self._stream.name, shard), self._new_pace())

    def render(self, records: Sequence[Record]) -> Event:
        return event.render(records, arn=self.arn, region=self._about.region)

    def origin(self, lane: str, records: Sequence[Record]) -> Origin:
        return origin(lane, records, arn=self._about.arn)

    @property
    def _about(self) -> About:
        """Known before the first record is read."""
        if self._stream.about is None:
            raise RuntimeError("records of a stream that was never asked for")
        return self._stream.about

    @property
    def arn(self) -> str:
        """The event's: with enhanced fan-out the consumer's, else the stream's."""
        return (self._consumer and self._consumer.arn) or self._about.arn

    def identify(self, identifier: object) -> str | None:
        """A sequence number, which is a text."""
        return identifier if isinstance(identifier, str) else None

    async def close(self) -> None:
        if self._consumer:
            await self._consumer.close()
        await self._stream.close()


async def probe(opening: Opening) -> Probe:
    """Ask the stream's server once."""
    options: KinesisOptions = opening.options
    aws = options.aws(opening)
    stream = Stream(options, aws, connecting(aws), clock=opening.clock)
    try:
        listing = await stream.listing()
        about = await stream.known()
        arn = await _consumer_arn(options, stream)
    except AwsError as error:
        return Probe(faults=[Fault("source.stream", str(error))])
    except Refused as error:
        return Probe(faults=[Fault("source.consumer", str(error))])
    finally:
        await stream.close()
    return Probe(
        values={
            "source.stream_arn": about.arn,
            **arn,
            "source.retention_period_hours": about.retention_hours,
            "source.open_shards": sum(not shard.closed for shard in listing.shards),
        }
    )


async def _consumer_arn(options: KinesisOptions, stream: Stream) -> dict[str, object]:
    if options.consumer is None:
        return {}
    consumer = Consumer(options.consumer, stream, connecting(options))
    return {"source.consumer_arn": await consumer.known()}


kinesis = Connector(
    type="kinesis",
    summary="Amazon Kinesis Data Streams: at least once, in order per shard; polled, or pushed to a consumer.",
    options=KinesisOptions,
    traits=LOG_TRAITS,
    shards=KinesisShards,
    probe=probe,
    defaults=DEFAULTS,
    refuses=REFUSES,
    check=check,
    warn=warn,
    view=VIEW,
    recall=recall,
    rights=rights,
)
