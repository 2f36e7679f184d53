"""configs/compose.yaml on the testbed's servers, with the queues, topics and stream that the testbed makes in them."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from support import install
from support import kafka as brokers
from support.command import Running, wait_for
from support.composed import DEFAULT, FOLDER, ROOT, SERVICES, environment
from support.kafka import Cluster
from support.kinesis import KinesisLocal, kinesis_client, shards
from support.queues import counts, drain, send_all
from support.redis import Valkey
from support.servers import Ministack

CONFIG = ROOT / "configs" / "compose.yaml"


class Kinesis(KinesisLocal):
    """With the stream that the testbed's has from its start."""

    def environment(self) -> dict[str, str]:
        return super().environment() | environment("kinesis") | {"LOG_LEVEL": "ERROR"}


@pytest.fixture(scope="module")
def kinesis() -> Iterator[Kinesis]:
    with Kinesis() as server:
        yield server


@pytest.fixture(scope="module")
def kafka(_no_apache: str | None) -> Iterator[Cluster]:
    """A broker of this file's own: topics and group have the testbed's names. It has the topics that are made there."""
    with brokers.tansu() if _no_apache else brokers.apache() as server:
        cluster = Cluster(server.bootstrap_servers)
        for topic, partitions in topics().items():
            cluster.topic(partitions, topic)
        yield cluster


def topics() -> dict[str, int]:
    """What kafka-topics makes, with how many partitions: its script is run, with another word for Kafka's tool."""
    *shell, script = SERVICES["kafka-topics"]["command"]
    script = re.sub(r"\$(\$|\w+)", lambda found: found[1] if found[1] == "$" else "", script)  # as compose reads it
    script = script.replace("/opt/kafka/bin/kafka-topics.sh", "echo")
    said = subprocess.run([*shell, script], capture_output=True, text=True, check=True).stdout
    found = {}
    for words in map(shlex.split, said.splitlines()):
        given = dict(pairwise(words))
        assert {"--create", "--if-not-exists"} < set(words)
        found[given["--topic"]] = int(given["--partitions"])
    return found


@pytest.fixture
def redis() -> Iterator[Valkey]:
    with Valkey() as server:
        yield server


@pytest.fixture
def account() -> str:
    """The testbed's own: Kinesis has the stream in no other."""
    return environment("aws")["AWS_ACCESS_KEY_ID"]


@pytest.fixture
async def queues(sqs: Any, aws_env: dict[str, str]) -> dict[str, str]:
    """The URLs of the queues that the container's script makes, by name."""
    script = [install.ensure() / "python", FOLDER / "ready.d" / "queues.py"]
    await asyncio.to_thread(subprocess.run, script, env=aws_env, check=True)
    urls = (await sqs.list_queues())["QueueUrls"]
    return {url.rpartition("/")[2]: url for url in urls}


@pytest.fixture
def told(
    aws_env: dict[str, str], ministack: Ministack, kafka: Cluster, kinesis: Kinesis, redis: Valkey
) -> dict[str, str]:
    """What headrace's container is told, with every server where it is here."""
    here = {
        "http://aws:4566": ministack.url,
        "http://kinesis:4568": kinesis.url,
        "kafka:19092": kafka.bootstrap_servers,
        "redis://redis:6379": redis.url,
        "0.0.0.0:8480": "127.0.0.1:0",
    }
    given = environment("headrace")
    for there, url in here.items():
        given = {name: value.replace(there, url) for name, value in given.items()}
    return {**os.environ, **aws_env, **given}


