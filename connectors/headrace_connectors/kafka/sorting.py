"""What librdkafka hands over, by partition: messages as `Message`, where a partition ends, what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Message as Theirs

from headrace_connectors.kafka.client import OutOfRange, TopicPartition, Unreadable
from headrace_connectors.kafka.message import Message, PlainMessage

# mypy does not see codes that the module computes
OUT_OF_RANGE: Final = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})  # noqa: SLF001 - librdkafka's own codes are called so
UNREADABLE: Final = frozenset({KafkaError._BAD_MSG, KafkaError._BAD_COMPRESSION})  # noqa: SLF001 - as above

Fault = OutOfRange | Unreadable


class Sorted:
    """One poll's messages. *faults* are those of partitions that are stopped by one: nothing behind it is handed on.

    Attributes:
        found: messages, in order, by partition.
        next: the offset behind the last that was handed over, or where a partition ends, past markers and holes.
        errors: what is wrong with no partition in particular.
    """

    def __init__(self, messages: Sequence[Theirs], faults: dict[TopicPartition, Fault]) -> None:
        self.found: dict[TopicPartition, list[Message]] = {}
        self.next: dict[TopicPartition, int] = {}
        self.errors: list[KafkaException] = []
        self._faults = faults
        self._sort(messages)

    def _sort(self, messages: Sequence[Theirs]) -> None:
        """Hot: librdkafka mixes partitions, but what one fetch brought of one comes in a run."""
        new, kind = tuple.__new__, PlainMessage
        topic, partition = "", -1
        append: Any = [].append
        of: Any
        for message in messages:
            if (error := message.error()) is not None:
                self._not_a_message(message, error)
                topic = ""
                continue
            if message.partition() != partition or message.topic() != topic:
                topic, partition = message.topic() or "", message.partition() or 0
                append = self._begin(TopicPartition(topic, partition))
            of, at = message.timestamp()
            append(
                new(
                    kind,
                    (
                        topic,
                        partition,
                        message.offset(),
                        at,
                        of - 1,
                        message.key(),
                        message.value(),
                        message.headers() or (),
                    ),
                )
            )
        for part, found in self.found.items():
            self.next[part] = max(self.next.get(part, 0), found[-1].offset + 1)

    def _begin(self, part: TopicPartition) -> Any:
        """Where the next of *part* go."""
        if part in self._faults:
            return [].append
        return self.found.setdefault(part, []).append

    def _not_a_message(self, message: Theirs, error: KafkaError) -> None:
        code, offset = error.code(), message.offset()
        topic, number = message.topic(), message.partition()
        part = None if topic is None or number is None else TopicPartition(topic, number)
        if part is None or offset is None:
            self.errors.append(KafkaException(error))
        elif code == KafkaError._PARTITION_EOF:  # noqa: SLF001 - as above
            self.next[part] = offset
        elif code in OUT_OF_RANGE:
            self._faults.setdefault(part, OutOfRange({part: offset}))
        elif code in UNREADABLE:
            self._faults.setdefault(part, Unreadable(part, offset, error.str()))
        else:
            self.errors.append(KafkaException(error))
