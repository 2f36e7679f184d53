"""A developer with a config for AWS, and no AWS: the commands of the testbed, on configs/shop.yaml."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition

from support import kafka
from support.kafka import Cluster
from support.testbed import INTERRUPT, KILL, LOOPBACK, PATIENCE, Shop, answers, family, listening, shop, until

Make = Callable[..., Shop]

pytestmark = pytest.mark.usefixtures("_jars")


@pytest.fixture(scope="session")
def _jars() -> None:
    """A command of ours would fetch them, too; here other tests may be at it."""
    if kafka.why_not_apache() is None:
        kafka.prepared()


@pytest.fixture(params=["pypi", "apache"])
def broker(request: pytest.FixtureRequest) -> str:
    if request.param == "apache" and (reason := kafka.why_not_apache()):
        pytest.skip(f"needs Apache Kafka: {reason}")
    return str(request.param)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as stack:
        yield lambda broker, **environment: stack.enter_context(shop(tmp_path, broker, **environment))


def no_testbed_runs(made: Shop) -> bool:
    done = made.run("status")
    return (done.returncode, done.stdout) == (1, "no testbed runs\n")


def test_a_day_at_the_shop(make: Make, broker: str) -> None:
    """up, send, run, report, status, down, and what each of them says."""
    made = make(broker)
    assert no_testbed_runs(made)
    told = made.does("up", "--broker", broker)
    assert ("Tansu" if broker == "pypi" else "Apache Kafka") in told
    assert made.send("orders") == "sent 4 to testbed.orders\n"
    made.send("refunds", "--key-field", "customer")
    made.send("clicks", "--key-field", "visitor")
    made.send("stock")
    made.send("payments")
    assert made.does("send", "payments", "--generate", "200", "--rate", "400") == "sent 200 to testbed.payments\n"
    made.does("run", "--exit-when-idle", "2")

    arn = "arn:aws:sqs:eu-central-1:123456789012:orders"
    assert sorted(made.handled("orders"), key=lambda one: one["id"]) == [{"id": one, "arn": arn} for one in (1, 4)]
    assert [one["id"] for one in made.handled("refunds") if one["group"] == "ann"] == [1, 2]
    assert [one["id"] for one in made.handled("clicks")] == [1, 3]
    assert [one["event"] for one in made.handled("stock")] == ["INSERT", "REMOVE"]
    assert {1, 3, *range(200)} == {one["id"] for one in made.handled("payments")}

    report = made.report()
    assert {
        name: (one["sent"], one["filtered"], len(one["failed"]), one["waiting"]) for name, one in report.items()
    } == {
        "orders": (4, 1, 1, 0),
        "refunds": (3, 0, 0, 0),
        "clicks": (3, 0, 1, 0),
        "stock": (3, 0, 1, 0),
        "payments": (203, 0, 1, 0),
    }
    assert report["orders"]["retried"] == 2
    assert report["refunds"]["retried"] >= 1
    servers = made.status()
    (place,) = report["orders"]["failed"]
    found = record_at(servers["bootstrap_servers"], place)
    assert found["SQSMessageInfo"]["messageId"] == place["id"]
    assert found["SQSMessageInfo"]["approximateReceiveCount"] == 3
    assert json.loads(found["payload"]["Records"][0]["body"])["id"] == 2
    assert servers["topics"]["testbed.orders.retry"] == 2

    assert listening(family(servers["pid"])) <= LOOPBACK
    assert "ended" in made.does("down")
    assert no_testbed_runs(made)
    assert not answers(servers["bootstrap_servers"])


def record_at(bootstrap_servers: str, place: dict) -> dict:
    """The failure record that a report says to be there."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest")
    part = TopicPartition(place["topic"], place["partition"])
    consumer.assign([part])
    consumer.seek(part, place["offset"])
    try:
        return json.loads(next(consumer).value)
    finally:
        consumer.close()


def test_run_alone_starts_what_it_needs_and_leaves_nothing_running(make: Make, broker: str) -> None:
    made = make(broker)
    running = made.start("run", "--broker", broker)
    running.until("service.started")
    servers = made.status()
    started = family(running.process.pid)
    assert listening(started) <= LOOPBACK
    made.send("orders")
    until(lambda: len(made.handled("orders")) == 2, "the orders")
    running.signal(INTERRUPT)
    assert running.process.wait(PATIENCE) == 0
    assert re.search(r"orders +4", running.out)
    assert not answers(servers["bootstrap_servers"])
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started), "the end of all that was started")
    assert made.report()["orders"]["sent"] == 4, "the report of its end"


