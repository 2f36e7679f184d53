"""Users, roles and their policies at a server that asks IAM about every call (`Ministack(guarded=True)`)."""

from __future__ import annotations

import copy
import json
from typing import Any

from support.queues import client_of

ITS_OWN = {"sqs:SendMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sns:Publish"}
"""Actions of which ministack wants another one for a batch, `sqs:SendMessageBatch`, which IAM does not know."""

UNSEEN = {
    "kinesis:GetRecords",
    "kinesis:ListShards",
    "kinesis:SubscribeToShard",
    "kinesis:DescribeStreamConsumer",
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "events:DescribeEventBus",
}
"""Actions of which ministack does not see in every call what it is about, or takes the stream for its consumer."""


NOTHING = {"Effect": "Deny", "Action": "*", "Resource": "*"}
"""A policy must say something."""


def as_ministack_reads(policy: dict[str, Any]) -> dict[str, Any]:
    """*policy* with what ministack asks for beside IAM's own actions, and nothing else."""
    read = copy.deepcopy(policy)
    for statement in list(read["Statement"]):
        unseen = sorted(UNSEEN & set(statement["Action"]))
        statement["Action"] += [f"{one}Batch" for one in statement["Action"] if one in ITS_OWN]
        if unseen:
            read["Statement"].append({"Effect": "Allow", "Action": unseen, "Resource": "*"})
    read["Statement"] = read["Statement"] or [NOTHING]
    return read


async def user(url: str, account: str, name: str = "shop") -> tuple[str, str]:
    """A new user without any right: the access key and its secret."""
    async with client_of("iam", url, account) as iam:
        await iam.create_user(UserName=name)
        made = (await iam.create_access_key(UserName=name))["AccessKey"]
    return made["AccessKeyId"], made["SecretAccessKey"]


async def allow_user(url: str, account: str, policy: dict[str, Any], name: str = "shop") -> None:
    """All that the user may do, from now on."""
    async with client_of("iam", url, account) as iam:
        await iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))


async def role(url: str, account: str, name: str) -> str:
    """The ARN of one without any right, which everybody of the account may assume who is allowed to."""
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    async with client_of("iam", url, account) as iam:
        made = await iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
    arn: str = made["Role"]["Arn"]
    return arn


async def allow_role(url: str, account: str, policy: dict[str, Any], name: str) -> None:
    async with client_of("iam", url, account) as iam:
        await iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
