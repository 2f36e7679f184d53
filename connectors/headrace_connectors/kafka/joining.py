"""How a member joins: by the library that `client` names, with the source's settings in its words."""

from __future__ import annotations

from headrace.plugins import Opening
from headrace_connectors.kafka.client import KafkaClient, Membership
from headrace_connectors.kafka.clients import of_kafka_python
from headrace_connectors.kafka.kafka_python import KafkaPythonClient
from headrace_connectors.kafka.member import OpenClient
from headrace_connectors.kafka.options import KafkaOptions
from headrace_connectors.kafka.watching import Watch


def joining(opening: Opening, watch: Watch) -> OpenClient:
    """What `Member.open` calls: connects and joins the group that the options name, or the mapping's own."""
    options: KafkaOptions = opening.options
    connection = options.connection(opening)

    def join(membership: Membership) -> KafkaClient:
        return KafkaPythonClient(
            of_kafka_python(connection),
            options,
            watch=watch,
            group=options.consumer_group_id or str(opening.uuid),
            membership=membership,
        )

    return join
