"""Policies that were printed, and calls that were recorded, as sets that can be compared: who, what, and on what."""

from __future__ import annotations

import fnmatch
from typing import Any

from headrace_connectors.rights import RIGHTS
from support.recorder import Call
from support.servers import REGION


def allowed(policies: dict[str, dict[str, Any]], *needs: str) -> set[tuple[str, str, str]]:
    """Who may do what on what, by statements whose Sid begins with one of *needs*; of all, where none is named."""
    return {
        (who, action, resource)
        for who, policy in policies.items()
        for statement in policy["Statement"]
        if statement["Sid"].startswith(needs or "")
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


def done(calls: list[Call], user: str, account: str) -> set[tuple[str, str, str | None]]:
    """Who did what on what; None where the call does not say on what."""
    return {
        ("user" if one.key == user else "role", RIGHTS[one.service][one.operation], on_what(one, account))
        for one in calls
    }


def on_what(call: Call, account: str) -> str | None:
    def arn(service: str, name: str) -> str:
        return f"arn:aws:{service}:{REGION}:{account}:{name}"

    def bus(name: str) -> str:
        return name if name.startswith("arn:") else arn("events", f"event-bus/{name}")

    forms = {
        "QueueUrl": lambda url: arn("sqs", url.rpartition("/")[2]),
        "QueueName": lambda name: arn("sqs", name),
        "ConsumerName": lambda name: f"{call['StreamARN']}/consumer/{name}:1",
        "StreamName": lambda name: arn("kinesis", f"stream/{name}"),
        "TableName": lambda name: arn("dynamodb", f"table/{name}"),
        "Entries": lambda entries: bus(entries[0]["EventBusName"]),
        "Name": bus,
        "Bucket": lambda bucket: f"arn:aws:s3:::{bucket}" + (f"/{call['Key']}" if call["Key"] else ""),
        **dict.fromkeys(("ConsumerARN", "StreamARN", "StreamArn", "TopicArn", "FunctionName", "RoleArn"), str),
    }

    return next((form(call[name]) for name, form in forms.items() if call[name]), None)


def covers(right: tuple[str, str, str], one: tuple[str, str, str | None]) -> bool:
    return right[:2] == one[:2] and (one[2] is None or fnmatch.fnmatchcase(one[2], right[2]))


def beyond(calls: set[tuple[str, str, str | None]], rights: set[tuple[str, str, str]]) -> set[Any]:
    return {one for one in calls if not any(covers(right, one) for right in rights)}


def idle(calls: set[tuple[str, str, str | None]], rights: set[tuple[str, str, str]]) -> set[Any]:
    return {right for right in rights if not any(covers(right, one) for one in calls)}
