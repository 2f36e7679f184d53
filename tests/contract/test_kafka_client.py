"""What `KafkaClient` promises, by both libraries against Apache Kafka.

Each test names the mutation that it was seen to fail on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import confluent_kafka
import pytest

from headrace_connectors.kafka.client import Fenced, Offset, OutOfRange, TopicPartition
from headrace_connectors.kafka.logs import LIBRDKAFKA
from support.kafka import Cluster
from support.kafka_members import Driven, member, produce, until

CLASSIC = ("kafka-python", "confluent")
SESSION = 3.0


class Join(Protocol):
    def __call__(self, topic: str, group: str, **options: Any) -> Driven: ...


@pytest.fixture
def members() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=CLASSIC)
def join(apache_kafka: Cluster, members: ExitStack, request: pytest.FixtureRequest) -> Join:
    """`join(topic, group, …)`: a member by the client under test, in a classic group with a short session."""

    def make(topic: str, group: str, **options: Any) -> Driven:
        more = {"client": request.param, "session_timeout_ms": int(SESSION * 1000), "max_poll_interval_ms": 20_000}
        return members.enter_context(member(apache_kafka.bootstrap_servers, group, [topic], **{**more, **options}))

    return make


def parts(topic: str, count: int) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in range(count)]


def test_what_is_assigned_is_paused_and_reads_from_where_it_is_sought(apache_kafka: Cluster, join: Join) -> None:
    """Mutations: not paused in the callback; seek forgotten."""
    topic = apache_kafka.topic(2)
    produce(apache_kafka.bootstrap_servers, topic, {0: 100, 1: 100})
    one = join(topic, apache_kafka.group())
    first, second = parts(topic, 2)
    until(lambda: one.ours == {first, second})
    produce(apache_kafka.bootstrap_servers, topic, {0: 10, 1: 10})
    time.sleep(1)
    assert one.records == []
    assert one.raised == []
    one.read(first, 40)
    until(lambda: len(one.records) == 70)
    assert [(m.topic, m.partition, m.offset) for m in one.records] == [(topic, 0, n) for n in range(40, 110)]
    assert one.records[0].value == b"40"
    assert one.records[0].timestamp_type == 0
    assert one.records[0].timestamp > 0
    until(lambda: one.position(first) == 110)
    one.do(lambda: one.client.pause(first))
    produce(apache_kafka.bootstrap_servers, topic, {0: 5})
    time.sleep(1)
    assert len(one.records) == 70
    one.do(lambda: one.client.resume(first))
    until(lambda: len(one.records) == 75)


@pytest.mark.parametrize("strategy", ["cooperative-sticky", "range"])
def test_who_gets_nothing_is_told_so(apache_kafka: Cluster, join: Join, strategy: str) -> None:
    """Mutation: kafka-python's listener alone, which is not told of a cooperative assignment without additions."""
    topic, group = apache_kafka.topic(1), apache_kafka.group()
    one = join(topic, group, partition_assignment_strategy=strategy)
    until(lambda: len(one.ours) == 1)
    other = join(topic, group, partition_assignment_strategy=strategy)
    until(lambda: one.told[-1][0] == "assigned" and other.told)
    assert len(one.ours) + len(other.ours) == 1
    assert ("assigned", []) in one.told + other.told


def test_a_join_that_takes_longer_than_a_poll_is_gone_on_with(apache_kafka: Cluster, join: Join) -> None:
    """Mutation: kafka-python as it is: it may forget a join that a change of topics began, and hangs for ever."""
    topic = apache_kafka.topic(1)
    one = join(topic, apache_kafka.group(), metadata_max_age_ms=300, wait=0.001)
    until(lambda: len(one.ours) == 1)
    for count in range(2, 6):
        with apache_kafka.admin() as admin:
            admin.create_partitions({topic: count})
        until(lambda: len(one.ours) == count)  # noqa: B023


@pytest.mark.parametrize("strategy", ["cooperative-sticky", "range"])
def test_the_group_waits_for_what_is_let_go_longer_than_a_session(
    apache_kafka: Cluster, join: Join, strategy: str
) -> None:
    """Mutations: done at once; a callback that keeps commits from being sent."""
    topic, group = apache_kafka.topic(4), apache_kafka.group()
    produce(apache_kafka.bootstrap_servers, topic, dict.fromkeys(range(4), 10))
    one = join(topic, group, partition_assignment_strategy=strategy)
    until(lambda: len(one.ours) == 4)
    one.hold.clear()
    other = join(topic, group, partition_assignment_strategy=strategy)
    until(lambda: len(one.moved()) == 2)
    (_, revoked) = one.moved()[1]
    until_when = time.monotonic() + SESSION + 2
    while time.monotonic() < until_when:
        one.client.commit({part: Offset(5, "held") for part in revoked}, 10)
        assert one.client.silence() < SESSION * 0.9
        assert other.ours & set(revoked) == set()
        time.sleep(0.5)
    one.client.commit({part: Offset(7, "let go") for part in revoked}, 10)
    one.hold.set()
    until(lambda: len(one.ours) == len(other.ours) == 2)
    assert one.ours | other.ours == set(parts(topic, 4))
    assert [what for what, _ in one.moved()].count("lost") == 0
    assert set(other.client.committed(revoked, 10).values()) == {Offset(7, "let go")}


