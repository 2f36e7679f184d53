"""Which shape a Kafka source gives its messages, and the ARN in its events."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from headrace_connectors.kafka.message import PlainMessage
from headrace_connectors.kafka.options import KafkaOptions
from headrace_connectors.kafka.presenting import shape_of, wrong_with

MESSAGE = PlainMessage("orders", 0, 7, 1_700_000_000_000, 0, b"k", b"{}")


def event(present_as, arn=None, region=None):
    shape = shape_of(present_as, arn, topic="orders", bootstrap_servers="h:1", region=region, windowed=False)
    return shape.render(shape.records([MESSAGE], received=0.0))


@pytest.mark.parametrize(
    ("present_as", "arn", "made"),
    [
        ("sqs", "arn:aws:sqs:eu-west-1:123456789012:shop", "arn:aws:sqs:eu-west-1:000000000000:orders"),
        (
            "kinesis",
            "arn:aws:kinesis:eu-west-1:123456789012:stream/shop",
            "arn:aws:kinesis:eu-west-1:000000000000:stream/orders",
        ),
        (
            "dynamodb",
            "arn:aws:dynamodb:eu-west-1:123456789012:table/shop",
            "arn:aws:dynamodb:eu-west-1:000000000000:table/orders/stream/2020-01-01T00:00:00.000",
        ),
    ],
)
def test_the_events_name_the_arn_that_is_given_or_one_of_the_topic(present_as, arn, made) -> None:
    value = b'{"eventName": "INSERT", "dynamodb": {"Keys": {"id": {"S": "1"}}}}'
    shapes = [
        shape_of(present_as, one, topic="orders", bootstrap_servers="h:1", region="eu-west-1", windowed=False)
        for one in (arn, None)
    ]
    told = [
        shape.render(shape.records([MESSAGE._replace(value=value)], received=0.0))["Records"][0] for shape in shapes
    ]
    names = [one.get("eventSourceARN") for one in told]
    assert names[0].startswith(arn)
    assert names[1] == made


def test_without_a_region_it_is_the_first_of_aws() -> None:
    assert event("sqs")["Records"][0]["eventSourceARN"] == "arn:aws:sqs:us-east-1:000000000000:orders"


def test_kafka_stays_kafka() -> None:
    assert event("kafka")["eventSource"] == "SelfManagedKafka"


def test_an_arn_is_of_the_shape_or_refused_with_its_form() -> None:
    arn = "arn:aws:sqs:eu-west-1:123456789012:shop"
    assert wrong_with(arn, "sqs") == ""
    assert wrong_with(None, "kafka") == ""
    assert "take it out" in wrong_with(arn, "kafka")
    assert "arn:aws:kinesis:REGION:ACCOUNT:stream/STREAM" in wrong_with(arn, "kinesis")
    with pytest.raises(ValidationError, match="arn:aws:sqs:REGION"):
        KafkaOptions(topics=["a"], event_source_arn="arn:aws:s3:::bucket")
