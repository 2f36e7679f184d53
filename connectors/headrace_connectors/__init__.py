"""The sources that come with headrace, and their pollers for use as a library."""

from headrace_connectors.dynamodb.poller import DynamoDBStreamsPoller
from headrace_connectors.kafka.poller import KafkaPoller
from headrace_connectors.kinesis.poller import KinesisPoller
from headrace_connectors.schedule.poller import SchedulePoller
from headrace_connectors.sqs.poller import SqsPoller

__all__ = ["DynamoDBStreamsPoller", "KafkaPoller", "KinesisPoller", "SchedulePoller", "SqsPoller"]
