"""Records of a Kinesis stream, read again: by polls, also beside a registered consumer's subscriber."""

from __future__ import annotations

from dataclasses import replace

from headrace.plugins import Opening
from headrace.replaying.rereading import ShardRereader
from headrace_connectors.kinesis.source import KinesisShards


def reread(opening: Opening) -> ShardRereader:
    options = opening.options.model_copy(update={"on_trimmed": "fail"})
    return ShardRereader(KinesisShards(replace(opening, options=options), polled=True))
