"""The shapes by their names in the config: `present_as: kafka | sqs | kinesis | dynamodb`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

from headrace.filters import View
from headrace_connectors.kafka.present.dynamodb import DynamoDBShape
from headrace_connectors.kafka.present.kafka import KafkaShape
from headrace_connectors.kafka.present.kinesis import KinesisShape
from headrace_connectors.kafka.present.shape import Around, Shape
from headrace_connectors.kafka.present.sqs import SqsShape

Presentation: TypeAlias = Literal["kafka", "sqs", "kinesis", "dynamodb"]

SHAPES: Final[Mapping[Presentation, Callable[[Around], Shape]]] = {
    "kafka": KafkaShape,
    "sqs": SqsShape,
    "kinesis": KinesisShape,
    "dynamodb": DynamoDBShape,
}

VIEWS: Final[Mapping[Presentation, View]] = {
    "kafka": KafkaShape.view,
    "sqs": SqsShape.view,
    "kinesis": KinesisShape.view,
    "dynamodb": DynamoDBShape.view,
}
"""What filters see of each, before there is a mapping."""
