"""What a failure record says of a stream's records: shard, positions, times. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from headrace.model import Record


def batch_info(shard: str, records: Sequence[Record], *, arn: str, iso: Callable[[float], str]) -> dict[str, Any]:
    """The seven fields of `KinesisBatchInfo` and `DDBStreamBatchInfo`, in the order recorded on AWS.

    (lambda-semantics 6.1, 6.2.) *iso* writes a time as this kind of stream does.
    """
    first, last = records[0], records[-1]
    return {
        "shardId": shard,
        "startSequenceNumber": first.token,
        "endSequenceNumber": last.token,
        "approximateArrivalOfFirstRecord": iso(first.at),
        "approximateArrivalOfLastRecord": iso(last.at),
        "batchSize": len(records),
        "streamArn": arn,
    }
