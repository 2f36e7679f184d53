"""Records of a Kinesis stream, read again: by polls, for a registered consumer has one subscriber a shard."""

from __future__ import annotations

from dataclasses import replace

from headrace.plugins import Opening
from headrace.replaying.rereading import ShardRereader
from headrace_connectors.kinesis.source import KinesisShards


def reread(opening: Opening) -> ShardRereader:
    options = opening.options.model_copy(update={"consumer": None, "on_trimmed": "fail"})
    return ShardRereader(KinesisShards(replace(opening, options=options)))
