"""The one table of rights: it names every call that we make, and a denied call says which right is missing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session

import headrace_connectors
from headrace_connectors.aws import DENIED, AwsError
from headrace_connectors.rights import RIGHTS, lacking

QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/failed.fifo"
ARN = "arn:aws:sns:eu-central-1:123456789012:failed"
BUS = "arn:aws:events:eu-central-1:123456789012:event-bus/orders"
STREAM = "arn:aws:kinesis:eu-central-1:123456789012:stream/s"
FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:f"


def words() -> Iterator[str]:
    """Every text that stands alone in our source."""
    for path in Path(headrace_connectors.__file__).parent.rglob("*.py"):
        if path.name in {"rights.py", "needs.py"}:  # they name what others call
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_every_operation_that_the_source_names_is_in_the_table_and_no_other() -> None:
    """Mutations: a call that nobody wrote down; a row whose call is gone."""
    loader = get_session()
    known = {name for service in RIGHTS for name in loader.get_service_model(service).operation_names}
    named = set(words()) & known
    assert named - {name for operations in RIGHTS.values() for name in operations} == set()
    written = {name for operations in RIGHTS.values() for name in operations} - {"AssumeRole"}  # botocore's own call
    assert written - named == set()


def test_every_row_is_an_operation_of_its_service() -> None:
    """Mutation: a name that is misspelt is never found when it is needed."""
    for service, operations in RIGHTS.items():
        assert set(operations) <= set(get_session().get_service_model(service).operation_names)


OTHERWISE = {
    ("lambda", "Invoke"): "lambda:InvokeFunction",
    ("s3", "HeadBucket"): "s3:ListBucket",
    ("s3", "ListObjectsV2"): "s3:ListBucket",
    ("sns", "PublishBatch"): "sns:Publish",
    ("sqs", "ChangeMessageVisibilityBatch"): "sqs:ChangeMessageVisibility",
    ("sqs", "DeleteMessageBatch"): "sqs:DeleteMessage",
    ("sqs", "SendMessageBatch"): "sqs:SendMessage",
}
"""Operations that have no action of their own, as AWS documents them: in the API references of Lambda, S3 and SNS, and
in Amazon SQS API permissions: Actions and resource reference.
"""

PREFIXES = {"dynamodbstreams": "dynamodb"}
"""Services whose actions have another prefix (Service Authorization Reference)."""


def test_an_action_is_called_as_its_operation_but_for_these() -> None:
    """Written down here once more, from AWS's pages and not from the table. Mutation: an action of its own for a batch
    (tried), which IAM does not know.
    """
    for service, operations in RIGHTS.items():
        for operation, action in operations.items():
            own = f"{PREFIXES.get(service, service)}:{operation}"
            assert action == OTHERWISE.get((service, operation), own)


@pytest.mark.parametrize(
    ("service", "operation", "params", "said"),
    [
        ("sqs", "SendMessageBatch", {"QueueUrl": QUEUE}, "sqs:SendMessage on arn:aws:sqs:r:123456789012:failed.fifo"),
        ("sqs", "ReceiveMessage", {"QueueUrl": "http://elsewhere"}, "sqs:ReceiveMessage on http://elsewhere"),
        ("sqs", "ReceiveMessage", {"QueueUrl": "http://x:1/queue/q"}, "sqs:ReceiveMessage on arn:aws:sqs:r:*:q"),
        (
            "sqs",
            "GetQueueUrl",
            {"QueueName": "q", "QueueOwnerAWSAccountId": "123456789012"},
            "sqs:GetQueueUrl on arn:aws:sqs:r:123456789012:q",
        ),
        ("sns", "PublishBatch", {"TopicArn": ARN}, f"sns:Publish on {ARN}"),
        ("s3", "PutObject", {"Bucket": "b", "Key": "k"}, "s3:PutObject on arn:aws:s3:::b/*"),
        ("s3", "HeadBucket", {"Bucket": "b"}, "s3:ListBucket on arn:aws:s3:::b"),
        ("events", "PutEvents", {"Entries": [{"EventBusName": BUS}]}, f"events:PutEvents on {BUS}"),
        ("events", "DescribeEventBus", {"Name": "b"}, "events:DescribeEventBus on arn:aws:events:r:*:event-bus/b"),
        ("lambda", "Invoke", {"FunctionName": FUNCTION}, f"lambda:InvokeFunction on {FUNCTION}"),
        ("kinesis", "ListShards", {"StreamName": "s"}, "kinesis:ListShards on arn:aws:kinesis:r:*:stream/s"),
        (
            "kinesis",
            "DescribeStreamConsumer",
            {"StreamARN": STREAM, "ConsumerName": "c"},
            f"kinesis:DescribeStreamConsumer on {STREAM}/consumer/c:*",
        ),
        ("dynamodb", "DescribeTable", {"TableName": "t"}, "dynamodb:DescribeTable on arn:aws:dynamodb:r:*:table/t"),
        ("dynamodbstreams", "GetRecords", {"ShardIterator": "i"}, "dynamodb:GetRecords"),
        ("sts", "AssumeRole", {"RoleArn": "arn:aws:iam::1:role/r"}, "sts:AssumeRole on arn:aws:iam::1:role/r"),
    ],
)
def test_what_is_missing_is_named(service: str, operation: str, params: dict[str, Any], said: str) -> None:
    assert lacking(service, operation, params, "r") == f"allow {said}"


@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_a_region_is_of_its_partition(region: str, partition: str) -> None:
    said = lacking("kinesis", "ListShards", {"StreamName": "s"}, region)
    assert said.endswith(f"arn:{partition}:kinesis:{region}:*:stream/s")


def test_a_call_that_is_not_known_is_not_guessed_at() -> None:
    assert lacking("sqs", "PurgeQueue", {}) == ""


@pytest.mark.parametrize("code", sorted(DENIED))
def test_the_right_takes_the_place_of_the_general_mend(code: str) -> None:
    error = AwsError(code, "no")
    assert str(error).endswith("(`headrace iam` prints what is needed)")
    assert str(error.mended_by("allow it")) == f"{code}: no; allow it"
    assert str(error.mended_by("")) == str(error)
