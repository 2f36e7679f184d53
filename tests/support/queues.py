"""What tests do with SQS queues, through an aiobotocore client: our own code is not checked by itself."""

from __future__ import annotations

import contextlib
import functools
import json
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from support.servers import REGION

_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


@functools.cache
def _session() -> Any:
    """One for all clients: it reads a service's model, for a tenth of a second, once. What profile a test is of is
    nothing to it.
    """
    return AioSession({"profile": (None, None, None, None)})


@contextlib.asynccontextmanager
async def sqs_client(url: str, account: str, **config: Any) -> AsyncIterator[Any]:
    """An aiobotocore client for SQS at `url`. `config`: of botocore.config.Config."""
    async with client_of("sqs", url, account, **config) as client:
        yield client


@contextlib.asynccontextmanager
async def client_of(service: str, url: str, account: str, **config: Any) -> AsyncIterator[Any]:
    """The same for any service of the server."""
    async with _session().create_client(
        service,
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=account,
        aws_secret_access_key="secret",
        config=AioConfig(**config),
    ) as client:
        yield client


async def make_queue(
    sqs: Any,
    name: str | None = None,
    *,
    visibility_timeout: int = 30,
    dead_letter: str | None = None,
    max_receive_count: int = 3,
    fifo: bool = False,
    **attributes: str,
) -> str:
    """A new queue's URL. `dead_letter`: the URL of its dead-letter queue. `attributes`: of CreateQueue, as they are."""
    name = name or f"q-{secrets.token_hex(6)}"
    if fifo:
        name = name if name.endswith(".fifo") else f"{name}.fifo"
        attributes.setdefault("FifoQueue", "true")
    attributes.setdefault("VisibilityTimeout", str(visibility_timeout))
    if dead_letter:
        policy = {"deadLetterTargetArn": await queue_arn(sqs, dead_letter), "maxReceiveCount": max_receive_count}
        attributes.setdefault("RedrivePolicy", json.dumps(policy))
    answer = await sqs.create_queue(QueueName=name, Attributes=attributes)
    url: str = answer["QueueUrl"]
    return url


async def queue_arn(sqs: Any, url: str) -> str:
    answer = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn: str = answer["Attributes"]["QueueArn"]
    return arn


async def send_all(
    sqs: Any, url: str, bodies: Iterable[str], groups: Sequence[str] | None = None, **entry: Any
) -> list[str]:
    """Send every body in batches of ten; the message ids, in order. `groups`: of a FIFO queue, one for each body.

    `entry`: keys for each, such as DelaySeconds.
    """
    texts = list(bodies)
    ids: list[str] = []
    for start in range(0, len(texts), 10):
        chunk = texts[start : start + 10]
        entries = [
            {"Id": str(number), "MessageBody": text, **_of_group(groups, start + number), **entry}
            for number, text in enumerate(chunk)
        ]
        answer = await sqs.send_message_batch(QueueUrl=url, Entries=entries)
        if answer.get("Failed"):
            raise RuntimeError(f"not sent: {answer['Failed']}")
        sent = {one["Id"]: one["MessageId"] for one in answer["Successful"]}
        ids += [sent[str(number)] for number in range(len(chunk))]
    return ids


def _of_group(groups: Sequence[str] | None, index: int) -> dict[str, str]:
    return {"MessageGroupId": groups[index], "MessageDeduplicationId": secrets.token_hex(16)} if groups else {}


async def counts(sqs: Any, url: str) -> tuple[int, int, int]:
    """Visible, in flight, delayed."""
    answer = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))
    visible, in_flight, delayed = (int(answer["Attributes"][name]) for name in _COUNTS)
    return visible, in_flight, delayed


async def drain(sqs: Any, url: str) -> list[dict[str, Any]]:
    """Receive and delete until nothing is visible; the messages, with every attribute."""
    taken: list[dict[str, Any]] = []
    while True:
        answer = await sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"]
        )
        messages = answer.get("Messages", [])
        if not messages:
            return taken
        taken += messages
        entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(messages)]
        deleted = await sqs.delete_message_batch(QueueUrl=url, Entries=entries)
        if deleted.get("Failed"):
            raise RuntimeError(f"not deleted: {deleted['Failed']}")
