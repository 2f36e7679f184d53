"""A queue as a destination: tens, a mebibyte, and every entry of every answer."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.destination import CONFIRMED, Message, Said
from headrace.plugins import Opening
from headrace_connectors.aws import AwsError, AwsSettings
from headrace_connectors.destinations.sqs import SqsDestination, SqsDestinationOptions, _check
from headrace_connectors.limits import SQS
from headrace_connectors.sqs.options import SqsOptions
from support.messages import message
from support.messages import opening as opened
from support.scripted import ScriptedClient, all_done

SEND = "SendMessageBatch"
URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/failed"
ARN = "arn:aws:sqs:eu-central-1:123456789012:failed"


def opening(options: Any = None, **aws: Any) -> Opening:
    return opened(options=options, sections={"aws": AwsSettings(**aws)})


def to(answer: Any, url: str = URL) -> tuple[SqsDestination, ScriptedClient]:
    client = ScriptedClient(answer)
    destination = SqsDestination(opening(), SqsDestinationOptions(queue_url=url))
    destination._connection._made = client, url
    return destination, client


def messages(count: int, size: int = 2, key: str | None = None) -> list[Message]:
    return [message(f"m{n}-source", b"x" * size, key=key) for n in range(count)]


def sizes(client: ScriptedClient) -> list[int]:
    return [len(params["Entries"]) for params in client.named(SEND)]


async def test_tens_in_order() -> None:
    destination, client = to(lambda _, params: all_done(params))
    assert await destination.send(messages(23)) == [CONFIRMED] * 23
    assert sizes(client) == [10, 10, 3]
    assert client.named(SEND)[0]["Entries"][0] == {"Id": "0", "MessageBody": "xx"}


async def test_a_call_holds_a_mebibyte_at_most() -> None:
    """SQS refuses the whole call otherwise. Mutation: tens whatever they weigh."""
    destination, client = to(lambda _, params: all_done(params))
    assert await destination.send(messages(5, SQS.message // 2)) == [CONFIRMED] * 5
    assert sizes(client) == [2, 2, 1]


async def test_what_no_call_can_hold_is_refused_unasked_and_the_rest_goes() -> None:
    destination, client = to(lambda _, params: all_done(params))
    some = [*messages(1), *messages(1, SQS.message + 1), *messages(1, SQS.message)]
    replies = await destination.send(some)
    assert [one.said for one in replies] == [Said.CONFIRMED, Said.REFUSED, Said.CONFIRMED]
    assert str(SQS.message + 1) in replies[1].reason
    assert sizes(client) == [1, 1]


async def test_every_entry_is_read() -> None:
    """Rule 8. Mutations: Failed taken as done; what is not named taken as done; a curable fault taken as final."""

    def answer(_: str, params: dict[str, Any]) -> dict[str, Any]:
        return {
            "Successful": [{"Id": "0"}, {"Id": "77"}],
            "Failed": [
                {"Id": "1", "Code": "InternalError", "Message": "later", "SenderFault": False},
                {"Id": "2", "Code": "InvalidMessageContents", "Message": "never", "SenderFault": True},
                {"Id": "3", "Code": "KmsAccessDenied", "Message": "not yet", "SenderFault": True},
                {"Code": "NoId"},
            ],
        }

    destination, _ = to(answer)
    replies = await destination.send(messages(5))
    assert [one.said for one in replies] == [Said.CONFIRMED, Said.FAILED, Said.REFUSED, Said.FAILED, Said.FAILED]
    assert replies[2].reason == "InvalidMessageContents: never"
    assert replies[4].reason


async def test_a_call_that_failed_ends_the_sending() -> None:
    """Mutation: 1,000 more calls to a server that is away."""
    calls = iter([None, AwsError("EndpointConnectionError", "nobody there")])
    destination, client = to(lambda _, params: next(calls) or all_done(params))
    replies = await destination.send(messages(35))
    assert [one.said for one in replies] == [Said.CONFIRMED] * 10 + [Said.FAILED] * 25
    assert "nobody there" in replies[-1].reason
    assert len(client.calls) == 2


@pytest.mark.parametrize("code", ["InvalidMessageContents", "AWS.SimpleQueueService.BatchRequestTooLong"])
async def test_a_message_that_spoils_its_call_is_found_and_alone_refused(code: str) -> None:
    def answer(_: str, params: dict[str, Any]) -> Any:
        if any(entry["MessageBody"] == "bad" for entry in params["Entries"]):
            return AwsError(code, "one of them is bad")
        return all_done(params)

    destination, _ = to(answer)
    bad = message("bad", b"bad")
    replies = await destination.send([*messages(2), bad, *messages(9)])
    assert [one.said for one in replies] == [Said.CONFIRMED] * 2 + [Said.REFUSED] + [Said.CONFIRMED] * 9


async def test_what_was_confirmed_stays_so_when_a_later_call_fails() -> None:
    """Mutation: a throttle after a split makes FAILED of all, and what the queue has is sent again at every try."""

    def answer(_: str, params: dict[str, Any]) -> Any:
        if len(params["Entries"]) > 1:
            return AwsError("InvalidMessageContents", "no")
        return AwsError("ThrottlingException", "slow") if params["Entries"][0]["Id"] == "2" else all_done(params)

    destination, client = to(answer)
    replies = await destination.send(messages(12))
    assert [one.said for one in replies] == [Said.CONFIRMED] * 2 + [Said.FAILED] * 10
    assert sizes(client) == [10, 1, 1, 1]


async def test_a_fifo_queue_gets_the_group_and_tells_repeats() -> None:
    """Mutations: no group (refused by SQS); one id for all; a new id at each try, with which a repeat is a second."""
    destination, client = to(lambda _, params: all_done(params), f"{URL}.fifo")
    await destination.send([*messages(1, key="customer 1"), *messages(1, key="customer-1"), *messages(1)])
    spaced, plain, none = client.named(SEND)[0]["Entries"]
    assert len(spaced["MessageGroupId"]) == 64  # a space is not allowed there
    assert plain["MessageGroupId"] == "customer-1"
    assert none["MessageGroupId"] == "orders"
    assert none["MessageDeduplicationId"] == "m0-source"


def test_the_settings_of_aws_hold_for_it() -> None:
    by_arn, by_url = SqsDestinationOptions(queue_arn=ARN), SqsDestinationOptions(queue_url=URL)
    section = opening(
        region="us-east-1", endpoint_url="http://localhost:4566", role_arn="arn:aws:iam::000000000001:role/r"
    )
    assert by_arn.aws(section).region == "eu-central-1"
    assert by_url.aws(section).region == "us-east-1"
    assert by_arn.aws(section).endpoint_url == "http://localhost:4566"
    assert by_arn.aws(section).role_arn == "arn:aws:iam::000000000001:role/r"
    assert by_url.aws(opening()).region == "eu-central-1"
    assert SqsDestinationOptions(queue_arn=ARN, region="eu-west-1").aws(section).region == "eu-west-1"


@pytest.mark.parametrize(
    ("target", "same"),
    [
        ({"queue_url": URL}, True),
        ({"queue_arn": ARN}, True),
        ({"queue_arn": ARN.replace("central", "west")}, False),
        ({"queue_arn": f"{ARN}2"}, False),
        ({"queue_url": URL.replace("12/", "13/")}, False),
        ({"queue_url": URL, "endpoint_url": "http://localhost:4566"}, False),
    ],
)
def test_the_queue_that_is_polled_is_no_destination(target: dict[str, str], same: bool) -> None:
    """Mutation: texts compared, with which an ARN goes round the check."""
    assert bool([*_check(opening(SqsOptions(queue_url=URL)), SqsDestinationOptions(**target))]) is same
