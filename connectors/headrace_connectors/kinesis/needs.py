"""The rights that a Kinesis stream needs, polled or pushed, read again or put back to. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.plugins import Opening
from headrace.right import Need, Right
from headrace_connectors.kinesis.options import KinesisOptions
from headrace_connectors.needs import needed, thing

LISTED = ("DescribeStreamSummary", "ListShards")
POLLED = ("GetRecords", "GetShardIterator")


def rights(opening: Opening) -> Iterator[Right]:
    """What names a consumer is a right to it and not to its stream (Service Authorization Reference)."""
    options: KinesisOptions = opening.options
    aws = options.aws(opening)
    stream = options.arn or thing(aws, "kinesis", "ListShards", StreamName=options.name)
    yield from needed(aws, "kinesis", LISTED, stream)
    yield from needed(aws, "kinesis", (*LISTED, *POLLED), stream, Need.REREAD)  # by polls, whoever is pushed to
    yield from needed(aws, "kinesis", ("PutRecord",), stream, Need.BACK)
    if options.consumer is None:
        yield from needed(aws, "kinesis", POLLED, stream)
    elif options.consumer.startswith("arn:"):
        yield from needed(aws, "kinesis", ("SubscribeToShard",), options.consumer)
    else:
        consumer = thing(aws, "kinesis", "DescribeStreamConsumer", StreamARN=stream, ConsumerName=options.consumer)
        yield from needed(aws, "kinesis", ("DescribeStreamConsumer", "SubscribeToShard"), consumer)
        yield from needed(aws, "kinesis", ("DescribeStreamConsumer",), consumer, Need.REREAD)  # its records show it
