"""The rights that a queue needs: to be polled, to be replayed, and to be read as a place of letters. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.plugins import Opening
from headrace.right import Need, Right
from headrace_connectors.aws import AwsSettings
from headrace_connectors.needs import needed, thing
from headrace_connectors.sqs.options import SqsOptions

WORK = ("ChangeMessageVisibilityBatch", "DeleteMessageBatch", "GetQueueAttributes", "ReceiveMessage")
LETTERS = ("GetQueueAttributes", "GetQueueUrl")
"""What counts the dead letters. Which queue has them, the queue's server knows: one of its account and region."""

READ = ("ChangeMessageVisibilityBatch", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
"""What a replay does at a queue of letters."""


def rights(opening: Opening) -> Iterator[Right]:
    options: SqsOptions = opening.options
    aws = options.aws(opening)
    queue = thing(aws, "sqs", "ReceiveMessage", QueueUrl=options.queue_url)
    yield from needed(aws, "sqs", WORK, queue)
    yield from needed(aws, "sqs", LETTERS, beside(queue), Need.LOOK)
    yield from needed(aws, "sqs", ("SendMessage",), queue, Need.BACK)
    yield from needed(aws, "sqs", ("GetQueueAttributes",), queue, Need.REPLAY)
    yield from to_read(_the_configs(opening, aws.region), beside(queue), named=True)


def _the_configs(opening: Opening, region: str | None) -> AwsSettings:
    """As whom the queue's own dead letters are read: not as who reads the queue, for they lie at an address."""
    section = opening.sections.get("aws")
    return AwsSettings(region=region).over(section if isinstance(section, AwsSettings) else AwsSettings())


def to_read(aws: AwsSettings, queue: str, *, named: bool) -> Iterator[Right]:
    """By a replay; *named*: by an ARN, so that the URL is asked for.

    Where a message does not say which queue it was moved from, those are asked that have it for their dead letters.
    """
    yield from needed(aws, "sqs", ("GetQueueUrl", *READ) if named else READ, queue, Need.REPLAY)
    yield from needed(aws, "sqs", ("ListDeadLetterSourceQueues",), queue, Need.TRACE)
    yield from needed(aws, "sqs", ("GetQueueAttributes",), beside(queue), Need.TRACE)


def beside(queue: str) -> str:
    """All queues of its account and region."""
    return f"{queue.rpartition(':')[0]}:*".removeprefix(":")
