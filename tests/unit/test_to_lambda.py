"""A real function as a destination: asynchronous, and confirmed by 202 alone."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.destination import CONFIRMED, Said
from headrace_connectors.aws import AwsError
from headrace_connectors.destinations.awslambda import LambdaDestination, LambdaDestinationOptions
from headrace_connectors.destinations.awslambda import lambda_ as kind
from headrace_connectors.limits import LAMBDA
from support.messages import message, opening
from support.scripted import ScriptedClient

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:on-failure"


def to(answer: Any) -> tuple[LambdaDestination, ScriptedClient]:
    client = ScriptedClient(answer)
    destination = LambdaDestination(opening(), LambdaDestinationOptions(function_arn=ARN))
    destination._connection._made = client
    return destination, client


async def test_the_record_is_the_event_of_an_asynchronous_call() -> None:
    """Mutation: RequestResponse, which runs the function while we wait."""
    destination, client = to(lambda *_: {"StatusCode": 202})
    assert await destination.send([message("a", b'{"a":1}')]) == [CONFIRMED]
    assert client.named("Invoke") == [{"FunctionName": ARN, "InvocationType": "Event", "Payload": b'{"a":1}'}]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"StatusCode": 202}, Said.CONFIRMED),
        ({"StatusCode": 200}, Said.FAILED),
        ({}, Said.FAILED),
        (AwsError("RequestTooLargeException", "no"), Said.REFUSED),
        (AwsError("InvalidRequestContentException", "no"), Said.REFUSED),
        (AwsError("ResourceNotFoundException", "no"), Said.FAILED),
        (AwsError("TooManyRequestsException", "no"), Said.FAILED),
        (AwsError("KMSAccessDeniedException", "no"), Said.FAILED),
        (AwsError("AccessDeniedException", "no"), Said.FAILED),
    ],
)
async def test_what_each_answer_means(answer: Any, said: Said) -> None:
    """Mutations: any answer is a yes; a missing function is final, with which its records would lose their payload."""
    destination, _ = to(lambda *_: answer)
    (reply,) = await destination.send([message("a", b"{}")])
    assert reply.said is said


async def test_what_is_too_large_is_refused_unasked_and_the_rest_goes() -> None:
    destination, client = to(lambda *_: {"StatusCode": 202})
    replies = await destination.send(
        [message("a", b"x" * LAMBDA.message), message("b", b"x" * (LAMBDA.message + 1)), message("c", b"{}")]
    )
    assert [one.said for one in replies] == [Said.CONFIRMED, Said.REFUSED, Said.CONFIRMED]
    assert len(client.calls) == 2


@pytest.mark.parametrize("version", ["", ":$LATEST", ":7", ":live"])
def test_an_arn_is_enough(version: str) -> None:
    options = LambdaDestinationOptions(**(kind.text(ARN + version) or {}))
    assert (options.function_arn, options.aws(opening()).region) == (ARN + version, "eu-central-1")
    assert kind.text(f"{ARN}:a:b") is None
