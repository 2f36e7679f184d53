"""Redaction on a real server: a queue whose messages fail and succeed, told to a file and to a bucket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from headrace_connectors import SqsPoller
from support.planted import NUMBER, ORDER, PATHS, SECRET
from support.queues import client_of, counts
from support.servers import Ministack
from support.traces import exposes

NewQueue = Callable[..., Awaitable[str]]


pytestmark = pytest.mark.usefixtures("in_aws")


@pytest.fixture
async def s3(ministack: Ministack, account: str) -> AsyncIterator[Any]:
    async with client_of("s3", ministack.url, account) as client:
        await client.create_bucket(
            Bucket=f"told-{account}", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        yield client


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Quotes all that it was given."""
    (record,) = event["Records"]
    if "good" not in record["messageAttributes"]:
        raise ValueError(f"cannot charge {SECRET}, {NUMBER}: {json.dumps(event)} {event!r}")
    return {"charged": record["body"]}


async def bodies(s3: Any, bucket: str) -> list[str]:
    listed = await s3.list_objects_v2(Bucket=bucket)
    found = [await s3.get_object(Bucket=bucket, Key=one["Key"]) for one in listed.get("Contents", [])]
    return [(await one["Body"].read()).decode() for one in found]


@pytest.mark.parametrize("redact", [True, False])
async def test_no_secret_in_file_bucket_log_or_condition(
    new_queue: NewQueue, sqs: Any, s3: Any, account: str, tmp_path: Path, *, redact: bool
) -> None:
    """Without redact there is one in each of them, so it is looked for in the right place.

    Mutations: the event of a destination left as it is; the answer of a success; the error; the state while it is held.
    """
    url, failed, done = await new_queue(visibility_timeout=600), tmp_path / "failed.jsonl", tmp_path / "done.jsonl"
    token = {"token": {"DataType": "String", "StringValue": SECRET}}
    good = {"good": {"DataType": "String", "StringValue": "yes"}}
    for body, attributes in (
        (json.dumps(ORDER), token),
        (json.dumps(ORDER, ensure_ascii=False, indent=2), token),
        (f"pay {SECRET} {NUMBER}", token),
        (json.dumps(ORDER), token | good),
    ):
        await sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
    paths = [*(f"body.{one}" for one in PATHS), "messageAttributes.token"]
    to = [{"type": "file", "path": str(failed)}, {"type": "s3", "bucket": f"told-{account}"}]
    conditions = set()
    with capture_logs() as lines:
        async with SqsPoller(
            queue_url=url,
            handler=handler,
            batch_size=1,
            maximum_retry_attempts=1,
            retry_backoff={"initial": 0, "maximum": 0},
            destination_config={
                "on_failure": {"destination": to},
                "on_success": {"destination": {"type": "file", "path": str(done)}},
            },
            **({"redact": paths} if redact else {}),
        ) as poller:
            running = asyncio.ensure_future(poller.run())
            async with asyncio.timeout(60):
                while not await poller.idle():
                    conditions.add(poller.condition.reason)
                    await asyncio.sleep(0.05)
            poller.stop()
            await running
    assert await counts(sqs, url) == (0, 0, 0)
    in_bucket = await bodies(s3, f"told-{account}")
    texts = {"file": failed.read_text(), "done": done.read_text(), "bucket": "\n".join(in_bucket), "log": repr(lines)}
    leaking = {name for name, text in texts.items() if exposes(text, SECRET, str(NUMBER))}
    assert leaking == (set() if redact else set(texts))
    assert not (redact and exposes("\n".join(conditions), SECRET, str(NUMBER)))
    if redact:
        records = [json.loads(line) for line in failed.read_text().splitlines()]
        assert len(records) == len(in_bucket) == 3
        assert all(record["headrace"]["payloadRedacted"] == sorted(paths) for record in records)
        shown = [record["payload"]["Records"][0]["body"] for record in records]
        assert sorted(body == "***" for body in shown) == [False, False, True]
        assert [json.loads(body)["customer"]["name"] for body in shown if body != "***"] == ["Bob"] * 2
