"""What this package brings: one line a connector, one line a destination."""

from __future__ import annotations

from headrace.late import Late
from headrace.ledger import LedgerKind
from headrace.plugins import Catalog
from headrace.tofunction import function
from headrace_connectors.aws import AwsSettings
from headrace_connectors.destinations.awslambda import lambda_
from headrace_connectors.destinations.eventbridge import eventbridge
from headrace_connectors.destinations.file import file
from headrace_connectors.destinations.http import http
from headrace_connectors.destinations.kafka import kafka as to_kafka
from headrace_connectors.destinations.redis import redis as to_redis
from headrace_connectors.destinations.s3 import s3
from headrace_connectors.destinations.sns import sns
from headrace_connectors.destinations.sqs import sqs as to_sqs
from headrace_connectors.dynamodb.source import dynamodb
from headrace_connectors.iam.command import iam
from headrace_connectors.kafka.connecting import SECTION as KAFKA
from headrace_connectors.kafka.connecting import KafkaSettings
from headrace_connectors.kafka.registration import kafka
from headrace_connectors.kinesis.source import kinesis
from headrace_connectors.mailboxes.file import file as in_file
from headrace_connectors.mailboxes.kafka import kafka as in_kafka
from headrace_connectors.mailboxes.redis import redis as in_redis
from headrace_connectors.mailboxes.s3 import s3 as in_s3
from headrace_connectors.mailboxes.sqs import sqs as in_sqs
from headrace_connectors.redis.place import SCHEMES, place
from headrace_connectors.schedule.command import schedule
from headrace_connectors.schedule.registration import schedule as schedules
from headrace_connectors.sqs.source import sqs
from headrace_connectors.testbed.command import testbed

_REDIS = LedgerKind(open=Late("headrace_connectors.redis.ledger:open_redis"), check=place)

catalog = Catalog(
    connectors=[
        sqs,
        dynamodb,
        kinesis,
        kafka,
        schedules,
    ],
    destinations=[
        to_sqs,
        sns,
        eventbridge,
        lambda_,
        s3,
        to_kafka,
        to_redis,
        http,
        file,
        function,
    ],
    mailboxes=[
        in_sqs,
        in_s3,
        in_kafka,
        in_redis,
        in_file,
    ],
    ledgers=dict.fromkeys(SCHEMES, _REDIS),
    sections={"aws": AwsSettings, KAFKA: KafkaSettings},
    commands=[schedule, testbed, iam],
)
