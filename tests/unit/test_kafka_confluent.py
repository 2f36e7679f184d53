"""The second client: what is refused of it, what its messages and statistics mean, and who carries out its commits."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest
from confluent_kafka import KafkaError, Message
from confluent_kafka import TopicPartition as Partition

from headrace_connectors.kafka import statistics
from headrace_connectors.kafka.client import Offset, OutOfRange, TopicPartition, Unreadable
from headrace_connectors.kafka.committing import Committing
from headrace_connectors.kafka.librdkafka import of_group
from headrace_connectors.kafka.options import KafkaOptions, check
from headrace_connectors.kafka.placing import NOWHERE
from headrace_connectors.kafka.pollthread import PollThread
from headrace_connectors.kafka.sorting import Fault, Sorted
from support.messages import opening

ZERO, ONE = TopicPartition("t", 0), TopicPartition("t", 1)


def options(**given: Any) -> KafkaOptions:
    return KafkaOptions(topics=["t"], bootstrap_servers="kafka:9092", **given)


def faults(**given: Any) -> dict[str, str]:
    return {fault.path: fault.message for fault in check(opening(options=options(**given)))}


def test_the_default_is_what_is_installed_everywhere() -> None:
    assert (options().client, options().group_protocol) == ("kafka-python", "classic")
    assert faults() == faults(client="confluent") == {}


def test_a_client_that_is_not_installed_is_refused_with_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutation: found out at the first connection, as an ImportError."""
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    assert faults(client="confluent") == {
        "source.client": "confluent is not installed: pip install headrace[confluent]"
    }
    assert faults() == {}


def test_what_the_consumer_protocol_does_not_take_is_refused() -> None:
    """Mutation: accepted and ignored."""
    assert list(faults(group_protocol="consumer")) == ["source.group_protocol"]
    assert faults(client="confluent", group_protocol="consumer") == {}
    assert list(
        faults(
            client="confluent",
            group_protocol="consumer",
            session_timeout_ms=10_000,
            partition_assignment_strategy="range",
        )
    ) == ["source.session_timeout_ms", "source.partition_assignment_strategy"]


def test_options_in_librdkafkas_words() -> None:
    """Mutation: a name left out; a classic name beside group.protocol, which librdkafka refuses."""
    given = of_group(options(group_instance_id="a", session_timeout_ms=6000, metadata_max_age_ms=5000), "shop")
    assert given == {
        "group.id": "shop",
        "group.instance.id": "a",
        "max.poll.interval.ms": 300_000,
        "topic.metadata.refresh.interval.ms": 5000,
        "statistics.interval.ms": 600,
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 1500,
        "partition.assignment.strategy": "cooperative-sticky",
    }
    kip_848 = of_group(options(client="confluent", group_protocol="consumer"), "shop")
    assert kip_848.keys() & {"session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"} == set()
    assert kip_848["group.protocol"] == "consumer"


def test_a_partition_stands_at_an_offset_until_it_is_moved() -> None:
    """Mutation: a word of librdkafka's for an end: records between two looks at where that is would be passed over."""
    assert NOWHERE >= 0


def message(partition: int, offset: int, **more: Any) -> Message:
    return Message(
        topic="t", partition=partition, offset=offset, timestamp=more.pop("timestamp", (1, 1_700_000_000_000)), **more
    )


def failed(partition: int, offset: int, code: int) -> Message:
    return message(partition, offset, error=KafkaError(code, "why"))


def test_messages_by_partition_as_records_see_them() -> None:
    """Mutations: partitions mixed; no headers as None; timestamp types not counted from 0."""
    came = Sorted(
        [
            message(0, 5, key=b"k", value=b"v", headers=[("h", b"1"), ("h", None)]),
            message(1, 2, timestamp=(2, 7)),
            message(0, 6, timestamp=(0, -1)),
        ],
        {},
    )
    assert came.found == {
        ZERO: [
            ("t", 0, 5, 1_700_000_000_000, 0, b"k", b"v", [("h", b"1"), ("h", None)]),
            ("t", 0, 6, -1, -1, None, None, ()),
        ],
        ONE: [("t", 1, 2, 7, 1, None, None, ())],
    }
    assert came.next == {ZERO: 7, ONE: 3}


def test_an_end_moves_the_position_past_what_is_not_shown() -> None:
    """Mutations: the end taken for an error; the last message's offset over it."""
    came = Sorted([message(0, 5), failed(0, 8, KafkaError._PARTITION_EOF)], {})
    assert (came.next, came.errors) == ({ZERO: 8}, [])


