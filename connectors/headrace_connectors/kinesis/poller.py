"""Kinesis for programs: the connector as a poller object."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, Unpack

from headrace.functions.invocation import Handler
from headrace.ledger import Ledger
from headrace.poller import Poller
from headrace_connectors.aws import AwsSettings
from headrace_connectors.catalog import catalog
from headrace_connectors.kinesis.options import name_of
from headrace_connectors.kinesis.source import kinesis
from headrace_connectors.streams.arguments import StreamPollerOptions
from headrace_connectors.streams.reader import OnTrimmed


class KinesisPoller(Poller):
    """Reads the shards of a Kinesis stream: by polling, or as a registered *consumer* (enhanced fan-out).

    ```python
    async with KinesisPoller(stream="clicks", handler=handler, starting_position="TRIM_HORIZON") as poller:
        await poller.run()
    ```

    Arguments are those of `source: {type: kinesis}` and of a mapping in the config file. *state* is where leases and
    checkpoints are kept. A destination of AWS goes by the same region, endpoint and credentials unless it says
    otherwise; without *profile*, *credentials* and *role_arn* those come from AWS's standard chain.
    """

    def __init__(
        self,
        *,
        stream: str,
        handler: Handler,
        starting_position: Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"],
        starting_position_timestamp: str | float | datetime | None = None,
        name: str | None = None,
        timeout: float = 30,
        drain_timeout: float = 30,
        state: str | Ledger | None = None,
        consumer: str | None = None,
        deaggregate: bool = False,
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
            "stream": stream,
            "starting_position": starting_position,
            "starting_position_timestamp": starting_position_timestamp,
            "consumer": consumer,
            "deaggregate": deaggregate,
            "on_trimmed": on_trimmed,
            **aws,
            **settings,
        }
        super().__init__(
            kinesis,
            handler,
            arguments,
            name=name or name_of(str(stream)),  # what is wrong in it is the options' to refuse
            timeout=timeout,
            drain_timeout=drain_timeout,
            state=state,
            catalog=catalog,
            sections={"aws": AwsSettings.model_construct(**aws)},
        )
