"""What goes beside a body: a dead letter's three attributes, the hops, and what they weigh."""

from __future__ import annotations

from typing import Any

import pytest

from headrace_connectors.attributes import attributes, weight
from headrace_connectors.destinations.sns import SnsDestination, SnsDestinationOptions
from headrace_connectors.destinations.sqs import SqsDestination, SqsDestinationOptions
from headrace_connectors.kafka.producer import _headers
from headrace_connectors.tracing import trace_of
from support.messages import message, opening
from support.scripted import ScriptedClient

DEAD = {"RequestID": "r-1", "ErrorCode": "200", "ErrorMessage": "boom"}
TYPED = {
    "RequestID": {"DataType": "String", "StringValue": "r-1"},
    "ErrorCode": {"DataType": "Number", "StringValue": "200"},
    "ErrorMessage": {"DataType": "String", "StringValue": "boom"},
}
HOPS = {"headrace-hops": {"DataType": "Number", "StringValue": "2"}}


def test_a_dead_letters_are_typed_as_lambda_types_them() -> None:
    """Section 8. Mutation: all of them String."""
    assert attributes(message("m", b"", attributes=DEAD)) == TYPED
    assert attributes(message("m", b"", attributes=DEAD, hops=2)) == {**TYPED, **HOPS}


def test_nothing_beside_is_nothing() -> None:
    """Mutations: hops of 0 sent; an empty text, which AWS refuses with the whole message."""
    assert attributes(message("m", b"", attributes={"ErrorMessage": ""})) == {}
    assert weight(message("m", b"xx")) == 2


def test_what_no_attribute_may_hold_is_replaced() -> None:
    """Mutation: a control character in an error's text, with which SQS refuses the dead letter for ever."""
    found = attributes(message("m", b"", attributes={"ErrorMessage": "a\x00b\ud800c\n"}))
    assert found["ErrorMessage"]["StringValue"] == "a\ufffdb\ufffdc\n"


def test_they_weigh_what_aws_counts() -> None:
    """Mutation: the body alone, with which a batch is above its limit and refused."""
    assert weight(message("m", b"xx", attributes={"ErrorMessage": "ü"})) == 2 + 12 + 6 + 2


@pytest.mark.parametrize("kind", ["sqs", "sns"])
async def test_queues_and_topics_get_them(kind: str) -> None:
    client = ScriptedClient(lambda *_: {"Successful": [{"Id": "0"}]})
    destination: Any
    if kind == "sqs":
        url = "https://sqs.eu-central-1.amazonaws.com/123456789012/failed"
        destination = SqsDestination(opening(), SqsDestinationOptions(queue_url=url))
        destination._connection._made = client, url
    else:
        arn = "arn:aws:sns:eu-central-1:123456789012:failed"
        destination = SnsDestination(opening(), SnsDestinationOptions(topic_arn=arn))
        destination._connection._made = client
    await destination.send([message("m", b"{}", attributes=DEAD, hops=2)])
    ((_, _, params),) = client.calls
    (entry,) = params.get("Entries") or params["PublishBatchRequestEntries"]
    assert entry["MessageAttributes"] == {**TYPED, **HOPS}


async def test_beside_a_dead_letter_is_nothing_of_ours_but_its_trace() -> None:
    """Mutations: a fourth attribute; no count at all, so that a circle of dead letters never ends."""
    client = ScriptedClient(lambda *_: {"Successful": [{"Id": "0"}]})
    url = "https://sqs.eu-central-1.amazonaws.com/123456789012/failed"
    destination = SqsDestination(opening(), SqsDestinationOptions(queue_url=url))
    destination._connection._made = client, url
    dead = message("m", b"{}", attributes=DEAD, hops=2, bare=True)
    await destination.send([dead])
    ((entry,),) = [params["Entries"] for params in client.named("SendMessageBatch")]
    assert entry["MessageAttributes"] == TYPED
    assert entry["MessageSystemAttributes"] == {"AWSTraceHeader": {"DataType": "String", "StringValue": trace_of(dead)}}


def test_a_topic_of_kafka_gets_them_as_headers() -> None:
    """Mutation: a header on every record, which nobody asked for."""
    assert _headers(message("m", b"")) == []
    assert _headers(message("m", b"", hops=3)) == [("headrace-hops", b"3")]
    assert ("ErrorCode", b"200") in _headers(message("m", b"", attributes=DEAD))
