"""Replay from an S3 prefix, a Redis stream and a Kafka topic, and of stretches of streams and topics: real servers."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition as Theirs
from redis import Redis

from support.command import Project
from support.command import project as made
from support.kafka import Cluster
from support.kafka_sending import all_of
from support.kinesis import PRODUCER, KinesisLocal, kinesis_client, make_stream, put, register
from support.letters import click, failure, message
from support.queues import client_of
from support.redis import Valkey
from support.replaying import Shop, bodies, destination, produce, values, without_payload
from support.servers import REGION, Ministack
from support.tables import make_table

QUEUE = {"type": "sqs", "queue_url": f"https://sqs.{REGION}.amazonaws.com/000000000000/orders"}


@pytest.fixture
def project(tmp_path: Path, aws_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    for name, value in aws_env.items():
        monkeypatch.setenv(name, value)
    with made(tmp_path) as one:
        yield one


@pytest.fixture
async def s3(ministack: Ministack, account: str) -> AsyncIterator[Any]:
    async with client_of("s3", ministack.url, account) as client:
        yield client


async def test_an_s3_prefix(project: Project, s3: Any, account: str) -> None:
    """Payloads are JSON text there. Kept and remembered; removed when asked. Mutation: what failed is removed too."""
    bucket = f"failed-{account}"
    await s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for number, body in enumerate(["good", "bad", "good"]):
        record = json.dumps(failure(message(f"m{number}", body), text=True))
        await s3.put_object(Bucket=bucket, Key=f"dead/aws/lambda/{number}", Body=record.encode())
    await s3.put_object(Bucket=bucket, Key="other", Body=b"no letter")
    shop = Shop(project, {"orders": QUEUE})
    status, said = shop.replay(f"s3://{bucket}/dead/")
    assert status == 1, said
    assert "2 replayed, 1 failed again" in said
    assert bodies(shop) == ["good", "bad", "good"]
    status, said = shop.replay(f"s3://{bucket}/dead/", "--delete")
    assert bodies(shop) == ["bad"]
    keys = [one["Key"] for one in (await s3.list_objects_v2(Bucket=bucket))["Contents"]]
    assert keys == ["dead/aws/lambda/1", "other"]
    own = Shop(project, {"orders": QUEUE}, **destination(type="s3", bucket=bucket, prefix="dead/"))
    status, said = own.replay("orders", "--edit", '.body = "mended"')
    assert (status, bodies(own)) == (0, ["mended"]), said


async def test_a_redis_stream(project: Project) -> None:
    with Valkey() as server, Redis(port=server.port) as redis:
        for number, body in enumerate(["good", "bad"]):
            redis.xadd("dead", {"body": json.dumps(failure(message(f"m{number}", body)))})
        shop = Shop(project, {"orders": QUEUE})
        where = f"redis://127.0.0.1:{server.port}/0#dead"
        assert shop.replay(where)[0] == 1
        assert bodies(shop) == ["good", "bad"]
        assert redis.xlen("dead") == 2
        status, said = shop.replay(where, "--delete", "--edit", '.body = "mended"')
        assert (status, bodies(shop), redis.xlen("dead")) == (0, ["mended"], 0), said
    status, said = shop.replay(where)
    assert status == 1
    assert f"Error 111 connecting to 127.0.0.1:{server.port}" in said


def kafka_source(cluster: Cluster, topic: str, **more: Any) -> dict[str, Any]:
    return {"type": "kafka", "bootstrap_servers": cluster.bootstrap_servers, "topics": [topic], **more}


async def test_a_kafka_topic_of_failure_records(project: Project, kafka: Cluster) -> None:
    """Nothing is deleted from it; what was replayed is remembered."""
    topic, dead = kafka.topic(), kafka.topic(2)
    produce(kafka, dead, *[json.dumps(failure(message(f"m{number}", body))) for number, body in enumerate("abc")])
    to = destination(type="kafka", topic=dead, bootstrap_servers=kafka.bootstrap_servers)
    shop = Shop(project, {"orders": QUEUE, "payments": kafka_source(kafka, topic)}, **to)
    status, said = shop.replay("orders", "--max", "1")
    assert status == 0, said
    assert len(bodies(shop)) == 1
    status, said = shop.replay(f"kafka://{dead}", "--restart")
    assert (status, sorted(bodies(shop))) == (0, ["a", "b", "c"]), said
    assert len(await all_of(kafka.bootstrap_servers, dead)) == 3
    status, said = shop.replay("orders", "--delete")
    assert status == 2
    assert "nothing is deleted from a topic" in said


async def test_a_stretch_of_a_topic_and_back_to_it(project: Project, kafka: Cluster) -> None:
    """By offsets, by time, and all; the group's offsets are not touched. Mutations: an end that is past, a key lost,
    what came behind a letter makes another of it (tried: e again)."""
    topic = kafka.topic()
    produce(kafka, topic, *"abcde", key=b"k", headers=[("h", b"\xff")])
    shop = Shop(project, {"payments": kafka_source(kafka, topic)}, starting_position="LATEST", batch_size=2)
    status, said = shop.replay("payments", "--range", "1..3", "--shard", f"{topic}-0")
    assert status == 0, said
    assert values(shop) == ["b", "c", "d"]
    assert shop.replay("payments", "--range", "..2020-01-01")[0] == 0
    assert values(shop) == []
    status, said = shop.replay("payments", "--range", "TRIM_HORIZON..LATEST", "--max", "3")
    assert values(shop) == ["a", "b", "c", "d"]
    status, said = shop.replay("payments", "--range", "TRIM_HORIZON..LATEST")
    assert (status, values(shop)) == (0, ["e"]), said
    produce(kafka, topic, "f", key=b"k")
    status, said = shop.replay("payments", "--range", "TRIM_HORIZON..LATEST")
    assert (status, values(shop)) == (0, ["f"]), said
    filtered = ["--filter", '{"value": ["c"]}', "--edit", '.value = "mended"', "--to", "source"]
    status, said = shop.replay("payments", "--range", "2..2", "--shard", f"{topic}-0", *filtered)
    assert status == 0, said
    *_, last = await all_of(kafka.bootstrap_servers, topic)
    assert (last.key, last.value, last.headers) == (b"k", b"mended", [("h", b"\xff")])


async def test_of_a_stretch_its_mapping_is_given_what_it_takes(project: Project, kafka: Cluster) -> None:
    """By its filters; what its shape cannot show is told, and those beside it go on. Mutations, tried: all of it; the
    one ends the replay with a traceback."""
    topic = kafka.topic()
    produce(kafka, topic, "a", "no", b"\xff", "b")
    criteria = {"filters": [{"pattern": '{"body": [{"anything-but": ["no"]}]}'}]}
    source = kafka_source(kafka, topic, present_as="sqs")
    shop = Shop(project, {"payments": source}, filter_criteria=criteria, starting_position="LATEST")
    status, said = shop.replay("payments", "--range", "..")
    assert (status, bodies(shop)) == (1, ["a", "b"]), said
    assert "2 replayed, 1 unreadable" in said


async def test_letters_without_payload_are_read_again_from_the_topic(
    project: Project, apache_kafka: Cluster, tmp_path: Path
) -> None:
    """Until they are trimmed. Mutation: what is left of them passes for all."""
    kafka = apache_kafka
    topic = kafka.topic()
    produce(kafka, topic, *"abcde")
    (tmp_path / "failed.jsonl").write_text(without_payload(topic, 1, 2) + "\n")
    shop = Shop(project, {"payments": kafka_source(kafka, topic)}, starting_position="LATEST")
    status, said = shop.replay("./failed.jsonl")
    assert (status, values(shop)) == (0, ["b", "c"]), said
    with kafka.admin() as admin:
        admin.delete_records({Theirs(topic, 0): 3})
    (tmp_path / "failed.jsonl").write_text(without_payload(topic, 2, 3) + "\n")
    status, said = shop.replay("./failed.jsonl")
    assert (status, values(shop)) == (1, [])
    assert "the record has no payload, and its position is trimmed" in said


async def test_a_stretch_of_a_kinesis_stream_and_back_to_it(
    project: Project, kinesis_local: KinesisLocal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By time, by number, by a letter without payload; put back under its key."""
    for name, value in PRODUCER.items():
        monkeypatch.setenv(name, value)
    async with kinesis_client(kinesis_local.url) as client:
        stream = await make_stream(client)
        numbers = await put(client, stream, ["a", "b", "c", "d"])
        source = {"type": "kinesis", "stream": stream, "region": REGION, "endpoint_url": kinesis_local.url}
        shop = Shop(project, {"clicks": source}, starting_position="LATEST", batch_size=3)
        status, said = shop.replay("clicks", "--range", "TRIM_HORIZON..LATEST")
        assert status == 0, said
        assert [data(call) for call in shop.handled()] == [["a", "b", "c"], ["d"]]
        shard = ["--shard", "shardId-000000000000"]
        status, said = shop.replay("clicks", "--range", f"{numbers[1]}..{numbers[2]}", *shard)
        assert [data(call) for call in shop.handled()] == [["b", "c"]], said
        status, said = shop.replay("clicks", "--range", "00000000000001..", *shard)
        assert (status, said) == (1, "headrace: 00000000000001 is no sequence number of this source\n")
        record = failure(click(1, ""))
        del record["payload"], record["SQSMessageInfo"]
        place = {"shardId": shard[1], "startSequenceNumber": numbers[0], "endSequenceNumber": numbers[1]}
        arn = f"arn:aws:kinesis:{REGION}:000000000000:stream/{stream}"
        record["KinesisBatchInfo"] = {**place, "streamArn": arn}
        unknown = {**record, "KinesisBatchInfo": {**record["KinesisBatchInfo"], "shardId": "shardId-000000000009"}}
        (tmp_path / "failed.jsonl").write_text(f"{json.dumps(record)}\n{json.dumps(unknown)}\n")
        status, said = shop.replay("./failed.jsonl")
        assert [data(call) for call in shop.handled()] == [["a", "b"]], said
        assert status == 1
        assert "its position is trimmed" in said
        status, said = shop.replay("./failed.jsonl", "--to", "source", "--restart")
        assert "1 replayed" in said
        status, said = shop.replay("clicks", "--range", "TRIM_HORIZON..LATEST", "--restart")
        assert [data(call) for call in shop.handled()] == [["a", "b", "c"], ["d", "a", "b"]], said