def test_nothing_behind_a_fault_is_handed_on() -> None:
    """Mutation: what follows a batch with a wrong checksum delivered, and that one passed over."""
    known: dict[TopicPartition, Fault] = {}
    came = Sorted(
        [
            message(0, 5),
            failed(0, 6, KafkaError._BAD_MSG),
            message(0, 9),
            failed(1, 3, KafkaError._AUTO_OFFSET_RESET),
            message(1, 4),
        ],
        known,
    )
    assert came.found == {ZERO: [("t", 0, 5, 1_700_000_000_000, 0, None, None, ())]}
    assert isinstance(known[ZERO], Unreadable)
    assert isinstance(known[ONE], OutOfRange)
    assert known[ONE].offsets == {ONE: 3}


def test_other_errors_are_raised_as_they_are() -> None:
    came = Sorted([failed(0, 0, KafkaError.TOPIC_AUTHORIZATION_FAILED)], {})
    assert [error.args[0].code() for error in came.errors] == [KafkaError.TOPIC_AUTHORIZATION_FAILED]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("{}", (False, None)),
        ('{"brokers": {"a:1/1": {"state": "UP"}}}', (True, None)),
        ('{"brokers": {"GroupCoordinator": {"state": "DOWN", "rxidle": 2500000}}}', (False, 2.5)),
        ('{"brokers": {"GroupCoordinator": {"rxidle": -1}}, "cgrp": {"join_state": "steady"}}', (False, None)),
        ('{"brokers": {"GroupCoordinator": {"rxidle": 9000000}}, "cgrp": {"join_state": "wait-join"}}', (False, 0.0)),
    ],
)
def test_what_statistics_say(said: str, meant: tuple[bool, float | None]) -> None:
    """Mutations: the idle time of any connection; silence while the coordinator waits for the others."""
    assert statistics.of(said) == meant


def test_commits_are_carried_out_by_the_poll_thread_while_it_waits() -> None:
    """Mutation: a callback that waits for `done` alone, which waits for the commit."""
    polls = PollThread()
    ran: list[int] = []
    done = polls.waits()

    def drain() -> None:
        polls.run(lambda: ran.append(threading.get_ident()))
        done()

    draining = threading.Thread(target=drain)
    draining.start()
    while not polls.work_until(done, 5):
        pass
    draining.join()
    assert ran == [threading.get_ident()]


def test_commits_are_carried_out_while_it_rests() -> None:
    """Mutations: a rest that hears nothing; one that ends with the first commit, or is over before it has begun."""
    polls, ran = PollThread(), list[int]()

    def drain() -> None:
        for number in (1, 2):
            polls.run(lambda number=number: ran.append(number))  # type: ignore[misc]
        polls.wake()

    for times in (1, 2):
        draining = threading.Thread(target=drain, daemon=True)
        draining.start()
        polls.rest(60)
        draining.join(20)
        assert ran == [1, 2] * times
    polls.wake()
    polls.rest(60)


def test_a_commit_ends_a_rest_for_it_is_answered_within_a_poll() -> None:
    """Mutation: one that waits for the end of a rest: each attempt of a careful lane does."""

    class Sends:
        def commit(self, offsets: list[Partition], **_: object) -> None:
            assert [one.offset for one in offsets] == [3]

    polls, answered = PollThread(), threading.Event()
    commits = Committing(polls, lambda _: None)

    def commit() -> None:
        commits.commit(Sends(), {ZERO: Offset(3)})  # type: ignore[arg-type]
        answered.set()

    threading.Thread(target=commit, daemon=True).start()
    resting = threading.Thread(target=polls.rest, args=(60,), daemon=True)
    resting.start()
    resting.join(20)
    assert not resting.is_alive()
    commits.answered(None, [])
    assert answered.wait(20)


def test_what_is_asked_of_one_that_is_closed_is_refused() -> None:
    """Mutation: waited for, for ever."""
    polls = PollThread()
    polls.close()
    with pytest.raises(RuntimeError, match="closed"):
        polls.run(lambda: None)


def test_what_a_commit_raises_is_raised_where_it_was_asked_for() -> None:
    polls, raised = PollThread(), []

    def ask() -> None:
        try:
            polls.run(lambda: 1 // 0)  # type: ignore[arg-type,return-value]
        except ZeroDivisionError as error:
            raised.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    while asking.is_alive():
        polls.work()
    assert len(raised) == 1
