"""Which right each of our calls to AWS needs, and on what: the one table of it.

An operation's name and its action in IAM mostly agree, and are written down all the same: where they do not
(`SendMessageBatch` is `sqs:SendMessage`) nobody would think of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

RIGHTS: Final[Mapping[str, Mapping[str, str]]] = {
    "dynamodb": {
        "DescribeTable": "dynamodb:DescribeTable",
    },
    "dynamodbstreams": {
        "DescribeStream": "dynamodb:DescribeStream",
        "GetRecords": "dynamodb:GetRecords",
        "GetShardIterator": "dynamodb:GetShardIterator",
    },
    "events": {
        "DescribeEventBus": "events:DescribeEventBus",
        "PutEvents": "events:PutEvents",
    },
    "kinesis": {
        "DescribeStreamConsumer": "kinesis:DescribeStreamConsumer",
        "DescribeStreamSummary": "kinesis:DescribeStreamSummary",
        "GetRecords": "kinesis:GetRecords",
        "GetShardIterator": "kinesis:GetShardIterator",
        "ListShards": "kinesis:ListShards",
        "PutRecord": "kinesis:PutRecord",
        "SubscribeToShard": "kinesis:SubscribeToShard",
    },
    "lambda": {
        "GetFunctionConfiguration": "lambda:GetFunctionConfiguration",
        "Invoke": "lambda:InvokeFunction",
    },
    "s3": {
        "DeleteObject": "s3:DeleteObject",
        "GetObject": "s3:GetObject",
        "HeadBucket": "s3:ListBucket",
        "ListObjectsV2": "s3:ListBucket",
        "PutObject": "s3:PutObject",
    },
    "sns": {
        "GetTopicAttributes": "sns:GetTopicAttributes",
        "PublishBatch": "sns:Publish",
    },
    "sqs": {
        "ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
        "DeleteMessage": "sqs:DeleteMessage",
        "DeleteMessageBatch": "sqs:DeleteMessage",
        "GetQueueAttributes": "sqs:GetQueueAttributes",
        "GetQueueUrl": "sqs:GetQueueUrl",
        "ListDeadLetterSourceQueues": "sqs:ListDeadLetterSourceQueues",
        "ReceiveMessage": "sqs:ReceiveMessage",
        "SendMessage": "sqs:SendMessage",
        "SendMessageBatch": "sqs:SendMessage",
    },
    "sts": {
        "AssumeRole": "sts:AssumeRole",
    },
}
"""The action in IAM, by service (botocore's name) and operation."""

_ARNS: Final = ("TopicArn", "StreamARN", "StreamArn", "ConsumerARN", "RoleArn", "EventBusArn")
_QUEUE: Final = re.compile(r"https?://[^/]+(?:/.*?)??(?:/(?P<account>\d{12}))?/(?P<name>[\w.-]+)", re.ASCII)
_PARTITIONS: Final = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}


def lacking(service: str, operation: str, params: Mapping[str, Any], region: str = "*") -> str:
    """What to allow so that the call is not denied again; empty where the table does not know the call."""
    action = RIGHTS.get(service, {}).get(operation)
    if action is None:
        return ""
    resource = resource_of(service, operation, params, region)
    return f"allow {action} on {resource}" if resource else f"allow {action}"


def resource_of(service: str, operation: str, params: Mapping[str, Any], region: str = "*") -> str:
    """The ARN of what a call is about, with `*` for what the call does not say; empty where it says nothing."""
    if consumer := params.get("ConsumerName"):  # its ARN ends in the time when it was registered
        return f"{params['StreamARN']}/consumer/{consumer}:*"
    for name in _ARNS:
        if params.get(name):
            return str(params[name])
    if url := params.get("QueueUrl"):
        found = _QUEUE.fullmatch(str(url))
        return _arn("sqs", region, found["account"] or "*", found["name"]) if found else str(url)
    if bucket := params.get("Bucket"):
        return f"arn:{_partition(region)}:s3:::{bucket}{'/*' if 'Key' in params else ''}"
    return _named(service, operation, params, region)


def _named(service: str, operation: str, params: Mapping[str, Any], region: str) -> str:
    """What is called by a name alone: whose account it is, the call does not say."""
    if operation == "GetQueueUrl":
        return _arn("sqs", region, params.get("QueueOwnerAWSAccountId", "*"), params.get("QueueName", "*"))
    if service == "events":
        entries = params.get("Entries") or [{"EventBusName": params.get("Name", "default")}]
        name = str(entries[0].get("EventBusName", "default"))
        return name if name.startswith("arn:") else _arn("events", region, "*", f"event-bus/{name}")
    forms = {
        "FunctionName": ("lambda", "function:"),
        "StreamName": ("kinesis", "stream/"),
        "TableName": ("dynamodb", "table/"),
    }
    for key, (word, before) in forms.items():
        if name := str(params.get(key) or ""):
            return name if name.startswith("arn:") else _arn(word, region, "*", f"{before}{name}")
    return ""


def _arn(service: str, region: str, account: str, name: str) -> str:
    return f"arn:{_partition(region)}:{service}:{region}:{account}:{name}"


def _partition(region: str) -> str:
    return next((one for start, one in _PARTITIONS.items() if region.startswith(start)), "aws")
