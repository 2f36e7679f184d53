"""What a mapping gives up, in a topic of Apache Kafka: key kept, and acknowledged."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from kafka import KafkaProducer

from headrace.destination import CONFIRMED, Said
from headrace.plugins import Probe
from headrace_connectors import KafkaPoller, SqsPoller
from headrace_connectors.destinations.kafka import KafkaDestinationOptions
from headrace_connectors.destinations.kafka import kafka as to_kafka
from support.kafka import Cluster
from support.kafka_sending import all_of, failing, opened
from support.messages import message, opening

NewQueue = Callable[..., Awaitable[str]]


async def test_one_message_a_record_with_its_key(apache_kafka: Cluster) -> None:
    """6.5. Mutations: one message for all; the key left out; the payload as text."""
    topic = apache_kafka.topic(partitions=3)
    async with opened(apache_kafka.bootstrap_servers, topic) as destination:
        rig, log = failing(destination, "abc", key=b"\xff\x00")
        async with asyncio.timeout(60), rig.running() as running:
            await running
    found = await all_of(apache_kafka.bootstrap_servers, topic)
    records = [json.loads(one.value) for one in found]
    assert [one["payload"]["Records"][0]["id"] for one in records] == ["a", "b", "c"]
    assert {(one.key, one.partition) for one in found} == {(b"\xff\x00", found[0].partition)}
    assert records[0]["requestContext"]["condition"] == "RetriesExhausted"
    assert records[0]["requestContext"]["functionArn"] == "arn:aws:lambda:us-east-1:000000000000:function:fn:$LATEST"
    assert (rig.tally.delivered, log.finished) == (3, True)


async def test_a_record_without_a_key_goes_to_any_partition_and_one_of_text_has_its_bytes(
    apache_kafka: Cluster,
) -> None:
    topic = apache_kafka.topic(partitions=2)
    async with opened(apache_kafka.bootstrap_servers, topic) as destination:
        sent = [message("a", b"1"), message("b", b"2", key="grün"), message("c", b"3", key="")]
        assert await destination.send(sent) == [CONFIRMED] * 3
    assert {one.value: one.key for one in await all_of(apache_kafka.bootstrap_servers, topic)} == {
        b"1": None,
        b"2": "grün".encode(),
        b"3": b"",
    }


async def test_what_the_topic_can_never_take_is_refused_and_the_rest_goes(apache_kafka: Cluster) -> None:
    """After that kafka-python's producer refuses all else, too. Mutations: every error may be tried again; its errors
    taken for those of each message; the producer kept.
    """
    topic = apache_kafka.topic(max_message_bytes="200000")
    large = secrets.token_hex(400_000).encode()  # not to be compressed below half
    sent = [message(name, body) for name, body in (("a", b"1"), ("b", large), ("c", b"3"), ("d", large), ("e", b"5"))]
    async with opened(apache_kafka.bootstrap_servers, topic) as destination:
        replies = await destination.send(sent)
        assert [one.said for one in replies[::2]] == [Said.CONFIRMED] * 3
        assert [one.said for one in replies[1::2]] == [Said.REFUSED] * 2
    assert replies[1].reason == f"its failure record is larger than the topic {topic} takes (max.message.bytes)"
    assert [one.value for one in await all_of(apache_kafka.bootstrap_servers, topic)] == [b"1", b"3", b"5"]


async def test_of_several_that_one_has_spoilt_each_goes_by_itself(apache_kafka: Cluster) -> None:
    """Mutation: what its neighbours were told counts."""
    topic = apache_kafka.topic(max_message_bytes="5000")
    large = secrets.token_hex(20_000).encode()
    async with opened(apache_kafka.bootstrap_servers, topic) as destination:
        replies = await destination.send([message("a", b"1"), message("b", large), message("c", b"3")])
    assert [one.said for one in replies] == [Said.CONFIRMED, Said.REFUSED, Said.CONFIRMED]
    assert {one.value for one in await all_of(apache_kafka.bootstrap_servers, topic)} == {b"1", b"3"}


async def test_a_compacted_topic_takes_nothing_without_a_key(apache_kafka: Cluster) -> None:
    topic = apache_kafka.topic(cleanup_policy="compact")
    async with opened(apache_kafka.bootstrap_servers, topic) as destination:
        (reply,) = await destination.send([message("a", b"1")])
        assert (reply.said, "without key" in reply.reason) == (Said.REFUSED, True)
        assert await destination.send([message("b", b"2", key="k")]) == [CONFIRMED]


async def test_a_topic_that_is_missing_is_told_and_taken_when_it_is_there(apache_kafka: Cluster) -> None:
    """It may be made while we wait. Mutation: kafka-python's words, which say only that it waited."""
    topic = apache_kafka.name("later")
    async with opened(apache_kafka.bootstrap_servers, topic) as destination:
        (reply,) = await destination.send([message("a", b"1")])
        assert reply.said is Said.FAILED
        assert reply.reason == f"there is no topic {topic}; create it, or correct its name"
        apache_kafka.topic(name=topic)
        assert await destination.send([message("a", b"1")]) == [CONFIRMED]
    assert len(await all_of(apache_kafka.bootstrap_servers, topic)) == 1


