"""The rights that a table's stream needs, to be read and to be read again. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.plugins import Opening
from headrace.right import Need, Right
from headrace_connectors.dynamodb.options import DynamoDBOptions
from headrace_connectors.dynamodb.stream import STREAMS, TABLES
from headrace_connectors.needs import needed, thing


def rights(opening: Opening) -> Iterator[Right]:
    """A table's stream has another ARN each time that it is switched on: all of the table's are meant."""
    options: DynamoDBOptions = opening.options
    aws = options.aws(opening)
    table = None if options.stream_arn else thing(aws, TABLES, "DescribeTable", TableName=options.named)
    for need in (Need.RUN, Need.REREAD):
        if table:
            yield from needed(aws, TABLES, ("DescribeTable",), table, need)
        stream = options.stream_arn or f"{table}/stream/*"
        yield from needed(aws, STREAMS, ("DescribeStream", "GetRecords", "GetShardIterator"), stream, need)
