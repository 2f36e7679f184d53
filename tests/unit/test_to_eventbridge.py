"""A bus as a destination: Lambda's events, every entry of every answer, and no bus that is not there."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.destination import CONFIRMED, SUCCESS, Message, Said
from headrace_connectors.aws import AwsError, AwsSettings
from headrace_connectors.destinations.eventbridge import (
    LOOKED_AT,
    EventBridgeDestination,
    EventBridgeDestinationOptions,
)
from headrace_connectors.destinations.eventbridge import eventbridge as kind
from headrace_connectors.limits import EVENTBRIDGE
from headrace_connectors.tracing import trace_of
from support.handclock import HandClock
from support.messages import message, opening
from support.scripted import ScriptedClient

ARN = "arn:aws:events:eu-central-1:123456789012:event-bus/outcomes"
FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:f:$LATEST"
FRAME = len(f"lambdaLambda Function Invocation Result - Failure{ARN}{FUNCTION}")


def taken(_: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"FailedEntryCount": 0, "Entries": [{"EventId": "e"} for _ in params["Entries"]]}


def to(answer: Any, look: Any = None, **given: Any) -> tuple[EventBridgeDestination, ScriptedClient]:
    def both(operation: str, params: dict[str, Any]) -> Any:
        if operation == "DescribeEventBus":
            return {"Arn": ARN} if look is None else look(params)
        return answer(operation, params)

    client = ScriptedClient(both)
    options = EventBridgeDestinationOptions(**(given or {"event_bus_arn": ARN}))
    destination = EventBridgeDestination(opening(clock=CLOCK), options)
    destination._connection._made = client
    return destination, client


CLOCK = HandClock()


def messages(count: int, size: int = 2) -> list[Message]:
    return [message(f"m{n}", b"x" * size, function_arn=FUNCTION) for n in range(count)]


def sizes(client: ScriptedClient) -> list[int]:
    return [len(params["Entries"]) for params in client.named("PutEvents")]


async def test_the_event_is_lambdas() -> None:
    """Section 8. Mutations: a success among failures; the function's ARN alone; a bus by its name among resources."""
    destination, client = to(taken)
    failed = message("a", b'{"a":1}', function_arn=FUNCTION, condition="RetriesExhausted")
    succeeded = message("b", b'{"b":1}', function_arn=FUNCTION, condition=SUCCESS)
    assert await destination.send([failed, succeeded]) == [CONFIRMED] * 2
    first, second = client.named("PutEvents")[0]["Entries"]
    assert first == {
        "EventBusName": ARN,
        "Source": "lambda",
        "DetailType": "Lambda Function Invocation Result - Failure",
        "Detail": '{"a":1}',
        "Resources": [ARN, FUNCTION],
    }
    assert second["DetailType"] == "Lambda Function Invocation Result - Success"


async def test_the_count_goes_in_the_tracing_header_and_weighs_nothing() -> None:
    """Queues and topics are handed it on. Mutations: the event is another than Lambda's; the header weighed."""
    destination, client = to(taken)
    large = message("a", b"x" * (EVENTBRIDGE.message - FRAME), function_arn=FUNCTION, hops=2)
    assert await destination.send([large]) == [CONFIRMED]
    (entry,) = client.named("PutEvents")[0]["Entries"]
    assert entry["TraceHeader"] == trace_of(large)
    assert entry["Resources"] == [ARN, FUNCTION]


async def test_a_bus_by_its_name_is_known_by_its_arn() -> None:
    destination, client = to(taken, event_bus_name="outcomes")
    await destination.send(messages(1))
    (entry,) = client.named("PutEvents")[0]["Entries"]
    assert (entry["EventBusName"], entry["Resources"]) == ("outcomes", [ARN, FUNCTION])


async def test_tens_within_a_mebibyte_with_all_that_counts() -> None:
    """Mutations: tens whatever they weigh; the detail alone weighed."""
    destination, client = to(taken)
    large = EVENTBRIDGE.message - FRAME
    assert await destination.send([*messages(12), *messages(2, large)]) == [CONFIRMED] * 14
    assert sizes(client) == [10, 2, 1, 1]
    (reply,) = await destination.send(messages(1, large + 1))
    assert (reply.said, "EventBridge takes 1048576" in reply.reason) == (Said.REFUSED, True)