@pytest.fixture
async def running(told: dict[str, str], queues: dict[str, str], tmp_path: Path) -> AsyncIterator[Running]:
    process = subprocess.Popen(
        [sys.executable, "-m", "headrace.cli.main", "run", str(CONFIG)],
        cwd=tmp_path,
        env=told,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    running = Running(process)
    yield running
    if process.poll() is None:
        process.kill()
    await asyncio.to_thread(running.wait)
    for stream in (process.stdout, process.stderr):
        assert stream is not None
        stream.close()


def reading(number: int, value: float | None) -> dict[str, Any]:
    return {"PartitionKey": f"meter-{number}", "Data": json.dumps({"n": number, "value": value}).encode()}


def scraped(url: str) -> dict[tuple[str, str], float]:
    """Counters by name and mapping, over all lanes."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/metrics") as answer:
        text = answer.read().decode()
    found: dict[tuple[str, str], float] = {}
    for name, mapping, value in re.findall(r'^(\w+)\{.*mapping="(\w+)".*\} (\S+)$', text, re.MULTILINE):
        found[name, mapping] = found.get((name, mapping), 0.0) + float(value)
    return found


async def test_orders_and_readings_are_handled_and_counted(
    sqs: Any, queues: dict[str, str], kinesis: Kinesis, running: Running, tmp_path: Path
) -> None:
    """Catches: a queue or stream of another name or region; a destination that is not there; a handler's file unset."""
    await send_all(sqs, queues["orders"], [json.dumps({"order": number, "kind": "plain"}) for number in range(1, 6)])
    async with kinesis_client(kinesis.url) as client:
        assert len(await shards(client, "readings")) == 2
        put = [reading(number, None if number == 3 else 1.5) for number in range(1, 7)]
        assert (await client.put_records(StreamName="readings", Records=put))["FailedRecordCount"] == 0

    def all_is_counted() -> bool:
        seen = scraped(running.url)
        return (
            seen.get(("headrace_succeeded_events_total", "orders")),
            seen.get(("headrace_succeeded_events_total", "readings")),
            seen.get(("headrace_on_failure_destination_delivered_events_total", "readings")),
        ) == (5.0, 5.0, 1.0)

    await asyncio.to_thread(wait_for, all_is_counted, "five orders and five readings, and one given up")
    running.process.terminate()
    assert await asyncio.to_thread(running.wait) == 0, running.err
    assert sorted((tmp_path / "orders-handled.txt").read_text().split()) == list("12345")
    book = map(json.loads, (tmp_path / "readings-handled.jsonl").read_text().splitlines())
    assert {one["n"] for one in book if one["phase"] == "done"} == {1, 2, 4, 5, 6}
    assert await counts(sqs, queues["orders"]) == (0, 0, 0)
    (record,) = [json.loads(message["Body"]) for message in await drain(sqs, queues["readings-failed"])]
    assert record["KinesisBatchInfo"]["batchSize"] == 1


@pytest.fixture
async def consumer(kafka: Cluster) -> list[str]:
    """README's line that shows what was given up, once its line that feeds payments has run: 20 of them."""
    lines = re.findall(r"^.*-m kafka.*$", (FOLDER / "README.md").read_text(), re.MULTILINE)
    feed, look = (line.replace("127.0.0.1:9092", kafka.bootstrap_servers) for line in lines)
    python = shlex.quote(sys.executable)
    script = ["sh", "-ec", feed.replace(" 5000 ", " 20 ").replace(".venv/bin/python", python)]
    await asyncio.to_thread(subprocess.run, script, check=True, capture_output=True)
    return shlex.split(look.replace(".venv/bin/python", python))


async def test_payments_are_handled_given_up_and_counted(consumer: list[str], running: Running, tmp_path: Path) -> None:
    """Catches: another topic; LATEST; no bisection, so that good payments are given up with a bad one."""

    def all_is_counted() -> bool:
        seen = scraped(running.url)
        return (
            seen.get(("headrace_succeeded_events_total", "payments")),
            seen.get(("headrace_on_failure_destination_delivered_events_total", "payments")),
        ) == (19.0, 1.0)

    await asyncio.to_thread(wait_for, all_is_counted, "nineteen payments, and one given up")
    running.process.terminate()
    assert await asyncio.to_thread(running.wait) == 0, running.err
    handled = set((tmp_path / "payments-handled.txt").read_text().split())
    assert handled == {str(number) for number in range(1, 21)} - {"7"}
    with subprocess.Popen(consumer, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        record = json.loads(await asyncio.to_thread(process.stdout.readline))
        process.terminate()
    assert record["KafkaBatchInfo"]["batchSize"] == 1
    ((shown,),) = record["payload"]["records"].values()
    assert json.loads(base64.b64decode(shown["value"])) == {"id": 7, "amount": None}


async def test_an_order_that_fails_too_often_goes_to_the_dead_letters(sqs: Any, queues: dict[str, str]) -> None:
    """Catches: `orders` without a redrive policy, where a bad order comes again for ever."""
    answer = await sqs.get_queue_attributes(QueueUrl=queues["orders"], AttributeNames=["All"])
    policy = json.loads(answer["Attributes"]["RedrivePolicy"])
    assert (policy["maxReceiveCount"], policy["deadLetterTargetArn"].rpartition(":")[2]) == (3, "orders-dlq")
    assert answer["Attributes"]["VisibilityTimeout"] == "5"


def test_every_queue_of_the_config_is_made() -> None:
    """Catches: a queue of configs/compose.yaml that ready.d/queues.py does not know."""
    urls = [default for _, default in DEFAULT.findall(CONFIG.read_text()) if "/000000000000/" in default]
    made = set(re.findall(r'QueueName="([\w-]+)"', (FOLDER / "ready.d" / "queues.py").read_text()))
    assert {url.rpartition("/")[2] for url in urls} == made - {"orders-dlq"}


def test_every_topic_of_the_config_is_made() -> None:
    """Catches: a topic of configs/compose.yaml that kafka-topics does not know, or a name with a slip in it."""
    text = CONFIG.read_text()
    read = re.findall(r"topics: \[([\w-]+)\]", text)
    assert len(read) == 1
    assert {*read, *re.findall(r"kafka://([\w-]+)", text)} == set(topics())
