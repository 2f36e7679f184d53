"""In which source's shape the records of a mapping are shown, and of which queue, stream or table."""

from __future__ import annotations

import os
from dataclasses import replace

from headrace.filters import View
from headrace.plugins import Opening
from headrace_connectors.aws import AwsSettings
from headrace_connectors.kafka.connecting import KafkaSettings
from headrace_connectors.kafka.options import ARN, KafkaOptions
from headrace_connectors.kafka.present.shape import Around, Shape
from headrace_connectors.kafka.present.shapes import SHAPES, VIEWS


def view_of(options: KafkaOptions) -> View:
    """What filters see."""
    return VIEWS[options.present_as or "kafka"]


def shape_of(opening: Opening, connection: KafkaSettings) -> Shape:
    """The shape that a source's options ask for, by the ARN that they give or one of the mapping's name."""
    options: KafkaOptions = opening.options
    aws = opening.sections.get("aws")
    region = aws.region if isinstance(aws, AwsSettings) else None
    around = Around(
        name=opening.mapping,
        bootstrap_servers=",".join(connection.servers),
        region=region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        windowed=bool(opening.settings.maximum_batching_window_in_seconds),
    )
    if options.present_arn is not None and (said := ARN.fullmatch(options.present_arn)):
        around = replace(around, name=said["name"], region=said["region"], account=said["account"])
    return SHAPES[options.present_as or "kafka"](around)
