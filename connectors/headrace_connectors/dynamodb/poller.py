"""DynamoDB Streams for programs: the connector as a poller object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Unpack

from headrace.functions.invocation import Handler
from headrace.ledger import Ledger
from headrace.poller import Poller
from headrace_connectors.aws import AwsSettings
from headrace_connectors.catalog import catalog
from headrace_connectors.dynamodb.arns import table_of
from headrace_connectors.dynamodb.source import dynamodb
from headrace_connectors.streams.arguments import StreamPollerOptions
from headrace_connectors.streams.reader import OnTrimmed


class DynamoDBStreamsPoller(Poller):
    """Polls the stream of a DynamoDB table.

    ```python
    async with DynamoDBStreamsPoller(table="orders", handler=handler, starting_position="LATEST") as poller:
        await poller.run()
    ```

    Arguments are those of `source: {type: dynamodb}` and of a mapping in the config file: exactly one of *table* (its
    name or ARN) and *stream_arn*. *state* is where leases and checkpoints are kept. A destination of AWS goes by the
    same region, endpoint and credentials unless it says otherwise; without *profile*, *credentials* and
    *role_arn* those come from AWS's standard chain.
    """

    def __init__(
        self,
        *,
        handler: Handler,
        starting_position: Literal["TRIM_HORIZON", "LATEST"],
        table: str | None = None,
        stream_arn: str | None = None,
        name: str | None = None,
        timeout: float = 30,
        drain_timeout: float = 30,
        state: str | Ledger | None = None,
        on_trimmed: OnTrimmed | None = None,
        region: str | None = None,
        endpoint_url: str | None = None,
        role_arn: str | None = None,
        profile: str | None = None,
        credentials: Mapping[str, str] | None = None,
        **settings: Unpack[StreamPollerOptions],
    ) -> None:
        aws: dict[str, Any] = {
            "region": region,
            "endpoint_url": endpoint_url,
            "role_arn": role_arn,
            "profile": profile,
            "credentials": credentials,
        }
        arguments = {
            "table": table,
            "stream_arn": stream_arn,
            "starting_position": starting_position,
            "on_trimmed": on_trimmed,
            **aws,
            **settings,
        }
        super().__init__(
            dynamodb,
            handler,
            arguments,
            name=name or table_of(str(stream_arn or table)),  # what is wrong in them is the options' to refuse
            timeout=timeout,
            drain_timeout=drain_timeout,
            state=state,
            catalog=catalog,
            sections={"aws": AwsSettings.model_construct(**aws)},
        )
