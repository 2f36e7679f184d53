"""Destinations of a name, several together, and rules, as a user writes them."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from headrace import config
from headrace.config import Config, explain
from headrace.config.schema import schema
from headrace.destination import FailureClass
from headrace.errors import ConfigError
from headrace_connectors.catalog import catalog
from support.fake_catalog import write

BASE = """\
service: {{name: shop}}
aws: {{region: eu-central-1}}
functions:
  record: {{handler: shop.orders.handler}}
destinations:
  audit: {{type: file, path: audit.jsonl}}
  both: [{{type: file, path: one.jsonl}}, "arn:aws:sqs:eu-central-1:123456789012:failed"]
mappings:
  orders:
    source: {{type: sqs, queue_url: "https://sqs.eu-central-1.amazonaws.com/123456789012/orders"}}
    function: record
    maximum_retry_attempts: 2
    destination_config:
      {end}: {{destination: {destination}}}
"""
PATH = "mappings.orders.destination_config.on_failure.destination"
QUEUE = "arn:aws:sqs:eu-central-1:123456789012:lost"
RULES = (
    "[{when: {class: [timeout, expired]}, to: audit}, {when: {pattern: {body: {kind: [gold]}}}, to: [audit, both]}, "
    "{to: both}]"
)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(destination: str, end: str = "on_failure") -> Config:
    write(Path(), BASE.format(destination=destination, end=end), "f.yaml")
    return config.load([Path("f.yaml")], catalog, {})


def shown(loaded: Config) -> list[tuple[list[str], set[str] | None, bool]]:
    routing = loaded.mappings["orders"].on_failure
    assert routing is not None
    return [
        ([to.path for to in one.to], None if one.classes is None else set(one.classes), one.pattern is not None)
        for one in routing.routes
    ]


def test_a_name_stands_for_all_that_it_names() -> None:
    assert shown(load("audit")) == [(["destinations.audit"], None, False)]
    assert shown(load("both")) == [(["destinations.both.0", "destinations.both.1"], None, False)]
    own = "destination_config.on_failure.destination"
    assert shown(load("[audit, {type: file, path: x.jsonl}]")) == [(["destinations.audit", f"{own}.1"], None, False)]


def test_what_is_named_twice_is_told_once() -> None:
    """Mutation, tried: told as often as it is named."""
    both = ["destinations.both.0", "destinations.both.1"]
    assert shown(load("[audit, both, audit, both]")) == [(["destinations.audit", *both], None, False)]


def test_a_named_destination_is_one_wherever_it_is_used() -> None:
    """It is opened once. Mutation: read anew at each use."""
    opening = load(RULES).opening("orders")
    assert [to.path for to in opening.destinations] == [
        "destinations.audit",
        "destinations.both.0",
        "destinations.both.1",
    ]


def test_rules_choose_by_class_and_pattern() -> None:
    both = ["destinations.both.0", "destinations.both.1"]
    assert shown(load(RULES)) == [
        (["destinations.audit"], {FailureClass.TIMEOUT, FailureClass.EXPIRED}, False),
        (["destinations.audit", *both], None, True),
        (both, None, False),
    ]


@pytest.mark.parametrize(
    ("destination", "said"),
    [
        ("audti", "f.yaml:14: {}: is neither a destination's name nor an ARN; did you mean audit?"),
        ('"arn:aws:sqs:eu-central-1:lost"', "f.yaml:14: {}: no kind of destination takes this text; write {{type: "),
        ("[]", "f.yaml:14: {}: is empty; name a destination, or take it out"),
        ("[audit, {type: filee}]", "f.yaml:14: {}[1].type: there is no such destination; did you mean file?"),
        ("[{when: {class: [timeout]}, to: audit}]", "f.yaml:14: {}: must end in a rule without when"),
        ("[{to: both}, {to: audit}]", "f.yaml:14: {}[0]: fits everything, so none behind it is ever used"),
        ("[{when: {}, to: both}, {to: audit}]", "f.yaml:14: {}[0].when: says nothing: give it class or pattern"),
        (
            "[{when: {class: [slow]}, to: both}, {to: audit}]",
            "f.yaml:14: {}[0].when.class[0]: must be handler_error, timeout",
        ),
        (
            "[{when: {pattern: {body: []}}, to: both}, {to: audit}]",
            "f.yaml:14: {}[0].when.pattern.body: Event pattern is not valid. Reason: Empty arrays are not allowed",
        ),
        ("[{when: {class: [timeout]}, too: both}, {to: audit}]", "f.yaml:14: {}[0]: must be a rule"),
        ("[audit, {to: audit}]", "f.yaml:14: {}[0]: must be a rule, as those beside it"),
        ("[{to: audit, if: x}]", "f.yaml:14: {}[0].if: unknown option; known are to, when"),
    ],
)
def test_faults_have_their_place_and_mend(destination: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(destination)
    (fault,) = str(caught.value).splitlines()
    assert fault.startswith(said.format(PATH)), fault


def test_the_success_of_a_record_has_no_class() -> None:
    with pytest.raises(ConfigError, match=r"when\.class: is only of on_failure"):
        load(RULES, "on_success")
    loaded = load("audit", "on_success")
    assert loaded.mappings["orders"].on_failure is None
    assert loaded.mappings["orders"].on_success is not None


def test_a_fault_of_a_named_destination_stands_where_it_was_written_and_once() -> None:
    text = BASE.format(destination=RULES, end="on_failure").replace("one.jsonl", "nowhere/one.jsonl")
    write(Path(), text, "f.yaml")
    with pytest.raises(ConfigError) as caught:
        config.load([Path("f.yaml")], catalog, {})
    assert str(caught.value).splitlines() == [
        "f.yaml:7: destinations.both[0].path: its folder does not exist; make it, or correct the path"
    ]


def test_explain_shows_rules_names_and_what_they_stand_for() -> None:
    rows = {row.path: row.value for row in explain.rows(load(RULES))}
    assert rows["destinations.audit.type"] == "file"
    assert rows["destinations.both[1].queue_arn"] == "arn:aws:sqs:eu-central-1:123456789012:failed"
    assert rows[f"{PATH}[0].when.class"] == ["expired", "timeout"]
    assert rows[f"{PATH}[0].to"] == "audit"
    assert rows[f"{PATH}[1].to"] == ["audit", "both"]
    assert rows[f"{PATH}[2].to"] == "both"


def test_the_schema_takes_what_is_read() -> None:
    """Mutation: a form that an editor marks as wrong."""
    validator = jsonschema.Draft202012Validator(schema(catalog))
    for destination in ("audit", "[audit, both]", RULES, "{type: file, path: a}"):
        validator.validate(yaml.safe_load(BASE.format(destination=destination, end="on_failure")))
    for destination in ("[]", "[{when: {class: [slow]}, to: a}]", "{type: fil}"):
        assert list(validator.iter_errors(yaml.safe_load(BASE.format(destination=destination, end="on_failure"))))


def test_what_a_text_means_stands_in_the_file() -> None:
    """Mutations: defaults; what the text does not say; no place."""
    found = {row.path: (row.origin, row.place) for row in explain.rows(load(f'["{QUEUE}", audit]'))}
    for path, place in ((f"{PATH}[0]", "f.yaml:14"), ("destinations.both[1]", "f.yaml:7")):
        assert found[f"{path}.type"] == found[f"{path}.queue_arn"] == ("file", place)
        assert found[f"{path}.queue_url"] == ("default", "")
    assert found["destinations.audit.type"] == ("file", "f.yaml:6")


def test_what_a_function_says_of_its_queue_is_told_where_it_is_written() -> None:
    """Mutations: a default of the source; all of them; where it is overridden."""
    text = """\
service: {name: shop}
functions:
  tick:
    handler: a.b
    event_invoke_config:
      maximum_retry_attempts: 1
      maximum_event_age_in_seconds: 60
mappings:
  sched:
    source: {type: schedule, schedule_expression: "cron(0 12 * * ? *)"}
    function: tick
    maximum_record_age_in_seconds: 90
"""
    write(Path(), text, "f.yaml")
    found = {row.path: row for row in explain.rows(config.load([Path("f.yaml")], catalog, {}))}

    def said(name: str) -> tuple[object, str, str]:
        row = found[f"mappings.sched.{name}"]
        return row.value, row.origin, row.place

    at = "functions.tick.event_invoke_config.maximum_retry_attempts"
    assert said("maximum_retry_attempts") == (1, at, "f.yaml:6")
    assert said("maximum_record_age_in_seconds") == (90, "file", "f.yaml:12")
    assert said("retry_backoff.initial") == (60, "default of schedule", "")
