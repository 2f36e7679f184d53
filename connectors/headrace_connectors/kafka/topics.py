"""Asking a cluster for one topic: whether it is there, and what we may do with it. Blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError, for_code

from headrace.errors import SourceUnavailable
from headrace_connectors.kafka.clients import of_kafka_python
from headrace_connectors.kafka.connecting import KafkaSettings
from headrace_connectors.kafka.refusals import sentence
from headrace_connectors.kafka.watching import Watch

WHEN_CHECKED: Final = 4.0
"""Seconds for `check --connect`, which has 15 for a mapping with its destination."""


class Refused(SourceUnavailable):
    """A cluster cannot be reached, or does not serve us; `missing`: the topic is not there."""

    def __init__(self, message: str, *, missing: bool = False) -> None:
        self.missing = missing
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Topic:
    """`may`: the operations that this principal is allowed, as READ and WRITE."""

    partitions: int
    may: frozenset[str]


def look_up(name: str, settings: KafkaSettings, seconds: float) -> Topic:
    """The topic *name*, within *seconds* for the connection and as many for the answer.

    Raises:
        Refused: in words for people.
    """
    watch = Watch()
    milliseconds = max(1, int(seconds * 1000))
    try:
        admin = KafkaAdminClient(
            **of_kafka_python(settings),
            kafka_client=watch.client,
            bootstrap_timeout_ms=milliseconds,
            request_timeout_ms=milliseconds,
        )
    except (KafkaError, OSError) as error:
        watch.abandon()
        raise Refused(sentence(error, settings, watch.last)) from error
    try:
        (found,) = admin.describe_topics([name])
    except (KafkaError, OSError) as error:
        raise Refused(sentence(error, settings, watch.last)) from error
    finally:
        admin.close()
    return _topic(name, found, settings)


def _topic(name: str, found: dict[str, Any], settings: KafkaSettings) -> Topic:
    error = for_code(found["error_code"])
    if error is UnknownTopicOrPartitionError:
        raise Refused(f"there is no topic {name}; create it, or correct its name", missing=True)
    if error is TopicAuthorizationFailedError:
        raise Refused(f"{sentence(error(), settings)}: topic {name}")
    if found["error_code"]:
        raise Refused(f"the topic {name} cannot be used: {error.__name__}")
    return Topic(len(found["partitions"]), frozenset(map(str, found["authorized_operations"] or ())))
