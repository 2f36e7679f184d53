"""Records of a DynamoDB stream, read again."""

from __future__ import annotations

from dataclasses import replace

from headrace.plugins import Opening
from headrace.replaying.rereading import ShardRereader
from headrace_connectors.dynamodb.source import DynamoDBShards


def reread(opening: Opening) -> ShardRereader:
    options = opening.options.model_copy(update={"on_trimmed": "fail"})
    return ShardRereader(DynamoDBShards(replace(opening, options=options)))