def test_what_was_started_ends_with_a_command_that_is_killed(make: Make, broker: str) -> None:
    made = make(broker)
    running = made.start("run", "--broker", broker)
    running.until("service.started")
    address, started = made.status()["bootstrap_servers"], family(running.process.pid)
    running.signal(KILL)
    running.process.wait(PATIENCE)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started), "the end of all that was started")
    assert not answers(address)
    assert no_testbed_runs(made)


def test_up_outlives_runs_and_goes_with_down_or_a_kill(make: Make) -> None:
    made = make("pypi")
    made.does("up", "--broker", "pypi")
    servers = made.status()
    assert made.does("up").splitlines()[0] == f"Tansu at {servers['bootstrap_servers']}"
    made.send("orders")
    made.does("run", "--mapping", "orders", "--exit-when-idle", "1")
    assert made.report()["orders"]["delivered"] == 2
    made.does("run", "--mapping", "orders", "--exit-when-idle", "1")
    assert made.report()["orders"]["delivered"] == 2, "nothing is delivered again"
    os.kill(servers["pid"], KILL)
    until(lambda: not answers(servers["bootstrap_servers"]), "the end of the broker")
    assert no_testbed_runs(made)
    assert made.does("down") == "no testbed runs\n"


def test_runs_that_are_killed_lose_nothing(make: Make) -> None:
    """Catches: a record that is settled before it is handled, or before the retry topic has it."""
    made = make("pypi")
    made.does("up", "--broker", "pypi")
    made.send("orders")
    made.does("send", "orders", "--generate", "3000")
    for enough in (300, 1200):
        running = made.start("run", "--mapping", "orders")
        until(lambda enough=enough: len(made.handled("orders")) >= enough, f"{enough} orders")
        running.signal(KILL)
        running.process.wait(PATIENCE)
    made.does("run", "--mapping", "orders", "--exit-when-idle", "2")
    account = made.report()["orders"]
    assert {one["id"] for one in made.handled("orders")} == {*range(3000)}
    assert len({one["id"] for one in account["failed"]}) == 1
    assert account["waiting"] == 0


def test_a_state_in_redis_is_a_redis_of_the_testbeds_own(make: Make) -> None:
    made = make("pypi", SHOP_STATE="redis://127.0.0.1:1/0")
    told = made.does("up", "--broker", "pypi")
    assert "Redis at redis://127.0.0.1:" in told
    servers = made.status()
    assert listening(family(servers["pid"])) <= LOOPBACK
    made.send("orders")
    made.does("run", "--mapping", "orders", "--exit-when-idle", "1")
    assert made.report()["orders"]["delivered"] == 2


def test_a_cluster_that_exists_is_used_and_left_alone(make: Make, tansu: Cluster) -> None:
    made = make("pypi")
    where = ("--bootstrap-servers", tansu.bootstrap_servers)
    made.send("refunds", "--key", "ann", *where)
    made.does("run", "--mapping", "refunds", "--exit-when-idle", "1", *where)
    assert [one["id"] for one in made.handled("refunds")] == [1, 2, 3]
    assert answers(tansu.bootstrap_servers)


def test_what_cannot_be_sent_is_said_with_its_line_and_nothing_is_sent(make: Make, tmp_path: Path) -> None:
    made = make("pypi")
    done = made.run("send", "orders", "--generate", "1")
    assert (done.returncode, "no testbed runs for configs/shop.yaml" in done.stderr) == (2, True)
    (tmp_path / "odd.jsonl").write_text('{"id": 1}\n\nnothing\n{"id": 2}\n')
    done = made.run("send", "stock", str(tmp_path / "odd.jsonl"))
    assert done.returncode == 2
    assert [line.partition(":")[2][:2] for line in done.stderr.splitlines()] == ["1:", "3:", "4:"]
    done = made.run("send", "order", "--generate", "1")
    assert (done.returncode, "did you mean orders?" in done.stderr) == (2, True)
    assert made.run("send", "orders").returncode == 2


def test_diff_says_what_has_no_meaning_and_what_differs(make: Make) -> None:
    made = make("pypi")
    told = made.does("diff")
    assert "mappings.clicks.starting_position: the topic is the testbed's" in told
    assert told.index("The testbed: FIFO queues") < told.index("Configuration")
    rows = json.loads(made.does("diff", "--json"))["rows"]
    assert {"The testbed: queues", "The testbed: streams", "The testbed: Kafka"} <= {row["section"] for row in rows}
    assert not any(row["section"] == "The testbed: tumbling windows" for row in rows)
