"""The rights that a table's stream needs. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.plugins import Opening
from headrace.right import Right
from headrace_connectors.dynamodb.options import DynamoDBOptions
from headrace_connectors.dynamodb.stream import STREAMS, TABLES
from headrace_connectors.needs import needed, thing


def rights(opening: Opening) -> Iterator[Right]:
    """A table's stream has another ARN each time that it is switched on: all of the table's are meant."""
    options: DynamoDBOptions = opening.options
    aws = options.aws(opening)
    stream = options.stream_arn
    if stream is None:
        table = thing(aws, TABLES, "DescribeTable", TableName=options.named)
        yield from needed(aws, TABLES, ("DescribeTable",), table)
        stream = f"{table}/stream/*"
    yield from needed(aws, STREAMS, ("DescribeStream", "GetRecords", "GetShardIterator"), stream)
