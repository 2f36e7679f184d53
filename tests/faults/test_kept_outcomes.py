"""A service that is stopped or killed while its destination is down: the next start tells, and runs nothing again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from headrace.asynchronous import packed, queue_of
from headrace.ledger import LedgerOpening
from headrace_connectors.catalog import catalog
from support.kinesis import PRODUCER, KinesisLocal, kinesis_client, make_stream, put
from support.places import Down, down
from support.queues import send_all
from support.redis import Valkey
from support.servers import REGION, Ministack, aws_environment
from support.service import Service, config, until

NewQueue = Callable[..., Awaitable[str]]

HANDLER = """
import base64, os

def handler(event, context):
    if "Records" not in event:
        text = event["text"]
    elif "kinesis" in event["Records"][0]:
        text = base64.b64decode(event["Records"][0]["kinesis"]["data"]).decode()
    else:
        text = event["Records"][0]["body"]
    with open(os.environ["TELLTALE"], "a") as file:
        file.write(f"{text} {context.aws_request_id}\\n")
    if "bad" in text:
        raise ValueError(text)
    return {"handled": text}
"""

TOLD = ("queue-good", "queue-bad", "stream-bad", "event-good", "event-bad")


@pytest.fixture
def account() -> str:
    """Whose the streams of the Kinesis server are."""
    return PRODUCER["AWS_ACCESS_KEY_ID"]


@pytest.fixture(params=["sqlite", "valkey"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:{tmp_path}/state.db"
        return
    with Valkey() as valkey:
        yield valkey.url


@pytest.fixture
def ends(state: str) -> str:
    """Each store once, each end once."""
    return "killed" if state.startswith("sqlite") else "stopped"


async def test_what_was_run_is_told_by_the_next_start(
    *,
    state: str,
    ends: str,
    ministack: Ministack,
    kinesis_local: KinesisLocal,
    account: str,
    sqs: Any,
    new_queue: NewQueue,
    tmp_path: Path,
) -> None:
    """A queue, a stream and a function's own queue, by success and by failure. Mutations, tried: nothing is kept; what
    is kept is not asked for: each is run twice."""
    (tmp_path / "kept_handler.py").write_text(HANDLER)
    url = await new_queue(visibility_timeout=4)
    async with kinesis_client(kinesis_local.url) as kinesis:
        stream = await make_stream(kinesis)
        await put(kinesis, stream, ["stream-bad"], ["k"])
    await send_all(sqs, url, ["queue-good", "queue-bad"])
    async with down("sqs", account, tmp_path) as away:
        around = {**aws_environment(ministack.url, account), "TELLTALE": str(tmp_path / "handled")}
        where = {"stream": stream, "endpoint_url": kinesis_local.url}
        made = settings(away=away, state=state, queue=url, stream=where, folder=tmp_path)
        service = Service(tmp_path / "service", made, around)
        try:
            await accept(state, "event-good", "event-bad")
            service.start()
            await until(lambda: service.events("outcome.kept") == len(TOLD), why=service.log_text)
            if ends == "killed":
                service.kill()
            else:
                service.terminate()
                assert await service.ended() == 0, service.log_text()
            before = handled(tmp_path)
            await away.up()
            service.start()
            await until(lambda: service.events("outcome.found") == len(TOLD), why=service.log_text)
            records = await told(service, away)
        finally:
            service.stop()
        assert handled(tmp_path) == before, "nothing was run again"
    assert Counter(text for text, _ in before) == dict.fromkeys(TOLD, 1)
    assert sorted(one["requestContext"]["requestId"] for one in records) == sorted(call for _, call in before)
    assert Counter(one["requestContext"]["condition"] for one in records) == {
        "Success": 2,
        "RetryAttemptsExhausted": 2,
        "RetriesExhausted": 1,
    }
    assert {one["requestContext"]["approximateInvokeCount"] for one in records} == {1}


def settings(*, away: Down, state: str, queue: str, stream: Any, folder: Path) -> dict[str, Any]:
    """One mapping of each kind, which try everything once and tell one destination of all."""
    to = {"destination": {"type": "sqs", "queue_arn": away.place.arn, "endpoint_url": away.server.url}}
    once = {"maximum_retry_attempts": 0, "destination_config": {"on_success": to, "on_failure": to}}
    mappings = {
        "queue": {"source": {"type": "sqs", "queue_url": queue}, "function": "work", "batch_size": 1, **once},
        "stream": {
            "source": {
                "type": "kinesis",
                **stream,
                "region": REGION,
            },
            "starting_position": "TRIM_HORIZON",
            "function": "work",
            **once,
        },
    }
    work = {"handler": "kept_handler.handler", "path": str(folder), "timeout": 10, "event_invoke_config": once}
    return config(mappings, functions={"work": work}, state=state, lease_ttl=2)


async def accept(state: str, *texts: str) -> None:
    """As `headrace invoke --async` does."""
    ledger = await catalog.ledger(LedgerOpening(url=state, service="faults"))
    await ledger.put(queue_of("work"), [packed(str(uuid4()), {"text": text}) for text in texts])
    await ledger.close()


async def told(service: Service, away: Down) -> list[Any]:
    """All that arrives, until a while after the last that is awaited; the service ends well."""
    records = await away.place.arrived(len(TOLD), 60)
    await asyncio.sleep(5)  # longer than a message is invisible: what is run again would show
    service.terminate()
    assert await service.ended() == 0, service.log_text()
    return records + await away.place.arrived()


def handled(folder: Path) -> list[tuple[str, str]]:
    """Each call: what it was given, and its request id."""
    lines = (folder / "handled").read_text().splitlines()
    return [(text, call) for text, call in map(str.split, lines)]
