"""What a failure record says of Kinesis records: their shard and their stretch of it, as AWS does. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.failure import iso
from headrace.model import Origin, Record
from headrace_connectors.streams.origin import batch_info

BLOCK = "KinesisBatchInfo"


def origin(shard: str, records: Sequence[Record], *, arn: str) -> Origin:
    """Of *records* together, in the order of their shard."""
    return Origin(block=BLOCK, info=batch_info(shard, records, arn=arn, iso=iso))
