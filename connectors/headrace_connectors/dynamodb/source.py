"""A DynamoDB stream as a source: its shards, for core's sharded source to lease."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from weakref import WeakValueDictionary

from headrace.errors import Fault
from headrace.log import LOG_TRAITS
from headrace.model import Event, Origin, Position, Record
from headrace.plugins import Connector, Opening, Probe
from headrace.shards import Found, Listing
from headrace_connectors.aws import AwsError
from headrace_connectors.dynamodb import position
from headrace_connectors.dynamodb.event import VIEW, render
from headrace_connectors.dynamodb.needs import rights
from headrace_connectors.dynamodb.options import DEFAULTS, REFUSES, DynamoDBOptions, check, warn
from headrace_connectors.dynamodb.origin import origin
from headrace_connectors.dynamodb.reader import PAUSE, READERS, DynamoDBCalls, DynamoDBReader
from headrace_connectors.dynamodb.recall import recall
from headrace_connectors.dynamodb.stream import Connect, Stream, connecting
from headrace_connectors.streams.reader import PagedReader

_PLACES = "dynamodb.places"

DISABLED = "the stream is disabled: what it holds is read, and nothing new comes"


class DynamoDBShards:
    """A table's stream. `connect` is for tests: how its clients are made."""

    beginning: Position = position.TRIM_HORIZON
    seekable = True
    rests = False  # a time is found by reading all that is kept, and passing over what is older

    def __init__(self, opening: Opening, connect: Connect | None = None) -> None:
        self._opening = opening
        self._options: DynamoDBOptions = opening.options
        self._aws = self._options.aws(opening)
        self._stream = Stream(self._options, connect or connecting(self._aws), clock=opening.clock)
        self.arn = ""
        self._closed: frozenset[str] = frozenset()

    def at(self, time: float) -> Position:
        return position.since(time)

    def sequence(self, number: str) -> Position | None:
        return position.sequence(number)

    async def list(self) -> Listing:
        listing = await self._stream.listing()
        self.arn = listing.identity
        self._closed = frozenset(shard.name for shard in listing.shards if shard.closed)
        return listing

    def open(self, shard: str, after: Position, found: Found) -> DynamoDBReader:
        opening = self._opening

        def lost() -> None:
            opening.tally(shard).lost_to_retention += 1

        reader = PagedReader(
            shard,
            after,
            DynamoDBCalls(shard, stream=self._stream, closed=shard in self._closed, clock=opening.clock),
            beginning=self.beginning,
            found=found,
            on_trimmed=self._options.on_trimmed,
            pause=PAUSE,
            lost=lost,
            clock=opening.clock,
            log=opening.log,
        )
        return DynamoDBReader(reader, self._places(shard), clock=opening.clock)

    def _places(self, shard: str) -> asyncio.Semaphore:
        """Shared by every mapping of the process that reads the shard, for as long as one does."""
        shared: WeakValueDictionary[object, asyncio.Semaphore]
        shared = self._opening.shared.setdefault(_PLACES, WeakValueDictionary())
        # a stream goes by its table's name: two mappings may write it differently, and shards of two accounts are apart
        key = (self._aws.endpoint_url, self._aws.region, self._aws.role_arn, self._options.table_name, shard)
        return shared.setdefault(key, asyncio.Semaphore(READERS))

    def render(self, records: Sequence[Record]) -> Event:
        return render(records)

    def origin(self, lane: str, records: Sequence[Record]) -> Origin:
        return origin(lane, records)

    def identify(self, identifier: object) -> str | None:
        """A sequence number, which is a text."""
        return identifier if isinstance(identifier, str) else None

    async def close(self) -> None:
        await self._stream.close()


async def probe(opening: Opening) -> Probe:
    """Ask the table's and the stream's servers once."""
    options: DynamoDBOptions = opening.options
    named = "source.stream_arn" if options.stream_arn else "source.table"
    stream = Stream(options, connecting(options.aws(opening)), clock=opening.clock)
    try:
        listing = await stream.listing()
    except AwsError as error:
        return Probe(faults=[Fault(named, str(error))])
    finally:
        await stream.close()
    disabled = stream.about.get("StreamStatus") == "DISABLED"
    return Probe(
        values={
            "source.stream_arn": listing.identity,
            "source.stream_view_type": stream.about.get("StreamViewType"),
            "source.open_shards": sum(not shard.closed for shard in listing.shards),
        },
        warnings=[Fault(named, DISABLED)] if disabled else [],
    )


dynamodb = Connector(
    type="dynamodb",
    summary="DynamoDB Streams: every change of a table's items, at least once, in order per item.",
    options=DynamoDBOptions,
    traits=LOG_TRAITS,
    shards=DynamoDBShards,
    probe=probe,
    defaults=DEFAULTS,
    refuses=REFUSES,
    check=check,
    warn=warn,
    view=VIEW,
    recall=recall,
    rights=rights,
)
