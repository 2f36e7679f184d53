"""What goes beside a body, as those see it who receive it: a queue, a topic's subscriber, a Kafka consumer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headrace.destination import CONFIRMED
from headrace_connectors.aws import AwsSettings
from support.kafka import Cluster
from support.kafka_sending import all_of
from support.kafka_sending import opened as kafka_opened
from support.messages import message, opening
from support.places import Place
from support.queues import drain
from support.servers import Ministack

DEAD = {"RequestID": "r-1", "ErrorCode": "200", "ErrorMessage": "boom \x00"}
SEEN = {
    "RequestID": ("String", "r-1"),
    "ErrorCode": ("Number", "200"),
    "ErrorMessage": ("String", "boom \ufffd"),
    "headrace-hops": ("Number", "2"),
}


@pytest.mark.parametrize("word", ["sqs", "sns"])
async def test_a_dead_letter_has_lambdas_three_and_the_hops(
    *, word: str, ministack: Ministack, account: str, aws_env: dict[str, str], tmp_path: Path, monkeypatch
) -> None:
    for name, value in aws_env.items():
        monkeypatch.setenv(name, value)
    async with Place(word, ministack.url, account, tmp_path) as place:
        await place.make()
        destination = place.kind.open(opening(sections={"aws": AwsSettings()}), place.options)
        assert await destination.send([message("m", b"{}", attributes=DEAD, hops=2)]) == [CONFIRMED]
        await destination.close()
        (got,) = await drain(await place.client("sqs"), place._queue)
    if word == "sqs":
        found = {name: (one["DataType"], one["StringValue"]) for name, one in got["MessageAttributes"].items()}
    else:
        beside = json.loads(got["Body"])["MessageAttributes"]
        found = {name: (one["Type"], one["Value"]) for name, one in beside.items()}
    assert found == SEEN


async def test_a_topic_of_kafka_has_them_as_headers(kafka: Cluster) -> None:
    topic = kafka.topic()
    async with kafka_opened(kafka.bootstrap_servers, topic) as destination:
        sent = [message("a", b"1", attributes={"ErrorCode": "200"}, hops=2), message("b", b"2")]
        assert await destination.send(sent) == [CONFIRMED] * 2
    found = {one.value: list(one.headers) for one in await all_of(kafka.bootstrap_servers, topic)}
    assert found == {b"1": [("ErrorCode", b"200"), ("headrace-hops", b"2")], b"2": []}
