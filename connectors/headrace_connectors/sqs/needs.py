"""The rights that a queue needs. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.plugins import Opening
from headrace.right import Need, Right
from headrace_connectors.needs import needed, thing
from headrace_connectors.sqs.options import SqsOptions

WORK = ("ChangeMessageVisibilityBatch", "DeleteMessageBatch", "GetQueueAttributes", "ReceiveMessage")
LETTERS = ("GetQueueAttributes", "GetQueueUrl")
"""What counts the dead letters. Which queue has them, the queue's server knows: one of its account and region."""


def rights(opening: Opening) -> Iterator[Right]:
    options: SqsOptions = opening.options
    aws = options.aws(opening)
    queue = thing(aws, "sqs", "ReceiveMessage", QueueUrl=options.queue_url)
    yield from needed(aws, "sqs", WORK, queue)
    yield from needed(aws, "sqs", LETTERS, f"{queue.rpartition(':')[0]}:*".removeprefix(":"), Need.LOOK)