async def test_a_stretch_of_a_stream_that_is_pushed_to_a_consumer(
    project: Project, ministack: Ministack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Shown as the consumer's. Mutation, tried: the stream's ARN."""
    for name, value in PRODUCER.items():
        monkeypatch.setenv(name, value)
    async with kinesis_client(ministack.url) as client:
        stream = await make_stream(client)
        consumer, arn = await register(client, stream)
        await put(client, stream, ["a", "b", "c"])
        source = {"type": "kinesis", "stream": stream, "consumer": consumer, "region": REGION}
        shop = Shop(project, {"clicks": {**source, "endpoint_url": ministack.url}}, starting_position="LATEST")
        status, said = shop.replay("clicks", "--range", "TRIM_HORIZON..LATEST")
        assert status == 0, said
        (call,) = shop.handled()
        assert data(call) == ["a", "b", "c"]
        assert {one["eventSourceARN"] for one in call["event"]["Records"]} == {arn}
        (tmp_path / "failed.jsonl").write_text(json.dumps({**failure(), "payload": call["event"]}) + "\n")
        status, said = shop.replay("./failed.jsonl", "--to", "source")
        assert status == 0, said
        status, said = shop.replay("clicks", "--range", "TRIM_HORIZON..LATEST", "--restart")
        assert [data(call) for call in shop.handled()] == [[*"abcabc"]], said


def data(call: dict[str, Any]) -> list[str]:
    return [base64.b64decode(one["kinesis"]["data"]).decode() for one in call["event"]["Records"]]


async def test_a_stretch_of_a_dynamodb_stream_and_no_way_back_to_it(project: Project, dynamodb: Any) -> None:
    """Mutation: a change that is shown otherwise than the poller shows it."""
    table, _ = await make_table(dynamodb)
    for number in range(3):
        await dynamodb.put_item(TableName=table, Item={"id": {"S": str(number)}, "b": {"B": b"\xff"}})
    shop = Shop(project, {"changes": {"type": "dynamodb", "table": table}}, starting_position="LATEST", batch_size=2)
    status, said = shop.replay("changes", "--range", "TRIM_HORIZON..LATEST")
    assert status == 0, said
    shown = [[one["dynamodb"]["NewImage"] for one in call["event"]["Records"]] for call in shop.handled()]
    assert shown == [[image(0), image(1)], [image(2)]]
    status, said = shop.replay("changes", "--range", "..", "--to", "source")
    assert status == 2
    assert "nobody writes to it: replay to the handler" in said


def image(number: int) -> dict[str, Any]:
    return {"id": {"S": str(number)}, "b": {"B": "/w=="}}