async def test_every_entry_is_read() -> None:
    """Rule 8; the answer goes by position. Mutations: FailedEntryCount alone read; what is not there taken as done."""

    def answer(_: str, params: dict[str, Any]) -> dict[str, Any]:
        told = [
            {"EventId": "1"},
            {"ErrorCode": "ThrottlingException", "ErrorMessage": "later"},
            {"ErrorCode": "MalformedDetail", "ErrorMessage": "never"},
            {"ErrorCode": "AccessDeniedException", "ErrorMessage": "not yet"},
            {},
        ]
        return {"FailedEntryCount": 3, "Entries": told}

    destination, _ = to(answer)
    replies = await destination.send(messages(6))
    said = [Said.CONFIRMED, Said.FAILED, Said.REFUSED, Said.FAILED, Said.FAILED, Said.FAILED]
    assert [one.said for one in replies] == said
    assert replies[2].reason == "MalformedDetail: never"
    assert replies[3].reason == f"AccessDeniedException: not yet; allow events:PutEvents on {ARN}"


@pytest.mark.parametrize("code", ["ValidationException", "RequestEntityTooLarge"])
async def test_a_message_that_spoils_its_call_is_found_and_alone_refused(code: str) -> None:
    def answer(_: str, params: dict[str, Any]) -> Any:
        if any(entry["Detail"] == "bad" for entry in params["Entries"]):
            return AwsError(code, "one of them is bad")
        return taken(_, params)

    destination, _ = to(answer)
    replies = await destination.send([*messages(2), message("bad", b"bad"), *messages(3)])
    assert [one.said for one in replies] == [Said.CONFIRMED] * 2 + [Said.REFUSED] + [Said.CONFIRMED] * 3


async def test_a_bus_that_is_not_there_is_not_sent_to() -> None:
    """EventBridge says yes to such events, and forgets them. Mutations: not looked for; looked for once and for all."""
    there: list[str] = []

    def look(params: dict[str, Any]) -> Any:
        return {"Arn": ARN} if there else AwsError("ResourceNotFoundException", "no such bus")

    destination, client = to(taken, look)
    (reply,) = await destination.send(messages(1))
    assert (reply.said, "no such bus" in reply.reason) == (Said.FAILED, True)
    assert sizes(client) == []
    there.append("now")
    assert await destination.send(messages(1)) == [CONFIRMED]
    there.clear()
    assert await destination.send(messages(1)) == [CONFIRMED]  # it was seen just now
    CLOCK.now += LOOKED_AT
    (reply,) = await destination.send(messages(1))
    assert reply.said is Said.FAILED


async def test_where_it_may_not_be_looked_at_it_is_sent_to() -> None:
    """Mutation: a right that sending does not need is needed."""
    destination, client = to(taken, lambda _: AwsError("AccessDeniedException", "no"))
    assert await destination.send(messages(1)) == [CONFIRMED]
    assert client.named("PutEvents")[0]["Entries"][0]["Resources"] == [ARN, FUNCTION]


async def test_another_accounts_bus_is_asked_for_by_its_arn() -> None:
    """Mutation: our own bus of that name is taken for it."""
    ours = ARN.replace("123456789012", "210987654321")
    destination, client = to(taken, lambda params: {"Arn": ARN if params["Name"] == ARN else ours})
    assert await destination.send(messages(1)) == [CONFIRMED]
    assert [params["Name"] for params in client.named("DescribeEventBus")] == ["outcomes", ARN]


def test_an_arn_is_enough_and_names_the_region() -> None:
    options = EventBridgeDestinationOptions(**(kind.text(ARN) or {}))
    assert options.aws(opening(sections={"aws": AwsSettings(region="us-east-1")})).region == "eu-central-1"
    assert kind.text("arn:aws:sqs:eu-central-1:123456789012:q") is None


@pytest.mark.parametrize("given", [{}, {"event_bus_arn": ARN, "event_bus_name": "b"}, {"event_bus_arn": "arn:x"}])
def test_it_is_named_once(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="event_bus_"):
        EventBridgeDestinationOptions(**given)
