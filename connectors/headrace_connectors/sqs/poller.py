"""SQS for programs: the connector as a poller object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from headrace.functions.invocation import Handler
from headrace.poller import Poller, PollerOptions
from headrace_connectors.aws import AwsSettings
from headrace_connectors.catalog import catalog
from headrace_connectors.sqs.queue import name_of
from headrace_connectors.sqs.source import sqs
from headrace_connectors.sqs.unwrap import Kind


class SqsPoller(Poller):
    """Polls an SQS queue, standard or FIFO.

    ```python
    async with SqsPoller(queue_url=url, handler=handler, batch_size=10) as poller:
        await poller.run()
    ```

    Arguments are those of `source: {type: sqs}` and of a mapping in the config file; a destination of AWS goes by the
    same region, endpoint and credentials unless it says otherwise; without *profile*, *credentials* and *role_arn*
    those come from AWS's standard chain. *name* is the function's in the context and in `functionArn` of failure
    records; without it the queue's name is. *state*, a URL as in the config file, is where it is kept what became of
    messages whose destination is away, so that a stop or a kill runs none again; without it they are run again.
    """

    def __init__(
        self,
        *,
        queue_url: str,
        handler: Handler,
        name: str | None = None,
        timeout: float = 30,
        drain_timeout: float = 30,
        state: str | None = None,
        visibility_timeout: int | None = None,
        maximum_visibility: int | None = None,
        one_group_per_batch: bool = False,
        unwrap: list[Kind] | None = None,
        region: str | None = None,
        endpoint_url: str | None = None,
        role_arn: str | None = None,
        profile: str | None = None,
        credentials: Mapping[str, str] | None = None,
        **settings: Unpack[PollerOptions],
    ) -> None:
        aws: dict[str, Any] = {
            "region": region,
            "endpoint_url": endpoint_url,
            "role_arn": role_arn,
            "profile": profile,
            "credentials": credentials,
        }
        arguments = {
            "queue_url": queue_url,
            "visibility_timeout": visibility_timeout,
            "maximum_visibility": maximum_visibility,
            "one_group_per_batch": one_group_per_batch,
            "unwrap": unwrap,
            **aws,
            **settings,
        }
        super().__init__(
            sqs,
            handler,
            arguments,
            name=name or name_of(str(queue_url)),  # a wrong type is the options' to refuse
            timeout=timeout,
            drain_timeout=drain_timeout,
            state=state,
            catalog=catalog,
            sections={"aws": AwsSettings.model_construct(**aws)},
        )
