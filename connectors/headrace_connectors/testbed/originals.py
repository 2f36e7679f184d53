"""What a source is on AWS, as far as its config tells: what the testbed is to look like. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from headrace.config import Config, MappingConfig
from headrace_connectors.dynamodb.options import DynamoDBOptions
from headrace_connectors.kafka.present.shape import ACCOUNT
from headrace_connectors.kafka.present.shapes import Presentation
from headrace_connectors.kafka.presenting import REGION
from headrace_connectors.kinesis.options import KinesisOptions
from headrace_connectors.sqs.options import SqsOptions

PRESENTED: Final[tuple[Presentation, ...]] = ("sqs", "kinesis", "dynamodb", "kafka")
"""Types of sources that a topic can stand for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """How a mapping's topic looks to its handler. `visibility_timeout`: None where the config does not say it."""

    shape: Presentation
    arn: str | None = None
    queue: bool = False
    fifo: bool = False
    visibility_timeout: int | None = None


def presented(config: Config, one: MappingConfig) -> Presented:
    """Of a source whose type is in `PRESENTED`."""
    options: Any = one.options
    match options:
        case SqsOptions():
            return Presented(
                shape="sqs",
                arn=f"arn:aws:sqs:{_region(config, one)}:{_account(options.queue_url)}:{options.queue_name}",
                queue=True,
                fifo=options.fifo,
                visibility_timeout=options.visibility_timeout,
            )
        case KinesisOptions():
            made = f"arn:aws:kinesis:{_region(config, one)}:{ACCOUNT}:stream/{options.name}"
            return Presented(shape="kinesis", arn=options.arn or made)
        case DynamoDBOptions():
            made = f"arn:aws:dynamodb:{_region(config, one)}:{ACCOUNT}:table/{options.table_name}"
            return Presented(shape="dynamodb", arn=options.named if options.named.startswith("arn:") else made)
    return Presented(shape="kafka")


def shape_of(config: Config, one: MappingConfig) -> Presentation:
    """The shape of the events that its function gets: a Kafka source may have another than its own."""
    return getattr(one.options, "present_as", None) or presented(config, one).shape


def _region(config: Config, one: MappingConfig) -> str:
    return str(one.options.aws(config.opening(one.name)).region or REGION)  # type: ignore[attr-defined]  # each has it


def _account(queue_url: str) -> str:
    """The one in the URL, as AWS's have it."""
    parts = urlsplit(queue_url).path.split("/")
    return next((part for part in parts if re.fullmatch(r"[0-9]{12}", part)), ACCOUNT)
