"""Commits through librdkafka: sent by the thread that polls, and answered while that goes on polling.

While a member joins, a broker answers nothing else on its connection before the group stands. A poll thread that waited
for a commit would not hear from the group for as long as its slowest member takes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as Partition

from headrace_connectors.kafka.client import Fenced, Offset, TopicPartition
from headrace_connectors.kafka.pollthread import PollThread
from headrace_connectors.kafka.questions import raise_of

FENCED: Final = frozenset(
    {
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.FENCED_MEMBER_EPOCH,
        KafkaError._ASSIGNMENT_LOST,  # noqa: SLF001 - librdkafka's own codes are called so
        KafkaError._FENCED,  # noqa: SLF001 - as above
        KafkaError._STATE,  # noqa: SLF001 - as above
    }
)
"""Not REBALANCE_IN_PROGRESS, ILLEGAL_GENERATION and STALE_MEMBER_EPOCH: who is told so is known to the group, which is
ahead of what this member has heard yet. What it keeps in the next generation it may commit in it, so it tries again.
"""


class Sent(NamedTuple):
    """A commit, and who waits for its answer."""

    offsets: Sequence[Partition]
    answer: Future[None]


class Committing:
    """`commit` is for other threads, the rest for the poll thread. *check* raises what forbids a commit.

    librdkafka's answers come in the order of the commits; `answered` is its `on_commit`.
    """

    def __init__(self, thread: PollThread, check: Callable[[Sequence[Partition]], None]) -> None:
        self._thread, self._check = thread, check
        self._sent: deque[Sent] = deque()
        self._at_once = False

    def commit(self, consumer: Consumer, offsets: Mapping[TopicPartition, Offset]) -> None:
        """As `KafkaClient.commit`, for as long as librdkafka takes: what it has given up it sends no more."""
        theirs = [Partition(*part, one.next, one.metadata) for part, one in offsets.items()]
        sent = Sent(theirs, Future())
        self._thread.run(lambda: self._send(consumer, sent))
        sent.answer.result()

    def _send(self, consumer: Consumer, sent: Sent) -> None:
        self._check(sent.offsets)
        if self._at_once:
            self._say(consumer, sent)
        else:
            consumer.commit(offsets=list(sent.offsets), asynchronous=True)
            self._sent.append(sent)
            self._thread.wake()  # it is answered within a poll

    def answered(self, error: KafkaError | None, parts: Sequence[Partition]) -> None:
        """What was answered at once, since, is answered again."""
        sent = self._sent.popleft()
        if not sent.answer.done():
            _tell(sent, lambda: _raise_of(error, parts))

    @contextmanager
    def answers_at_once(self, consumer: Consumer) -> Iterator[None]:
        """Within a callback, during which librdkafka answers nothing: what was sent is sent again, and waited for.

        It goes behind the first, on the same connection: then nothing is on its way any more.
        """
        self._at_once = True
        try:
            for sent in self._sent:
                self._say(consumer, sent)
            yield
        finally:
            self._at_once = False

    def _say(self, consumer: Consumer, sent: Sent) -> None:
        def say() -> None:
            self._check(sent.offsets)
            _raise_of(None, consumer.commit(offsets=list(sent.offsets), asynchronous=False))

        if not sent.answer.done():
            _tell(sent, say)

    def close(self) -> None:
        """Nothing is answered any more."""
        for sent in self._sent:
            if not sent.answer.done():
                sent.answer.set_exception(RuntimeError("the consumer is closed"))


def _tell(sent: Sent, outcome: Callable[[], None]) -> None:
    try:
        outcome()
    except KafkaException as error:
        known = error.args[0].code() in FENCED
        sent.answer.set_exception(Fenced(error.args[0].str()) if known else error)
    except Fenced as error:
        sent.answer.set_exception(error)
    else:
        sent.answer.set_result(None)


def _raise_of(error: KafkaError | None, parts: Sequence[Partition]) -> None:
    if error is not None:
        raise KafkaException(error)
    raise_of(parts)
