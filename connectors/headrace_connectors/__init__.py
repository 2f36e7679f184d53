"""The sources that come with headrace, and their pollers for use as a library.

A poller's module is imported when its name is first asked for (PEP 562): what a command needs of this package is its
catalog alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace_connectors.dynamodb.poller import DynamoDBStreamsPoller
    from headrace_connectors.kafka.poller import KafkaPoller
    from headrace_connectors.kinesis.poller import KinesisPoller
    from headrace_connectors.schedule.poller import SchedulePoller
    from headrace_connectors.sqs.poller import SqsPoller

__all__ = ["DynamoDBStreamsPoller", "KafkaPoller", "KinesisPoller", "SchedulePoller", "SqsPoller"]

_MODULES = {
    "DynamoDBStreamsPoller": "dynamodb",
    "KafkaPoller": "kafka",
    "KinesisPoller": "kinesis",
    "SchedulePoller": "schedule",
    "SqsPoller": "sqs",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}.poller"), name)
