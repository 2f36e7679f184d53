"""The whole way: a service gives records up to a destination of each kind, and a replay handles them from there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.command import Project
from support.command import project as made
from support.kafka import Cluster
from support.kinesis import PRODUCER, KinesisLocal, kinesis_client, make_stream, put
from support.queues import client_of
from support.redis import Valkey
from support.replaying import Shop
from support.servers import REGION, Ministack

HANDLERS = """
import base64, json, os
def handler(event, context):
    with open("notes", "a") as file:
        file.write(json.dumps({"event": event, "mapping": context.headrace.mapping, "lane": context.headrace.lane,
                               "attempt": context.headrace.attempt}) + "\\n")
    if not os.path.exists("mended"):
        raise ValueError("not yet")
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    for name, value in {**PRODUCER, "AWS_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    with made(tmp_path) as one:
        yield one


@pytest.fixture
async def place(request: pytest.FixtureRequest, ministack: Ministack, project: Project) -> Any:
    """The destination of the kind that a test names, and how many letters it has."""
    kind, folder = request.param, project.folder
    if kind == "s3":
        async with client_of("s3", ministack.url, PRODUCER["AWS_ACCESS_KEY_ID"]) as s3:
            where = {"LocationConstraint": REGION}
            await s3.create_bucket(Bucket="replayed-bucket", CreateBucketConfiguration=where)
        yield {"type": "s3", "bucket": "replayed-bucket", "prefix": "dead/", "endpoint_url": ministack.url}
    elif kind == "redis":
        with Valkey() as server:
            yield {"type": "redis", "url": f"redis://127.0.0.1:{server.port}/0", "stream": "dead"}
    elif kind == "kafka":
        kafka: Cluster = request.getfixturevalue("kafka")
        yield {"type": "kafka", "topic": kafka.topic(), "bootstrap_servers": kafka.bootstrap_servers}
    else:
        yield {"type": "file", "path": str(folder / "failed.jsonl")}


@pytest.mark.parametrize(
    ("place", "payload"),
    [("file", "full"), ("file", "metadata"), ("s3", "metadata"), ("redis", "full"), ("kafka", "metadata")],
    indirect=["place"],
)
async def test_what_a_stream_has_given_up_comes_back(
    project: Project, kinesis_local: KinesisLocal, place: dict[str, Any], payload: str
) -> None:
    """The handler is given the same events again, as of the same mapping and shard. Mutation: any word of a record
    that is read by another name than it was written by."""
    async with kinesis_client(kinesis_local.url) as client:
        stream = await make_stream(client)
        await put(client, stream, ["a", "b", "c"])
    source = {"type": "kinesis", "stream": stream, "region": REGION, "endpoint_url": kinesis_local.url}
    shop = Shop(project, {"clicks": source}, starting_position="TRIM_HORIZON", maximum_retry_attempts=1)
    (project.folder / "replayed.py").write_text(HANDLERS)
    config = yaml.safe_load(project.config.read_text())
    config["service"]["state"] = "memory:"
    settings = {"on_failure": {"destination": place}}
    back_off = {"retry_backoff": {"initial": 0, "maximum": 0}}
    config["mappings"]["clicks"] |= {"destination_config": settings, "failure_payload": payload, **back_off}
    project.config.write_text(yaml.safe_dump(config))
    service = project.start("run", "config.yaml", "--exit-when-idle", "1")
    assert service.wait() == 0, service.err
    assert "delivered 3" in service.out
    before = shop.handled()
    assert shop.replay("clicks")[0] == 1
    again = shop.handled()
    (project.folder / "mended").touch()
    status, said = shop.replay("clicks")
    assert status == 0, said
    replayed = shop.handled()
    sent = [one for call in before[:1] for one in call["event"]["Records"]]
    assert [one for call in again for one in call["event"]["Records"]] == sent
    assert [one for call in replayed for one in call["event"]["Records"]] == sent
    assert {(call["mapping"], call["attempt"]) for call in replayed} == {("clicks", 3)}
    if payload == "full":
        assert {call["lane"] for call in replayed} == {"shardId-000000000000"}
    assert "replayed before" in shop.replay("clicks")[1]
