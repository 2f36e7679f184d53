"""Kafka for programs: the connector as a poller object."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Unpack

from headrace.functions.invocation import Handler
from headrace.poller import Poller, PollerOptions
from headrace_connectors.aws import AwsSettings
from headrace_connectors.catalog import catalog
from headrace_connectors.kafka.connecting import SECTION, KafkaSettings, Mechanism, Protocol
from headrace_connectors.kafka.options import OnTrimmed, Strategy
from headrace_connectors.kafka.present.shapes import Presentation
from headrace_connectors.kafka.registration import kafka


class KafkaPollerOptions(PollerOptions, total=False):
    """A mapping's settings and a Kafka source's in the config file, same names, types and defaults."""

    parallelization_factor: int
    bisect_batch_on_function_error: bool
    maximum_record_age_in_seconds: int
    group_instance_id: str
    partition_assignment_strategy: Strategy
    session_timeout_ms: int
    max_poll_interval_ms: int
    metadata_max_age_ms: int
    on_trimmed: OnTrimmed
    present_as: Presentation
    event_source_arn: str
    client_id: str
    security_protocol: Protocol
    sasl_mechanism: Mechanism
    sasl_username: str
    sasl_password: str
    sasl_oauthbearer_client_id: str
    sasl_oauthbearer_client_secret: str
    sasl_oauthbearer_scope: str
    sasl_oauthbearer_token_endpoint_url: str
    https_ca_location: str
    ssl_cafile: str
    ssl_certfile: str
    ssl_keyfile: str
    ssl_password: str
    ssl_check_hostname: bool


class KafkaPoller(Poller):
    """Reads Kafka topics as a member of a consumer group.

    ```python
    async with KafkaPoller(topics=["payments"], bootstrap_servers="localhost:9092", handler=handler) as poller:
        await poller.run()
    ```

    Arguments are those of `source: {type: kafka}` and of a mapping in the config file. Positions are kept where the
    group keeps them. Without *consumer_group_id* the group is the mapping's UUID, which is of *name* alone: give one
    of the two. A destination of AWS goes by its own region, endpoint and role, and AWS's standard chain.
    """

    def __init__(
        self,
        *,
        topics: list[str],
        bootstrap_servers: list[str] | str,
        handler: Handler,
        consumer_group_id: str | None = None,
        starting_position: Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"] | None = None,
        starting_position_timestamp: str | float | datetime | None = None,
        name: str | None = None,
        timeout: float = 30,
        drain_timeout: float = 30,
        **settings: Unpack[KafkaPollerOptions],
    ) -> None:
        arguments = {
            "topics": topics,
            "bootstrap_servers": bootstrap_servers,
            "consumer_group_id": consumer_group_id,
            "starting_position": starting_position,
            "starting_position_timestamp": starting_position_timestamp,
            **settings,
        }
        super().__init__(
            kafka,
            handler,
            arguments,
            name=name or "-".join(map(str, topics)),  # what is wrong in them is the options' to refuse
            timeout=timeout,
            drain_timeout=drain_timeout,
            state="memory:",
            catalog=catalog,
            sections={"aws": AwsSettings.model_construct(), SECTION: KafkaSettings()},
        )