def test_commits_of_several_partitions_come_back_with_their_texts(apache_kafka: Cluster, join: Join) -> None:
    """Mutations: the text dropped; a partition without an offset given as 0 or -1001."""
    topic, group = apache_kafka.topic(3), apache_kafka.group()
    one = join(topic, group)
    first, second, third = parts(topic, 3)
    until(lambda: len(one.ours) == 3)
    one.client.commit({first: Offset(3, "a"), second: Offset(0, "")}, 10)
    assert one.client.committed([first, second, third], 10) == {first: Offset(3, "a"), second: Offset(0, "")}


def test_beginnings_ends_and_times(apache_kafka: Cluster, join: Join) -> None:
    """Mutations: beginnings as 0; the end of an open transaction's records; a time in seconds."""
    topic = apache_kafka.topic(2)
    produce(apache_kafka.bootstrap_servers, topic, {0: 20})
    time.sleep(0.05)
    between = time.time()
    time.sleep(0.05)
    produce(apache_kafka.bootstrap_servers, topic, {0: 20})
    one = join(topic, apache_kafka.group())
    first, second = parts(topic, 2)
    with apache_kafka.admin() as admin:
        admin.delete_records({_theirs(first): 10})
    assert one.client.beginnings([first, second], 10) == {first: 10, second: 0}
    assert one.client.ends([first, second], 10) == {first: 40, second: 0}
    assert one.client.at([first, second], between, 10) == {first: 20, second: 0}
    assert one.client.at([first], time.time() + 100, 10) == {first: 40}
    assert one.client.partitions(topic) == [0, 1]
    assert one.client.partitions(apache_kafka.name("none")) == []


def _theirs(part: TopicPartition) -> Any:
    from kafka import TopicPartition as Theirs  # noqa: PLC0415

    return Theirs(*part)


def test_what_is_not_there_is_told_until_it_is_moved(apache_kafka: Cluster, join: Join) -> None:
    """Mutations: a reset to the earliest; no seek after it (librdkafka stops such a partition)."""
    topic = apache_kafka.topic(2)
    produce(apache_kafka.bootstrap_servers, topic, {0: 50, 1: 50})
    first, second = parts(topic, 2)
    with apache_kafka.admin() as admin:
        admin.delete_records({_theirs(first): 30})
    one = join(topic, apache_kafka.group())
    until(lambda: len(one.ours) == 2)
    one.read(first, 10)
    until(lambda: len(one.faults(OutOfRange)) > 1)
    assert one.faults(OutOfRange)[0].offsets == {first: 10}
    assert one.records == []
    one.do(lambda: one.client.pause(first))
    one.read(second, 45)
    until(lambda: len(one.records) == 5)
    one.read(first, 30)
    until(lambda: len(one.records) == 25)
    assert [m.offset for m in one.records if m.partition == 0] == list(range(30, 50))
    assert [m.offset for m in one.records if m.partition == 1] == list(range(45, 50))


def test_markers_and_what_was_aborted_are_passed(apache_kafka: Cluster, join: Join) -> None:
    """Mutations: read_uncommitted; a position that stands before the marker."""
    topic = apache_kafka.topic(1)
    (part,) = parts(topic, 1)
    producer = confluent_kafka.Producer(
        {
            "bootstrap.servers": apache_kafka.bootstrap_servers,
            "transactional.id": apache_kafka.name("tx"),
            "logger": LIBRDKAFKA,
        }
    )
    producer.init_transactions(30)
    for outcome in ("commit", "abort", "commit", "abort"):
        producer.begin_transaction()
        for number in range(3):
            producer.produce(topic, f"{outcome} {number}".encode(), partition=0)
        producer.flush(30)
        producer.commit_transaction(30) if outcome == "commit" else producer.abort_transaction(30)
    one = join(topic, apache_kafka.group())
    until(lambda: one.ours == {part})
    assert one.client.ends([part], 10) == {part: 16}
    one.read(part, 0)
    until(lambda: one.position(part) == 16)
    assert [m.value for m in one.records] == [f"commit {n}".encode() for n in range(3)] * 2


def test_who_leaves_is_missed_at_once(apache_kafka: Cluster, join: Join) -> None:
    """Mutation: close without leaving; the other would wait for a session of a minute."""
    topic, group = apache_kafka.topic(4), apache_kafka.group()
    one = join(topic, group, session_timeout_ms=60_000, max_poll_interval_ms=60_000)
    other = join(topic, group, session_timeout_ms=60_000, max_poll_interval_ms=60_000)
    until(lambda: len(one.ours) == len(other.ours) == 2)
    one.close()
    assert one.ours == set()
    until(lambda: len(other.ours) == 4, 15)


