"""A bucket as a destination: Lambda's key, one object a record, the same object when it is sent again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from headrace.destination import CONFIRMED, Said
from headrace.plugins import mapping_uuid
from headrace_connectors.aws import AwsError
from headrace_connectors.destinations.s3 import S3Destination, S3DestinationOptions, key_of
from headrace_connectors.tracing import trace_of
from support.messages import AT, message, opening
from support.scripted import ScriptedClient

MAPPING = mapping_uuid("s", "orders")


def to(answer: Any, **options: str) -> tuple[S3Destination, ScriptedClient]:
    client = ScriptedClient(answer)
    destination = S3Destination(opening(), S3DestinationOptions(bucket="failed", **options))
    destination._connection._made = client
    return destination, client


def test_the_key_is_lambdas() -> None:
    """Mutations: local time; colons; the time of sending."""
    key = key_of(MAPPING, message("m", b"", lane="shardId-000000000001"))
    rest, _, own = key.partition(".01-")
    assert rest == f"aws/lambda/{MAPPING}/shardId-000000000001/2025/11/25/2025-11-25T16.40"
    assert str(UUID(own)) == own


def test_what_is_sent_again_is_the_same_object_and_another_is_another() -> None:
    """Mutation: a random id, with which a lost answer makes two objects; one of the second, which makes one of two."""
    first = key_of(MAPPING, message("m", b""))
    assert key_of(MAPPING, message("m", b"")) == first
    others = {
        key_of(MAPPING, message("n", b"")),
        key_of(MAPPING, message("m", b"", at=AT + 0.001)),
        key_of(MAPPING, message("m", b"", lane="other")),
        key_of(mapping_uuid("s", "clicks"), message("m", b"")),
    }
    assert len(others - {first}) == 4


async def test_one_object_a_record() -> None:
    destination, client = to(lambda *_: {"ETag": "e"}, prefix="dead/")
    some = [message(f"m{n}", b'{"n": 1}') for n in range(23)]
    assert await destination.send(some) == [CONFIRMED] * 23
    puts = client.named("PutObject")
    assert [put["Key"] for put in puts] == [f"dead/{key_of(MAPPING, one)}" for one in some]
    assert {(put["Bucket"], put["Body"], put["ContentType"]) for put in puts} == {
        ("failed", b'{"n": 1}', "application/json")
    }


async def test_the_count_goes_in_the_tracing_header() -> None:
    """S3 hands it on to whom a bucket's notifications go. Mutation: metadata, which no notification names."""
    destination, client = to(lambda *_: {"ETag": "e"})
    counted = message("m", b"{}", hops=2)
    assert await destination.send([counted]) == [CONFIRMED]
    assert client.named("PutObject")[0]["trace"] == trace_of(counted)


async def test_each_answer_is_its_records_own_and_a_failure_ends_the_sending() -> None:
    """Mutations: one answer for all; a call for each of thousands to a server that is away."""
    answers = iter([{}, AwsError("SlowDown", "later"), AwsError("EntityTooLarge", "never"), *[{}] * 7])
    destination, client = to(lambda *_: next(answers))
    replies = await destination.send([message(f"m{n}", b"") for n in range(25)])
    said = [Said.CONFIRMED, Said.FAILED, Said.REFUSED, *[Said.CONFIRMED] * 7, *[Said.FAILED] * 15]
    assert [one.said for one in replies] == said
    assert "SlowDown" in replies[-1].reason
    assert len(client.calls) == 10


def test_the_key_of_an_asynchronous_invocation_has_the_functions_name() -> None:
    """Section 8. Mutation: the mapping and its lane, of which such an invocation has none."""
    key = key_of(MAPPING, message("m", b"", function="resize", asynchronous=True))
    assert key.startswith("aws/lambda/async/resize/2025/11/25/2025-11-25T16.40.01-")
