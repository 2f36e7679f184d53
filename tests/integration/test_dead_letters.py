"""A function's dead letters in a real queue and under a real topic: the bare event, and three attributes beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from support.queues import client_of, drain, queue_arn
from support.servers import Ministack
from support.service import Service

HANDLER = """
def f(event, context):
    raise ValueError("no such order")
"""
NewQueue = Callable[..., Awaitable[str]]


def invoked(service: Service, event: str) -> str:
    """The request id of *event*, accepted as people have it accepted."""
    words = ["invoke", str(service.file), "f", "--async", "--json", "--event", "-"]
    done = subprocess.run(
        [sys.executable, "-m", "headrace.cli.main", *words],
        env=service.environment,
        input=event.encode(),
        capture_output=True,
        check=True,
    )
    request_id: str = json.loads(done.stdout)["RequestId"]
    return request_id


@pytest.mark.parametrize("kind", ["sqs", "sns"])
async def test_the_bare_event_and_three_attributes(
    *,
    kind: str,
    ministack: Ministack,
    account: str,
    aws_env: dict[str, str],
    sqs: Any,
    new_queue: NewQueue,
    tmp_path: Path,
) -> None:
    """Lambda-semantics 8. Mutations: the record in place of the event; an attribute left out; a number as a String."""
    queue = await new_queue()
    target = await queue_arn(sqs, queue)
    if kind == "sns":
        async with client_of("sns", ministack.url, account) as sns:
            topic = (await sns.create_topic(Name="dead"))["TopicArn"]
            raw = {"RawMessageDelivery": "true"}
            await sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=target, Attributes=raw)
        target = topic
    (tmp_path / "handlers.py").write_text(HANDLER)
    function = {
        "handler": "handlers.f",
        "path": str(tmp_path),
        "event_invoke_config": {"maximum_retry_attempts": 1, "retry_backoff": {"initial": 0.1, "maximum": 0.1}},
        "dead_letter_config": {"target_arn": target},
    }
    settings = {"service": {"name": "shop", "listen": None, "log": {"format": "json"}}, "functions": {"f": function}}
    service = Service(tmp_path / "service", settings, aws_env)
    request_id = invoked(service, '{"order": "ü"}')
    try:
        await service.drained(1)
    finally:
        service.stop()
    (letter,) = await drain(sqs, queue)
    assert json.loads(letter["Body"]) == {"order": "ü"}
    found = {name: (one["DataType"], one["StringValue"]) for name, one in letter["MessageAttributes"].items()}
    assert found == {
        "RequestID": ("String", request_id),
        "ErrorCode": ("Number", "200"),
        "ErrorMessage": ("String", "no such order"),
    }
