"""`idempotency` in a config file and for programs: each fault at its place, what refuses it, how it is explained."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from headrace import config
from headrace.config import explain
from headrace.errors import ConfigError
from headrace.times import duration
from headrace_connectors import SqsPoller
from headrace_connectors.catalog import catalog
from support.fake_catalog import write

TEXT = """\
service: {name: shop}
functions:
  record: {handler: shop.orders.handler}
mappings:
  orders:
    source: SOURCE
    function: record
"""
SQS = "{type: sqs, queue_url: 'http://localhost:1/000000000000/orders'}"
AT = "f.yaml:8: mappings.orders.idempotency"
KINESIS = "{type: kinesis, stream: clicks}"


def load(block: str, source: str = SQS, more: str = "") -> config.Config:
    text = TEXT.replace("SOURCE", source) + f"    idempotency: {block}\n{more}"
    with tempfile.TemporaryDirectory() as folder:
        return config.load([write(Path(folder), text, "f.yaml")], catalog, {})


def faults(block: str, source: str = SQS, more: str = "") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(block, source, more)
    return [line[line.index("f.yaml") :] for line in str(caught.value).splitlines()]


@pytest.mark.parametrize(
    ("block", "fault"),
    [
        ("{}", "f.yaml:8: mappings.orders.idempotency.key: is required: a text, of at most 4096 characters"),
        ("7", "f.yaml:8: mappings.orders.idempotency: must be a mapping, got 7"),
        (
            "{key: body.id, expires: 1h}",
            "f.yaml:8: mappings.orders.idempotency.expires: unknown option; did you mean expires_after?",
        ),
        (
            "{key: 'body.'}",
            f"{AT}.key: is no JMESPath expression: Expecting: ['quoted_identifier', 'unquoted_identifier', ",
        ),
        (
            "{key: body.id, expires_after: soon}",
            f"{AT}.expires_after: must be seconds, or a duration as 90s, 30m, 1h30m or 7d",
        ),
        (
            "{key: body.id, expires_after: 0}",
            f"{AT}.expires_after: must be from one second to 366 days: 3600, 90s, 30m, 1h30m, 7d",
        ),
    ],
)
def test_faults(block, fault):
    (found,) = faults(block)
    assert found.startswith(fault)


def test_beside_a_tumbling_window_it_is_refused():
    """Mutation, tried: both (a state without what a remembered record gave to it)."""
    more = "    starting_position: LATEST\n    tumbling_window_in_seconds: 60\n"
    (fault,) = faults("{key: data.id}", KINESIS, more)
    assert "mappings.orders.idempotency: stands beside tumbling_window_in_seconds" in fault


def test_schedules_refuse_it():
    (fault,) = faults("{key: id}", "{type: schedule, schedule_expression: rate(1 hour)}")
    assert "an occurrence is queued once" in fault


def test_a_field_that_no_record_has_is_warned_of():
    found = load("{key: '[boddy.id, attributes.x]'}")
    said = [warning.message for warning in found.warnings if warning.path == "mappings.orders.idempotency.key"]
    assert said == ["no SQS message has a field boddy; did you mean body?"]


def test_it_is_explained():
    rows = {row.path: (row.value, row.origin) for row in explain.rows(load("{key: body.id}"))}
    assert rows["mappings.orders.idempotency.key"] == ("body.id", "file")
    assert rows["mappings.orders.idempotency.expires_after"] == ("1h", "default")


def test_a_poller_takes_it():
    with pytest.raises(ConfigError) as caught:
        SqsPoller(queue_url="http://h/1/q", handler=print, idempotency={"key": "'x'"})
    assert str(caught.value).startswith("idempotency.key: gives a key to a record that has none of its fields")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(90, 90.0), ("90", 90.0), (1.5, 1.5), ("90s", 90.0), ("30m", 1800.0), ("1h30m", 5400.0), ("7d", 604800.0)],
)
def test_durations(written, seconds):
    assert duration(written) == seconds


@pytest.mark.parametrize("written", ["", "h", "1.5h", "-1h", "1 h", "1w", "1H", "٣h"])
def test_no_durations(written):
    with pytest.raises(ValueError):
        duration(written)


def test_a_store_that_ends_with_its_process_is_told_of() -> None:
    """Mutations: one of the two; a warning though the store is a file; of what does not last anyway."""

    def said(state: str, invoked: str = "", key: str = "") -> list[str]:
        text = TEXT.replace("SOURCE", SQS).replace("name: shop", f"name: shop, state: '{state}'")
        text = text.replace("shop.orders.handler", f"shop.orders.handler{invoked}") + key
        with tempfile.TemporaryDirectory() as folder:
            found = config.load([write(Path(folder), text, "f.yaml")], catalog, {}).warnings
        return [str(one)[str(one).index("f.yaml") :] for one in found if one.path == "service.state"]

    key, invoked = "    idempotency: {key: body.id, expires_after: 1h}\n", ", event_invoke_config: {}"
    gone = "is held by this process alone, and is gone with it; use sqlite:, or redis:// for several copies"
    assert said("memory:", invoked, key) == [
        f"f.yaml:1: service.state: what is accepted for record {gone}",
        f"f.yaml:1: service.state: what idempotency knows of orders {gone}",
    ]
    assert said("memory:") == []
    assert said("sqlite:x.db", invoked, key) == []
