"""How a member joins: by the library that `client` names, with the source's settings in its words."""

from __future__ import annotations

from headrace.plugins import Opening
from headrace_connectors.kafka.client import KafkaClient, Membership
from headrace_connectors.kafka.clients import of_kafka_python, of_librdkafka
from headrace_connectors.kafka.kafka_python import KafkaPythonClient
from headrace_connectors.kafka.member import OpenClient
from headrace_connectors.kafka.options import KafkaOptions
from headrace_connectors.kafka.watching import Watch


def joining(opening: Opening, watch: Watch) -> OpenClient:
    """What `Member.open` calls: connects and joins the group that the options name, or the mapping's own."""
    options: KafkaOptions = opening.options
    connection = options.connection(opening)
    group = options.consumer_group_id or str(opening.uuid)

    def by_kafka_python(membership: Membership) -> KafkaClient:
        return KafkaPythonClient(of_kafka_python(connection), options, watch=watch, group=group, membership=membership)

    def by_confluent(membership: Membership) -> KafkaClient:
        from headrace_connectors.kafka.confluent import ConfluentClient  # noqa: PLC0415 - it may not be installed

        return ConfluentClient(of_librdkafka(connection), options, watch=watch, group=group, membership=membership)

    return by_confluent if options.client == "confluent" else by_kafka_python
