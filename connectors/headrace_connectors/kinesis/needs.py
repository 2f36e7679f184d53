"""The rights that a Kinesis stream needs, polled or pushed. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.plugins import Opening
from headrace.right import Right
from headrace_connectors.kinesis.options import KinesisOptions
from headrace_connectors.needs import needed, thing


def rights(opening: Opening) -> Iterator[Right]:
    """What names a consumer is a right to it and not to its stream (Service Authorization Reference)."""
    options: KinesisOptions = opening.options
    aws = options.aws(opening)
    stream = options.arn or thing(aws, "kinesis", "ListShards", StreamName=options.name)
    yield from needed(aws, "kinesis", ("DescribeStreamSummary", "ListShards"), stream)
    if options.consumer is None:
        yield from needed(aws, "kinesis", ("GetRecords", "GetShardIterator"), stream)
    elif options.consumer.startswith("arn:"):
        yield from needed(aws, "kinesis", ("SubscribeToShard",), options.consumer)
    else:
        consumer = thing(aws, "kinesis", "DescribeStreamConsumer", StreamARN=stream, ConsumerName=options.consumer)
        yield from needed(aws, "kinesis", ("DescribeStreamConsumer", "SubscribeToShard"), consumer)