async def test_the_probe_tells_what_is_there(apache_kafka: Cluster) -> None:
    servers = apache_kafka.bootstrap_servers
    topic = apache_kafka.topic()

    async def probe(servers: str, topic: str) -> Probe:
        return await to_kafka.probe(opening(), KafkaDestinationOptions(bootstrap_servers=servers, topic=topic))

    assert await probe(servers, topic) == Probe(values={"bootstrap_servers": [servers]})
    missing = await probe(servers, apache_kafka.name())
    assert [one.path for one in missing.faults] == ["topic"]
    away = await probe("127.0.0.1:1", topic)
    assert [str(one)[:33] for one in away.faults] == ["cannot be reached at 127.0.0.1:1:"]


async def test_a_queues_messages_go_there_with_their_group_as_key(
    apache_kafka: Cluster, new_queue: NewQueue, sqs: Any, aws_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws_env.items():
        monkeypatch.setenv(name, value)
    topic = apache_kafka.topic()
    url = await new_queue(visibility_timeout=600, fifo=True)
    for number, group in enumerate("xyx"):
        await sqs.send_message(
            QueueUrl=url, MessageBody=f"bad {number}", MessageGroupId=group, MessageDeduplicationId=str(number)
        )

    def fail(event: Any, context: Any) -> None:
        raise ValueError("boom")

    to = {"on_failure": {"destination": {"type": "kafka", "topic": topic, "bootstrap_servers": servers(apache_kafka)}}}
    arguments: dict[str, Any] = {"maximum_retry_attempts": 0, "destination_config": to}
    async with asyncio.timeout(60), SqsPoller(queue_url=url, handler=fail, name="orders", **arguments) as poller:
        running = asyncio.ensure_future(poller.run())
        while not await poller.idle():
            await asyncio.sleep(0.1)
        poller.stop()
        await running
    found = await all_of(apache_kafka.bootstrap_servers, topic)
    seen = {json.loads(one.value)["payload"]["Records"][0]["body"]: one.key for one in found}
    assert seen == {"bad 0": b"x", "bad 1": b"y", "bad 2": b"x"}


async def test_from_topic_to_topic_in_the_sources_cluster(apache_kafka: Cluster) -> None:
    """AWS's text form. Key and value come back byte for byte. Mutations: one message for both; another connection."""
    topic, failed = apache_kafka.topic(), apache_kafka.topic(partitions=2)
    producer = KafkaProducer(bootstrap_servers=apache_kafka.bootstrap_servers)
    sent = [(b"\xfe", b"\x00bad"), (b"k", b"good"), (None, b"bad too")]
    for key, value in sent:
        producer.send(topic, key=key, value=value, headers=[("h", b"\xff")]).get(30)
    producer.close()

    def fail(event: Any, context: Any) -> Any:
        records = event["records"][f"{topic}-0"]
        bad = [one for one in records if b"bad" in base64.b64decode(one["value"])]
        where = [{"partition": f"{topic}-0", "offset": one["offset"]} for one in bad]
        return {"batchItemFailures": [{"itemIdentifier": one} for one in where]}

    arguments: dict[str, Any] = {
        "topics": [topic],
        "bootstrap_servers": servers(apache_kafka),
        "consumer_group_id": apache_kafka.group(),
        "handler": fail,
        "name": "orders",
        "batch_size": 1,
        "maximum_retry_attempts": 1,
        "retry_backoff": {"initial": 0, "maximum": 0},
        "function_response_types": ["ReportBatchItemFailures"],
        "destination_config": {"on_failure": {"destination": f"kafka://{failed}"}},
    }
    async with asyncio.timeout(120), KafkaPoller(**arguments) as poller:
        running = asyncio.ensure_future(poller.run())
        while len(await all_of(apache_kafka.bootstrap_servers, failed)) < 2 or not await poller.idle():
            await asyncio.sleep(0.2)
        poller.stop()
        await running
    found = sorted(await all_of(apache_kafka.bootstrap_servers, failed), key=lambda one: one.timestamp)
    records = [json.loads(one.value) for one in found]
    assert [one.key for one in found] == [b"\xfe", None]
    assert [one["KafkaBatchInfo"]["recordInfo"]["offset"] for one in records] == ["0", "2"]
    assert records[0]["KafkaBatchInfo"]["batchSize"] == 1
    assert records[0]["requestContext"]["condition"] == "RetriesExhausted"
    assert records[0]["requestContext"]["approximateInvokeCount"] == 2
    assert records[0]["requestContext"]["functionArn"].endswith(":orders:$LATEST")
    (shown,) = records[0]["payload"]["records"][f"{topic}-0"]
    assert (base64.b64decode(shown["key"]), base64.b64decode(shown["value"])) == sent[0]
    (tally,) = [one for one in poller.tally.values() if one.polled]
    assert (tally.delivered, tally.succeeded, tally.balance) == (2, 1, 0)


def servers(cluster: Cluster) -> list[str]:
    return [cluster.bootstrap_servers]
