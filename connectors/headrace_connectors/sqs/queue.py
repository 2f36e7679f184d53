"""The queue as its server describes it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from headrace_connectors.aws import AwsClient, AwsError, AwsSettings

WAITING = "ApproximateNumberOfMessages"
COUNTS = (WAITING, "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What GetQueueAttributes said: times in seconds; no dead-letter queue is `max_receive_count` None."""

    url: str
    arn: str
    visibility_timeout: int
    retention: int
    max_receive_count: int | None
    dead_letter_arn: str | None

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]

    @classmethod
    async def describe(cls, client: AwsClient, url: str) -> Self:
        """Ask the server. Raises AwsError."""
        answer = await client.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])
        attributes: dict[str, str] = answer.get("Attributes", {})
        if "QueueArn" not in attributes:
            raise AwsError("IncompleteAnswer", "GetQueueAttributes did not name the queue's ARN")
        redrive: dict[str, Any] = json.loads(attributes.get("RedrivePolicy") or "{}")
        count = redrive.get("maxReceiveCount")
        return cls(
            url=url,
            arn=attributes["QueueArn"],
            visibility_timeout=int(attributes.get("VisibilityTimeout", 30)),
            retention=int(attributes.get("MessageRetentionPeriod", 345600)),
            max_receive_count=int(count) if count is not None else None,
            dead_letter_arn=redrive.get("deadLetterTargetArn"),
        )


def address(aws: AwsSettings, account: str | None, name: str) -> str:
    """What tells one queue from another, in words for all who read or write it."""
    return f"sqs:{aws.endpoint_url or ''}|{aws.region or ''}|{account or ''}/{name}"


async def count(client: AwsClient, url: str) -> tuple[int, int, int]:
    """How many messages wait, are in flight and are delayed; all three are SQS's approximations."""
    answer = await client.call("GetQueueAttributes", QueueUrl=url, AttributeNames=list(COUNTS))
    attributes = answer.get("Attributes", {})
    if not all(name in attributes for name in COUNTS):
        raise AwsError("IncompleteAnswer", "GetQueueAttributes did not count the queue's messages")
    waiting, out, delayed = (int(attributes[name]) for name in COUNTS)
    return waiting, out, delayed


def checked_url(url: str) -> str:
    """*url*, if it has a queue's form.

    Raises:
        ValueError: it has not.
    """
    if not re.fullmatch(r"https?://[^/\s]+/\S+", url):
        raise ValueError(
            "must be the queue's URL, as GetQueueUrl gives it: https://sqs.REGION.amazonaws.com/ACCOUNT/NAME"
        )
    return url


def name_of(url: str) -> str:
    """The queue's name: the last part of its URL."""
    return urlsplit(url).path.rpartition("/")[2]


def account_of(url: str) -> str:
    """The account, as it stands before the queue's name."""
    return url.rstrip("/").rpartition("/")[0].rpartition("/")[2]


def region_of(url: str) -> str | None:
    """The region that stands in a URL of AWS's own; None for an emulator's."""
    host = (urlsplit(url).hostname or "").split(".")
    if "amazonaws" not in host:
        return None
    return host[1] if host[0] == "sqs" else host[0]
