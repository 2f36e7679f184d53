"""Partitions that come and go while a topic is written and offsets are committed, by each way to read it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from confluent_kafka import Producer

from headrace_connectors.kafka.client import Fenced, Offset, TopicPartition
from support.kafka import Cluster
from support.kafka_members import Driven, member, until
from support.kafka_ways import CLASSIC, SESSION, WAYS, Way, shorten

PARTITIONS = 4


@contextmanager
def writing(servers: str, topic: str) -> Iterator[None]:
    """A record to each partition, twenty times a second."""
    producer, enough = Producer({"bootstrap.servers": servers, "log_level": 0}), threading.Event()

    def write() -> None:
        while not enough.wait(0.05):
            for partition in range(PARTITIONS):
                producer.produce(topic, b"one", partition=partition)
            producer.flush(10)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_what_is_read_as_soon_as_it_is_assigned_has_no_hole(apache_kafka: Cluster, way: Way) -> None:
    """Of partitions, too, that the member has not had before.

    Mutation: librdkafka's own word for the end, until they are moved: it goes there half a second after they were.
    """
    topic, group, servers = apache_kafka.topic(PARTITIONS), apache_kafka.group(), apache_kafka.bootstrap_servers
    shorten(servers, group)
    with writing(servers, topic), member(servers, group, [topic], **way.source) as other:
        until(lambda: len(other.ours) == PARTITIONS)
        with member(servers, group, [topic], wait=0.02, **way.source) as one:
            until(lambda: len(one.ours) == PARTITIONS / 2)
            _read(one, one.ours)
            had = set(one.ours)
            other.close()
            until(lambda: len(one.ours) == PARTITIONS)
            _read(one, one.ours - had)
            time.sleep(1.5)
    for number in range(PARTITIONS):
        offsets = [message.offset for message in one.records if message.partition == number]
        assert offsets == list(range(len(offsets))), f"partition {number}"
        assert len(offsets) > 10


def _read(one: Driven, which: set[TopicPartition]) -> None:
    for part in sorted(which):
        one.read(part, 0)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_who_keeps_a_partition_through_a_change_may_commit_it_all_the_time(apache_kafka: Cluster, way: Way) -> None:
    """Others join and leave. A commit may be told to try again, and then is taken; it is not told of a loss.

    Mutation: ILLEGAL_GENERATION taken for a loss: the group is a generation ahead of what the member has heard.
    """
    topic, group, servers = apache_kafka.topic(PARTITIONS), apache_kafka.group(), apache_kafka.bootstrap_servers
    shorten(servers, group)
    with ExitStack() as stack:
        one = stack.enter_context(member(servers, group, [topic], **way.source))
        until(lambda: len(one.ours) == PARTITIONS)
        fenced, enough = list[Fenced](), threading.Event()
        committing = threading.Thread(target=_commit_on_and_on, args=(one, fenced, enough))
        committing.start()
        try:
            for _ in range(3):
                with member(servers, group, [topic], **way.source) as other:
                    until(lambda: len(other.ours) == PARTITIONS / 2)
                until(lambda: len(one.ours) == PARTITIONS)
        finally:
            enough.set()
            committing.join()
        assert fenced == []
        kept = min(one.ours)
        one.client.commit({kept: Offset(7, "at last")}, 10)
        assert one.client.committed([kept], 10) == {kept: Offset(7, "at last")}
    assert [what for what, _ in one.moved()].count("lost") == 0


@pytest.mark.parametrize("way", CLASSIC, ids=str)
def test_a_commit_that_waits_for_the_group_to_stand_leaves_the_member_in_touch_with_it(
    apache_kafka: Cluster, way: Way
) -> None:
    """One member lets go slowly, for longer than a session; the other joins meanwhile, and its broker answers nothing.

    Mutation: a commit that the polling thread waits for: a deadline passes of a member that the group counts in.
    """
    topic, group, servers = apache_kafka.topic(6), apache_kafka.group(), apache_kafka.bootstrap_servers
    with ExitStack() as stack:

        def join() -> Driven:
            return stack.enter_context(member(servers, group, [topic], **way.source))

        slow, one = join(), join()
        until(lambda: len(slow.ours) == len(one.ours) == 3)
        slow.hold.clear()
        other = join()
        until(lambda: len(one.ours) == 2)
        fenced, enough, silences = list[Fenced](), threading.Event(), list[float]()
        committing = threading.Thread(target=_commit_on_and_on, args=(one, fenced, enough))
        committing.start()
        end = time.monotonic() + SESSION + 2
        while time.monotonic() < end:
            silences.append(one.client.silence())
            time.sleep(0.05)
        assert max(silences) < SESSION * 0.9
        slow.hold.set()
        until(lambda: len(slow.ours) == len(one.ours) == len(other.ours) == 2)
        enough.set()
        committing.join()
        assert fenced == []


def _commit_on_and_on(one: Driven, fenced: list[Fenced], enough: threading.Event) -> None:
    while not enough.is_set():
        held = sorted(one.ours)
        try:
            one.client.commit(dict.fromkeys(held, Offset(1, "held")), 5)
        except Fenced as error:
            if set(held) <= one.ours:
                fenced.append(error)
        except Exception:
            time.sleep(0.001)  # to be tried again


@pytest.mark.parametrize("way", CLASSIC, ids=str)
def test_a_session_is_as_long_as_the_member_says(apache_kafka: Cluster, way: Way) -> None:
    """Mutation: the brokers' own."""
    with member(apache_kafka.bootstrap_servers, apache_kafka.group(), [apache_kafka.topic()], **way.source) as one:
        assert one.client.session == SESSION


def test_a_session_is_as_long_as_the_brokers_say_where_they_share_out(apache_kafka: Cluster) -> None:
    """For this group. Mutation: the option's default: a member would work on what another has by then."""
    topic, group, servers = apache_kafka.topic(), apache_kafka.group(), apache_kafka.bootstrap_servers
    shorten(servers, group)
    for name, session in ((group, SESSION), (apache_kafka.group(), 45.0)):
        with member(servers, name, [topic], **WAYS[-1].source) as one:
            until(lambda: one.ours == {TopicPartition(topic, 0)})
            assert one.client.session == session
