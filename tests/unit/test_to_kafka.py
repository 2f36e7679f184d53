"""A Kafka topic as a destination, as it is written and as it is connected: without a broker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headrace import config
from headrace.config import explain
from headrace.destination import Said
from headrace.errors import ConfigError
from headrace.plugins import Opening
from headrace_connectors.catalog import catalog
from headrace_connectors.destinations.kafka import KafkaDestinationOptions
from headrace_connectors.destinations.kafka import kafka as to_kafka
from headrace_connectors.destinations.topic import KafkaDestination
from headrace_connectors.kafka.connecting import KafkaSettings
from headrace_connectors.kafka.options import KafkaOptions
from headrace_connectors.kafka.producer import SMALL, _runs
from support.fake_catalog import write
from support.messages import message
from support.messages import opening as opened
from support.routed import only

PLANTED = "hunter2-planted-secret"
LOGIN: dict[str, Any] = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "PLAIN",
    "sasl_username": "me",
    "sasl_password": PLANTED,
}


def source(**given: Any) -> KafkaOptions:
    return KafkaOptions(**{"topics": ["orders"], "bootstrap_servers": "source:1", **given})


def to(**given: Any) -> KafkaDestinationOptions:
    return KafkaDestinationOptions(**{"topic": "failed", **given})


def opening(options: Any = None, **section: Any) -> Opening:
    return opened(options=options, sections={"kafka": KafkaSettings(**section)} if section else {})


def wrong(around: Opening, **given: Any) -> list[str]:
    return [str(fault) for fault in to_kafka.check(around, to(**given))]


def test_whose_connection_it_is() -> None:
    """Its own; else its mapping's Kafka source's, credentials included; else the section's. Mutations: another order;
    the source's credentials shown to another cluster.
    """
    common = {"bootstrap_servers": "common:1", "client_id": "common"}
    around = opening(source(**LOGIN), **common)
    assert to().reaching(around).servers == ["source:1"]
    assert to().reaching(around).sasl_username == "me"
    assert to().reaching(around).client_id == "common"
    assert to(bootstrap_servers="own:1").reaching(around).servers == ["own:1"]
    assert to(bootstrap_servers="own:1").reaching(around).sasl_username is None
    assert to().reaching(opening(None, **common)).servers == ["common:1"]
    assert to(security_protocol="SSL").reaching(opening(None, **common)).protocol == "SSL"


def test_the_source_topic_is_refused() -> None:
    """Lambda, too: what is told would come again. Mutations: any topic of that name; only where it inherits."""
    told = "topic: must differ from the source topic: what it is told would come again for ever; name another"
    assert wrong(opening(source()), topic="orders") == [told]
    assert wrong(opening(source(bootstrap_servers=["x:1", "source:1"])), topic="orders", bootstrap_servers="x:1") == [
        told
    ]
    assert wrong(opening(source()), topic="orders", bootstrap_servers="another:1") == []
    assert wrong(opening(source()), topic="failed") == []


def test_what_is_wrong_with_its_connection() -> None:
    assert wrong(opening()) == ["bootstrap_servers: is required, here or in the section kafka: a list of HOST:PORT"]
    assert wrong(opening(bootstrap_servers="a:1")) == []
    assert wrong(opening(), bootstrap_servers="a:1", sasl_username="me")[0].startswith("sasl_username: needs security")
    assert wrong(opening(source(sasl_username="me"))) == []  # its source's own check says it


@pytest.mark.parametrize("topic", ["", "a b", "ü", "x" * 250, "a/b"])
def test_a_topic_by_kafkas_rule(topic: str) -> None:
    with pytest.raises(ValueError, match="topic"):
        to(topic=topic)


CONFIG = """\
service: {{name: shop}}
aws: {{region: eu-central-1}}
kafka: {{bootstrap_servers: kafka:9092, security_protocol: SASL_SSL, sasl_mechanism: PLAIN, sasl_username: me,
  sasl_password: {secret}}}
functions: {{f: {{handler: a.b}}}}
mappings:
  orders:
    source: {{type: sqs, queue_url: "https://sqs.eu-central-1.amazonaws.com/123456789012/orders"}}
    function: f
    maximum_retry_attempts: 2
    destination_config: {{on_failure: {{destination: {destination}}}}}
