"""What each kind of destination takes at most, and who says so: the one place for these figures.

A body above its kind's limit is refused unasked. Where a limit is the receiver's own setting (Kafka's topics, HTTP),
its answer is what counts.
"""

from __future__ import annotations

from typing import Final

from headrace.destination import SUCCESS, Message, Reply, Said
from headrace.plugins import Limit

KIB: Final = 1024
MIB: Final = 1024 * KIB
READ: Final = "2026-11-29"

SQS: Final = Limit(
    message=MIB,
    call=MIB,
    count=10,
    source="SQS API Reference, SendMessageBatch; 1 MiB since August 2025",
    read=READ,
)
SNS: Final = Limit(
    message=256 * KIB,
    call=256 * KIB,
    count=10,
    source="SNS API Reference, PublishBatch",
    read=READ,
)
EVENTBRIDGE: Final = Limit(
    message=MIB,
    call=MIB,
    count=10,
    source="AWS Compute Blog, serverless services now support payloads up to 1 MB, of 2026-01-29, and EventBridge User "
    "Guide, PutEvents",
    read=READ,
)
LAMBDA: Final = Limit(
    message=MIB,
    call=None,
    count=1,
    source="Lambda API Reference, Invoke: 1 MB where it is asynchronous; since October 2025",
    read=READ,
)
S3: Final = Limit(
    message=5 * KIB * MIB,
    call=None,
    count=1,
    source="S3 API Reference, PutObject: 5 GiB in one call",
    read=READ,
)
KAFKA: Final = Limit(
    message=100 * MIB,
    call=100 * MIB,
    count=None,
    source="Kafka, socket.request.max.bytes; what a topic takes (max.message.bytes, mostly 1 MiB) its broker says",
    read=READ,
)
REDIS: Final = Limit(
    message=512 * MIB,
    call=None,
    count=None,
    source="Redis, proto-max-bulk-len: 512 MiB unless it is changed",
    read=READ,
)


def too_large(message: Message, nbytes: int, limit: Limit, taker: str) -> Reply | None:
    """The refusal of *message*, of which *nbytes* would go to *taker*; None where it may go."""
    if limit.message is None or nbytes <= limit.message:
        return None
    what = "record" if message.condition == SUCCESS else "failure record"
    return Reply(Said.REFUSED, f"its {what} takes {nbytes} bytes, and {taker} takes {limit.message}")
