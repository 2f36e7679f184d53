"""A block of which nothing is left: YAML reads null, where somebody meant a destination, a filter, a path to hide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from headrace import config
from headrace.config.schema import schema
from headrace.errors import ConfigError
from headrace_connectors import SqsPoller
from headrace_connectors.catalog import catalog
from support.fake_catalog import write

CONFIG = """\
service: {name: shop}
aws: {region: eu-central-1}
functions:
  record:
    handler: shop.orders.handler
    # FUNCTION
destinations:
  lines: {type: file, path: lines.jsonl}
  # NAMED
mappings:
  orders:
    source: {type: sqs, queue_url: "https://sqs.eu-central-1.amazonaws.com/123456789012/orders"}
    function: record
    # MAPPING
"""
PLACES = {"FUNCTION": ("functions.record.", 6), "NAMED": ("destinations.", 9), "MAPPING": ("mappings.orders.", 14)}
RULE = "destination_config: {on_success: {destination: [{when: %s, to: lines}, {to: lines}]}}"
TO = "destination_config.on_success.destination"


def text(at: str, written: str) -> str:
    return CONFIG.replace(f"# {at}", written)


def load(folder: Path, written: str) -> config.Config:
    return config.load([write(folder, written, "f.yaml")], catalog, {})


@pytest.mark.parametrize(
    ("at", "written", "path"),
    [
        ("MAPPING", "destination_config:", "destination_config"),
        ("MAPPING", "destination_config: {on_failure: }", "destination_config.on_failure"),
        ("MAPPING", "destination_config: {on_success: ~}", "destination_config.on_success"),
        ("MAPPING", "destination_config: {on_success: {destination: null}}", TO),
        ("MAPPING", "destination_config: {on_success: {destination: [lines, null]}}", f"{TO}[1]"),
        ("MAPPING", RULE % "", f"{TO}[0].when"),
        ("MAPPING", RULE % "{class: , pattern: {body: {a: [1]}}}", f"{TO}[0].when.class"),
        ("MAPPING", RULE.replace("to: lines", "to: ", 1) % "{pattern: {body: {a: [1]}}}", f"{TO}[0].to"),
        ("MAPPING", "destination_config: {on_success: {destination: lines, claim_check: }}", f"{TO[:-11]}claim_check"),
        (
            "MAPPING",
            "destination_config: {on_success: {destination: {type: file, path: a, rotate: }}}",
            f"{TO}.rotate",
        ),
        ("MAPPING", "filter_criteria:", "filter_criteria"),
        ("MAPPING", "idempotency:", "idempotency"),
        ("MAPPING", "redact:", "redact"),
        ("FUNCTION", "event_invoke_config:", "event_invoke_config"),
        ("FUNCTION", "event_invoke_config: {destination_config: }", "event_invoke_config.destination_config"),
        (
            "FUNCTION",
            "event_invoke_config: {destination_config: {on_failure: }}",
            "event_invoke_config.destination_config.on_failure",
        ),
        (
            "FUNCTION",
            "event_invoke_config: {destination_config: {on_success: {destination: }}}",
            "event_invoke_config.destination_config.on_success.destination",
        ),
        ("FUNCTION", "dead_letter_config:", "dead_letter_config"),
        ("FUNCTION", "dead_letter_config: {target_arn: }", "dead_letter_config.target_arn"),
        ("NAMED", "audit:", "audit"),
        ("NAMED", "audit: [{type: file, path: b}, {type: file, path: a, rotate: }]", "audit[1].rotate"),
    ],
)
def test_an_empty_block_is_a_fault_with_its_place(tmp_path: Path, at: str, written: str, path: str) -> None:
    """Catches: null of a block read as its default, so that what was meant to be kept is dropped (each was, but names).

    The schema that editors go by says the same.
    """
    root, line = PLACES[at]
    whole = text(at, written)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, whole)
    (fault,) = caught.value.faults
    assert (fault.path, fault.place) == (root + path, f"{tmp_path / 'f.yaml'}:{line}")
    assert fault.message.startswith("is empty; fill it or remove it")
    assert not jsonschema.Draft202012Validator(schema(catalog)).is_valid(yaml.safe_load(whole))


@pytest.mark.parametrize(
    ("at", "written"),
    [
        ("MAPPING", "batch_size:"),
        ("MAPPING", "failure_payload: null"),
        ("MAPPING", "destination_config: {}"),
        ("MAPPING", "filter_criteria: {}"),
        ("FUNCTION", "path: null"),
        ("FUNCTION", "event_invoke_config: {}"),
    ],
)
def test_null_of_a_single_value_is_its_default_and_an_empty_mapping_says_what_it_is(
    tmp_path: Path, at: str, written: str
) -> None:
    """Catches: every null refused, also where nothing but the default can be meant."""
    whole = text(at, written)
    assert load(tmp_path, whole).mappings["orders"].settings.batch_size == 10
    assert jsonschema.Draft202012Validator(schema(catalog)).is_valid(yaml.safe_load(whole))


def test_what_is_beside_an_empty_block_is_told_too(tmp_path: Path) -> None:
    """Catches: the empty block alone is told, and what is wrong beside it the next time."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text("MAPPING", "redact:\n    batch_size: 0\n    capacity: 5\n    idempotency: {}"))
    assert [fault.path.removeprefix("mappings.orders.") for fault in caught.value.faults] == [
        "redact",
        "batch_size",
        "idempotency.key",
    ]


def test_none_of_a_program_is_what_was_not_given() -> None:
    """Catches: a program that hands on what it was not given itself is refused."""
    arguments: dict[str, Any] = dict.fromkeys(("destination_config", "filter_criteria", "redact", "idempotency"))
    SqsPoller(queue_url="http://localhost/1/q", handler=print, **arguments)
    with pytest.raises(ConfigError, match=r"destination_config\.on_failure: is empty"):
        SqsPoller(queue_url="http://localhost/1/q", handler=print, destination_config={"on_failure": None})