def test_who_polls_too_late_is_fenced_told_and_joins_again(apache_kafka: Cluster, join: Join) -> None:
    """Mutations: a commit without an id sent all the same; lost partitions told as revoked."""
    topic, group = apache_kafka.topic(2), apache_kafka.group()
    one = join(topic, group, max_poll_interval_ms=3000)
    until(lambda: len(one.ours) == 2)
    held = set(one.ours)
    one.client.commit({part: Offset(1) for part in held}, 10)
    one.stand_still()
    other = join(topic, group, max_poll_interval_ms=60_000)
    until(lambda: len(other.ours) == 2)
    one.go_on()
    until(lambda: one.ours and len(one.ours) + len(other.ours) == 2)
    assert {part for what, gone in one.moved() if what == "lost" for part in gone} == held


def test_a_member_that_was_removed_commits_nothing(apache_kafka: Cluster, join: Join) -> None:
    """Mutation: UNKNOWN_MEMBER_ID taken for an error that is tried again."""
    topic, group = apache_kafka.topic(2), apache_kafka.group()
    one = join(topic, group, session_timeout_ms=60_000, max_poll_interval_ms=60_000)
    until(lambda: len(one.ours) == 2)
    (part, _) = sorted(one.ours)
    one.client.commit({part: Offset(1, "mine")}, 10)
    one.hold.clear()  # or it would have joined again before it is asked
    _remove(apache_kafka, group)
    with pytest.raises(Fenced):
        one.client.commit({part: Offset(2, "late")}, 10)
    assert one.client.committed([part], 10) == {part: Offset(1, "mine")}
    one.hold.set()
    until(lambda: len(one.moved()) > 1 and len(one.ours) == 2)
    assert one.moved()[1][0] == "lost"
    one.client.commit({part: Offset(3, "again")}, 10)


def _remove(cluster: Cluster, group: str) -> None:
    with cluster.admin() as admin:
        (told,) = admin.describe_groups([group]).values()
        ids = [one["member_id"] for one in told["members"]]
        admin.remove_group_members(group, [_to_remove(one) for one in ids])


def _to_remove(member_id: str) -> Any:
    from kafka.admin import MemberToRemove  # noqa: PLC0415

    return MemberToRemove(member_id=member_id)


def test_a_static_member_that_comes_back_gets_its_own_and_nobody_else_stops(apache_kafka: Cluster, join: Join) -> None:
    """Mutation: group_instance_id not passed on."""
    topic, group = apache_kafka.topic(4), apache_kafka.group()
    long: dict[str, Any] = {"session_timeout_ms": 60_000, "max_poll_interval_ms": 60_000}
    one, other = (join(topic, group, group_instance_id=name, **long) for name in ("a", "b"))
    until(lambda: len(one.ours) == len(other.ours) == 2)
    before, told = set(one.ours), other.moved()
    one.close()
    again = join(topic, group, group_instance_id="a", **long)
    until(lambda: again.ours == before)
    assert other.moved() == told


def test_of_two_of_one_name_the_older_is_fenced(apache_kafka: Cluster, join: Join) -> None:
    """Mutation: FENCED_INSTANCE_ID taken for an error that is tried again."""
    topic, group = apache_kafka.topic(1), apache_kafka.group()
    long: dict[str, Any] = {"session_timeout_ms": 60_000, "max_poll_interval_ms": 60_000, "group_instance_id": "a"}
    one = join(topic, group, **long)
    (part,) = parts(topic, 1)
    until(lambda: one.ours == {part})
    one.client.commit({part: Offset(1, "older")}, 10)
    other = join(topic, group, **long)
    until(lambda: other.ours == {part})
    with pytest.raises(Fenced):
        one.client.commit({part: Offset(2, "late")}, 10)
    assert other.client.committed([part], 10) == {part: Offset(1, "older")}


def test_partitions_shared_out_by_the_brokers(apache_kafka: Cluster, members: ExitStack) -> None:
    """KIP-848. Mutation: the eager calls within a callback."""
    topic, group = apache_kafka.topic(4), apache_kafka.group()
    produce(apache_kafka.bootstrap_servers, topic, dict.fromkeys(range(4), 10))

    def join() -> Driven:
        more: dict[str, Any] = {"client": "confluent", "group_protocol": "consumer"}
        return members.enter_context(member(apache_kafka.bootstrap_servers, group, [topic], **more))

    one = join()
    until(lambda: len(one.ours) == 4)
    one.hold.clear()
    other = join()
    until(lambda: len(one.moved()) == 2)
    (_, revoked) = one.moved()[1]
    one.client.commit({part: Offset(4, "let go") for part in revoked}, 10)
    assert other.ours == set()
    one.hold.set()
    until(lambda: len(one.ours) == len(other.ours) == 2)
    assert set(other.client.committed(revoked, 10).values()) == {Offset(4, "let go")}
    for part in sorted(other.ours):
        other.read(part, 4)
    until(lambda: len(other.records) == 12)
    one.close()
    until(lambda: len(other.ours) == 4, 15)