"""


def test_as_a_text_and_as_a_block_of_a_config(tmp_path: Path) -> None:
    """AWS's text form means the section's connection. Its secrets are masked. Mutation: shown as they were written."""
    for destination in ("kafka://failed.orders", "{type: kafka, topic: failed.orders}"):
        file = write(tmp_path, CONFIG.format(secret=PLANTED, destination=destination))
        loaded = config.load([file], catalog, {})
        found = only(loaded.mappings["orders"].on_failure)
        assert found.kind is to_kafka
        assert found.options.reaching(loaded.opening("orders")).servers == ["kafka:9092"]
        rows = {row.path: row for row in explain.rows(loaded)}
        assert PLANTED not in str(rows)
        base = "mappings.orders.destination_config.on_failure.destination"
        assert (rows[f"{base}.topic"].value, rows[f"{base}.type"].value) == ("failed.orders", "kafka")
        assert rows[f"{base}.bootstrap_servers"].value == ["kafka:9092"]
        assert rows[f"{base}.sasl_password"].value == "***"


def test_explain_shows_what_holds_from_its_source(tmp_path: Path) -> None:
    """Mutations: the section's where the source has its own; the source's where the destination is elsewhere."""
    text = CONFIG.format(secret="'${KEY}'", destination="kafka://failed")
    text = text.replace(
        "{type: sqs, queue_url", '{type: kafka, topics: [a], sasl_password: "${OWN}", bootstrap_servers'
    )
    text = text.replace("https://sqs.eu-central-1.amazonaws.com/123456789012/orders", "source:1")
    base = "mappings.orders.destination_config.on_failure.destination"
    loaded = config.load([write(tmp_path, text)], catalog, {"KEY": PLANTED, "OWN": PLANTED})
    rows = {row.path: row for row in explain.rows(loaded)}
    assert (rows[f"{base}.bootstrap_servers"].value, rows[f"{base}.bootstrap_servers"].place[-2:]) == (
        ["source:1"],
        ":8",
    )
    assert rows[f"{base}.sasl_password"].value == "${OWN}"
    assert rows[f"{base}.sasl_username"].value == "me"
    text = text.replace("kafka://failed", "{type: kafka, topic: failed, bootstrap_servers: own:1}")
    loaded = config.load([write(tmp_path, text)], catalog, {"KEY": PLANTED, "OWN": PLANTED})
    rows = {row.path: row for row in explain.rows(loaded)}
    assert (rows[f"{base}.bootstrap_servers"].value, rows[f"{base}.sasl_password"].value) == (["own:1"], "${KEY}")


def test_a_text_that_names_no_topic(tmp_path: Path) -> None:
    file = write(tmp_path, CONFIG.format(secret=PLANTED, destination="kafka://a/b"))
    with pytest.raises(ConfigError) as caught:
        config.load([file], catalog, {})
    assert "on_failure.destination.topic: must be a text, of the form ^[a-zA-Z0-9._-]{1,249}$" in str(caught.value)
    assert PLANTED not in str(caught.value)


def test_large_messages_go_by_themselves_and_the_order_stays() -> None:
    """Mutations: all together; the large ones last."""
    sizes = [1, 2, SMALL + 1, SMALL + 2, 3, SMALL]
    some = [message(str(n), b"x" * size) for n, size in enumerate(sizes)]
    assert [[one.id for one in run] for run in _runs(some)] == [["0", "1"], ["2"], ["3"], ["4", "5"]]


async def test_a_broker_that_is_away_is_a_reply_without_secrets() -> None:
    """And the message behind it is not tried at all. Mutation: it raises."""
    options = to(bootstrap_servers="127.0.0.1:1", **{**LOGIN, "security_protocol": "SASL_PLAINTEXT"})
    destination = KafkaDestination(opening(), options)
    try:
        replies = await destination.send([message("a", b"1"), message("b", b"2")])
    finally:
        await destination.close()
        await destination.close()
    assert [one.said for one in replies] == [Said.FAILED] * 2
    assert replies[0].reason.startswith("cannot be reached at 127.0.0.1:1: connection refused")
    assert PLANTED not in f"{replies}{destination.name}{vars(destination)}{options}"


def test_the_form_of_any_sources_failure_record() -> None:
    """6.5: the condition's other word, the version behind the function's ARN."""
    context = {"condition": "RetryAttemptsExhausted", "functionArn": "arn", "requestId": "r"}
    shown = to_kafka.form({"requestContext": context, "SQSMessageInfo": {"messageId": "m"}})
    assert shown["requestContext"] == {**context, "condition": "RetriesExhausted", "functionArn": "arn:$LATEST"}
    assert shown["SQSMessageInfo"] == {"messageId": "m"}


def test_warnings_only_of_what_it_says_itself() -> None:
    options = to(bootstrap_servers="far:1", **{**LOGIN, "security_protocol": "SASL_PLAINTEXT"})
    assert [one.path for one in to_kafka.warn(opening(), options)] == ["security_protocol"]
    assert list(to_kafka.warn(opening(source(**{**LOGIN, "security_protocol": "SASL_PLAINTEXT"})), to())) == []
