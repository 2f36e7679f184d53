"""The queue to which a queue's own redrive policy moves what was received too often."""

from __future__ import annotations

from headrace.plugins import Opening
from headrace_connectors.aws import aws_client
from headrace_connectors.sqs.options import SqsOptions
from headrace_connectors.sqs.queue import Queue


async def dead_letters(opening: Opening) -> str | None:
    """Its ARN, as the server says; None: there is none.

    Raises:
        SourceUnavailable: the server does not say.
    """
    options: SqsOptions = opening.options
    async with aws_client("sqs", options.aws(opening)) as client:
        return (await Queue.describe(client, options.queue_url)).dead_letter_arn
