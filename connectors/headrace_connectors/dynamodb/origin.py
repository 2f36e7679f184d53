"""What a failure record says of DynamoDB stream records: their shard and their stretch of it, as AWS does. Pure.

Field for field what was recorded on AWS (lambda-semantics 6.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from headrace.model import Origin, Record
from headrace_connectors.streams.origin import batch_info

BLOCK = "DDBStreamBatchInfo"


def origin(shard: str, records: Sequence[Record]) -> Origin:
    """Of *records* together, in the order of their shard."""
    info = batch_info(shard, records, arn=records[0].raw["eventSourceARN"], iso=_seconds)
    return Origin(block=BLOCK, info=info)


def _seconds(time: float) -> str:
    """ISO 8601 in whole seconds, in UTC: `2025-11-25T16:39:58Z`."""
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}"
