"""`redact` in a config file: paths that hide nothing are faults with their place; what is lost is warned of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from headrace import config
from headrace.config import explain
from headrace.errors import ConfigError
from headrace_connectors import SqsPoller
from headrace_connectors.catalog import catalog

SOURCES: dict[str, dict[str, Any]] = {
    "sqs": {"type": "sqs", "queue_url": "http://localhost/000000000000/orders"},
    "kafka": {"type": "kafka", "bootstrap_servers": ["b:9092"], "topics": ["orders"]},
    "kinesis": {"type": "kinesis", "stream": "orders"},
    "schedule": {"type": "schedule", "schedule_expression": "cron(0 12 * * ? *)"},
}


def load(
    folder: Path, redact: Any, source: str | dict[str, Any] = "sqs", function: Any = None, **more: Any
) -> config.Config:
    if source == "kinesis":
        more["starting_position"] = "LATEST"
    text = {
        "service": {"name": "shop", "state": "memory:"},
        "functions": {"f": {"handler": "a.b", **({"event_invoke_config": function} if function else {})}},
        "mappings": {
            "orders": {
                "source": source if isinstance(source, dict) else SOURCES[source],
                "function": "f",
                **({} if redact is None else {"redact": redact}),
                **more,
            }
        },
    }
    path = folder / "c.yaml"
    path.write_text(yaml.safe_dump(text))
    return config.load([path], catalog, {})


def faults(folder: Path, redact: Any, source: str | dict[str, Any] = "sqs", **more: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, redact, source, **more)
    assert all(fault.place for fault in caught.value.faults)
    return [f"{fault.path}: {fault.message}" for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("source", "path", "said"),
    [
        ("sqs", "boddy.card", "no SQS message has a field boddy, so this hides nothing; did you mean body?"),
        ("sqs", "data.card", "no SQS message has a field data, so this hides nothing; what can be hidden begins with"),
        ("sqs", "*.card", "no SQS message has a field *,"),
        ("sqs", "messageId", "messageId says which SQS message it is, and where it came from"),
        ("kafka", "partition", "partition says which Kafka message it is"),
        ("kafka", "values.card", "did you mean value?"),
        ("kinesis", "sequenceNumber", "says which Kinesis record it is"),
        ("sqs", "$.body", "begins at the record itself: write body.card, without $"),
        ("sqs", "body[0]", "has no brackets"),
        ("sqs", "body..x", "must be steps with dots"),
        ("schedule", "a..b", "must be steps with dots"),
    ],
)
def test_a_path_that_hides_nothing_is_a_fault(tmp_path: Path, source: str, path: str, said: str) -> None:
    """Mutations: taken in silence; the fault of the list, without the item."""
    (fault,) = faults(
        tmp_path, ["card" if source == "schedule" else "body" if source == "sqs" else _any(source), path], source
    )
    assert fault.startswith("mappings.orders.redact[1]: ")
    assert said in fault


def _any(source: str) -> str:
    return {"kafka": "value.card", "kinesis": "data.card"}[source]


@pytest.mark.parametrize(("source", "paths"), [("sqs", ["body", "messageAttributes.*", "attributes.MessageGroupId"])])
def test_what_can_be_hidden(tmp_path: Path, source: str, paths: list[str]) -> None:
    assert load(tmp_path, paths, source).mappings["orders"].settings.redact == paths


def test_kafka_is_checked_in_the_shape_that_it_is_shown_in(tmp_path: Path) -> None:
    """Mutation: the view of Kafka's own shape."""
    shown = {**SOURCES["kafka"], "present_as": "kinesis"}
    loaded = load(tmp_path, ["data.card"], shown)
    assert loaded.warnings == () or all("redact" not in one.path for one in loaded.warnings)
    assert "no Kinesis record has a field value" in faults(tmp_path, ["value.card"], shown)[0]


def test_a_queue_that_loses_what_is_hidden_is_warned_of(tmp_path: Path) -> None:
    """Mutations: no warning; one without a destination; one for a log, which still has the record."""
    end = {"destination_config": {"on_failure": {"destination": {"type": "file", "path": "f.jsonl"}}}}
    limit = {"maximum_retry_attempts": 1}
    told = [one for one in load(tmp_path, ["body"], **end, **limit).warnings if one.path.endswith("redact")]
    assert [one.path for one in told] == ["mappings.orders.redact"]
    assert "encrypted" in told[0].message
    assert told[0].place
    assert not [one for one in load(tmp_path, ["body"]).warnings if one.path.endswith("redact")]
    log = load(tmp_path, ["data"], "kinesis", **end, **limit)
    assert not [one for one in log.warnings if one.path.endswith("redact")]


def test_a_functions_own_holds_for_all_that_invokes_it_asynchronously(tmp_path: Path) -> None:
    """Mutations: of the queue alone; no warning; no check of its form."""
    end = {"destination_config": {"on_failure": {"destination": {"type": "file", "path": "f.jsonl"}}}}
    loaded = load(tmp_path, None, "schedule", function={"redact": ["card.*"], **end})
    assert loaded.queues["function:f"].settings.redact == ["card.*"]
    assert loaded.mappings["orders"].settings.redact == ["card.*"]
    assert "functions.f.event_invoke_config.redact" in [one.path for one in loaded.warnings]
    assert load(tmp_path, ["x"], "schedule", function={"redact": ["y"]}).mappings["orders"].settings.redact == ["x"]
    (fault,) = faults(tmp_path, None, "schedule", function={"redact": ["a[0]"]})
    assert fault.startswith("functions.f.event_invoke_config.redact[0]: has no brackets")


def test_it_is_explained(tmp_path: Path) -> None:
    rows = {row.path: row for row in explain.rows(load(tmp_path, ["body.token"]))}
    assert rows["mappings.orders.redact"].value == ["body.token"]
    assert rows["mappings.orders.redact"].origin == "file"


def test_the_library_says_the_same() -> None:
    with pytest.raises(ConfigError, match=r"redact\[0\]: no SQS message has a field boddy"):
        SqsPoller(queue_url="http://localhost/1/q", handler=print, redact=["boddy.x"])
