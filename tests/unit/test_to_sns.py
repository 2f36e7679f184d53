"""A topic as a destination: tens, 256 KiB, and every entry of every answer."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.destination import CONFIRMED, Message, Said
from headrace_connectors.aws import AwsError, AwsSettings
from headrace_connectors.destinations.sns import SnsDestination, SnsDestinationOptions
from headrace_connectors.limits import SNS
from support.messages import message, opening
from support.scripted import ScriptedClient

TOPIC = "arn:aws:sns:eu-central-1:123456789012:failed"


def entries(params: dict[str, Any]) -> list[dict[str, Any]]:
    return params["PublishBatchRequestEntries"]


def taken(params: dict[str, Any]) -> dict[str, Any]:
    return {"Successful": [{"Id": entry["Id"], "MessageId": "m"} for entry in entries(params)], "Failed": []}


def to(answer: Any, topic: str = TOPIC) -> tuple[SnsDestination, ScriptedClient]:
    client = ScriptedClient(answer)
    destination = SnsDestination(opening(), SnsDestinationOptions(topic_arn=topic))
    destination._connection._made = client
    return destination, client


def messages(count: int, size: int = 2) -> list[Message]:
    return [message(f"m{n}-source", b"x" * size) for n in range(count)]


def sizes(client: ScriptedClient) -> list[int]:
    return [len(entries(params)) for params in client.named("PublishBatch")]


async def test_tens_within_256_kib() -> None:
    """Mutations: SQS's limit for SNS; tens whatever they weigh."""
    destination, client = to(lambda _, params: taken(params))
    assert await destination.send([*messages(12), *messages(5, SNS.message // 2)]) == [CONFIRMED] * 17
    assert sizes(client) == [10, 3, 2, 2]
    assert client.named("PublishBatch")[0]["TopicArn"] == TOPIC
    assert entries(client.named("PublishBatch")[0])[0] == {"Id": "0", "Message": "xx"}
    replies = await destination.send([*messages(1, SNS.message + 1), *messages(1, SNS.message)])
    assert [one.said for one in replies] == [Said.REFUSED, Said.CONFIRMED]
    assert "SNS takes 262144" in replies[0].reason


async def test_every_entry_is_read() -> None:
    """Rule 8. Mutations: Failed taken as done; what is not named taken as done; a curable fault taken as final."""

    def answer(_: str, params: dict[str, Any]) -> dict[str, Any]:
        return {
            "Successful": [{"Id": "0"}, {"Id": "77"}],
            "Failed": [
                {"Id": "1", "Code": "InternalError", "Message": "later", "SenderFault": False},
                {"Id": "2", "Code": "InvalidParameter", "Message": "never", "SenderFault": True},
                {"Id": "3", "Code": "KMSDisabled", "Message": "not yet", "SenderFault": True},
            ],
        }

    destination, _ = to(answer)
    replies = await destination.send(messages(5))
    assert [one.said for one in replies] == [Said.CONFIRMED, Said.FAILED, Said.REFUSED, Said.FAILED, Said.FAILED]


@pytest.mark.parametrize("code", ["InvalidParameter", "BatchRequestTooLong", "ParameterValueInvalid"])
async def test_a_message_that_spoils_its_call_is_found_and_alone_refused(code: str) -> None:
    def answer(_: str, params: dict[str, Any]) -> Any:
        if any(entry["Message"] == "bad" for entry in entries(params)):
            return AwsError(code, "one of them is bad")
        return taken(params)

    destination, _ = to(answer)
    replies = await destination.send([*messages(2), message("bad", b"bad"), *messages(9)])
    assert [one.said for one in replies] == [Said.CONFIRMED] * 2 + [Said.REFUSED] + [Said.CONFIRMED] * 9


@pytest.mark.parametrize("code", ["NotFound", "AuthorizationError", "Throttled", "KMSAccessDenied"])
async def test_a_call_that_failed_ends_the_sending_and_may_succeed_later(code: str) -> None:
    destination, client = to(lambda *_: AwsError(code, "not now"))
    replies = await destination.send(messages(25))
    assert [one.said for one in replies] == [Said.FAILED] * 25
    assert len(client.calls) == 1


async def test_a_fifo_topic_gets_the_group_and_tells_repeats() -> None:
    destination, client = to(lambda _, params: taken(params), f"{TOPIC}.fifo")
    await destination.send([message("a", b"x", key="customer-1"), message("b", b"x")])
    keyed, none = entries(client.named("PublishBatch")[0])
    assert (keyed["MessageGroupId"], keyed["MessageDeduplicationId"]) == ("customer-1", "a")
    assert (none["MessageGroupId"], none["MessageDeduplicationId"]) == ("orders", "b")


def test_the_topics_own_region_holds() -> None:
    section = opening(sections={"aws": AwsSettings(region="us-east-1", endpoint_url="http://localhost:4566")})
    options = SnsDestinationOptions(topic_arn=TOPIC)
    assert (options.aws(section).region, options.aws(section).endpoint_url) == ("eu-central-1", "http://localhost:4566")
    assert SnsDestinationOptions(topic_arn=TOPIC, region="eu-west-1").aws(section).region == "eu-west-1"
