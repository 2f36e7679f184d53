"""How long a group waits for a member that says nothing, where that is for the brokers to say (KIP-848)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]

from headrace_connectors.kafka.logs import LIBRDKAFKA

SESSION: Final = "consumer.session.timeout.ms"

SECONDS: Final = 10.0
"""For the answer."""

REFUSED: Final = frozenset(
    {
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.INVALID_REQUEST,  # by brokers that have no settings of groups
    }
)


def told_by_brokers(settings: Mapping[str, Any], group: str) -> float | None:
    """Seconds, as they hold for *group*; None where we may not know. *settings*: in librdkafka's words.

    Raises:
        KafkaException: nobody answers.
    """
    wanted = ConfigResource(ResourceType.GROUP, group)
    configuration: dict[str, Any] = {**settings, "logger": LIBRDKAFKA}
    admin = AdminClient(configuration)  # held until it has answered: its end would end the question
    try:
        found = admin.describe_configs([wanted], request_timeout=SECONDS)[wanted].result(SECONDS + 1)
    except KafkaException as error:
        if error.args[0].code() in REFUSED:
            return None
        raise
    return int(found[SESSION].value) / 1000 if SESSION in found else None
