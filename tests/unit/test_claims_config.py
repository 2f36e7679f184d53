"""Claim checks as a user writes them: a block, a bucket's ARN, a name; what is refused, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from headrace import config
from headrace.cli.main import main
from headrace.config import Config, explain
from headrace.config.schema import schema
from headrace.errors import ConfigError
from headrace_connectors.catalog import catalog
from support.fake_catalog import write

BASE = """\
service: {{name: shop}}
aws: {{region: eu-central-1}}
functions:
  record: {{handler: handlers.record, path: .{function}}}
destinations:
  big: {{type: s3, bucket: too-large, prefix: shop/}}
  both: [{{type: file, path: a}}, {{type: s3, bucket: other}}]
  lines: {{type: file, path: lines.jsonl}}
mappings:
  orders:
    source: {{type: sqs, queue_url: "https://sqs.eu-central-1.amazonaws.com/123456789012/orders"}}
    function: record
    maximum_retry_attempts: 2
    destination_config:
      {end}: {{destination: lines{claim}}}
"""
PATH = "mappings.orders.destination_config.on_failure.claim_check"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(claim: str, end: str = "on_failure", function: str = "") -> Config:
    check = f", claim_check: {claim}" if claim else ""
    write(Path(), BASE.format(claim=check, end=end, function=function), "f.yaml")
    return config.load([Path("f.yaml")], catalog, {})


@pytest.mark.parametrize("end", ["on_failure", "on_success"])
@pytest.mark.parametrize(
    ("claim", "kind", "path"),
    [
        ("{type: s3, bucket: mine}", "s3", "destination_config.END.claim_check"),
        ('"arn:aws:s3:::mine"', "s3", "destination_config.END.claim_check"),
        ("{type: file, path: big}", "file", "destination_config.END.claim_check"),
        ("big", "s3", "destinations.big"),
    ],
)
def test_what_can_be_written(claim: str, kind: str, path: str, end: str) -> None:
    """Mutations: lost on the way; among the destinations that are told."""
    opening = load(claim, end).opening("orders")
    (one,) = opening.claim_checks
    assert (one.kind.type, one.path) == (kind, path.replace("END", end))
    assert [to.path for to in opening.destinations] == ["destinations.lines"]


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        ("{type: sqs, queue_arn: 'arn:aws:sqs:eu-west-1:123456789012:q'}", "a sqs keeps no records; name one of type "),
        ("[big]", "is one place: {type: …}, or the name of one of destinations:"),
        ("both", "names several, and a record is kept in one"),
        ("bigg", "is neither a destination's name nor an ARN; did you mean big?"),
        ("{type: s3}", "bucket: is required"),
        ("{type: file, path: f.yaml}", "path: is not a folder"),
        ("{type: file, path: gone/big}", "path: the folder that it is in does not exist"),
        ("7", "must be a mapping"),
    ],
)
def test_faults_have_their_place_and_mend(claim: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(claim)
    (fault,) = caught.value.faults
    assert str(fault).startswith(f"f.yaml:15: {PATH}")
    assert said in str(fault)


@pytest.mark.parametrize("claim", ["lines", "{type: file, path: ./lines.jsonl}"])
def test_what_is_a_folder_for_claims_is_no_file_of_lines_besides(claim: str) -> None:
    """Whichever came first would hold up the other for ever. Mutations, tried: not looked at; by its name alone."""
    with pytest.raises(ConfigError) as caught:
        load(claim)
    (fault,) = caught.value.faults
    assert str(fault).startswith("f.yaml:8: destinations.lines: " if claim == "lines" else f"f.yaml:15: {PATH}: ")
    assert "is a claim check of orders, and a destination of orders: name two places" in str(fault)
    assert load("{type: file, path: lines}")


def test_a_function_has_one_too() -> None:
    """Mutation: of mappings only."""
    to = "{destination: lines, claim_check: {type: file, path: big}}"
    whole = load("", function=f", event_invoke_config: {{destination_config: {{on_failure: {to}}}}}")
    assert whole.opening("orders").claim_checks == []
    (one,) = whole.opening("function:record").claim_checks
    assert one.path == "functions.record.event_invoke_config.destination_config.on_failure.claim_check"


@pytest.mark.parametrize(
    ("claim", "shown"),
    [("big", {PATH: "big"}), ("{type: s3, bucket: mine}", {f"{PATH}.type": "s3", f"{PATH}.bucket": "mine"})],
)
def test_explain_shows_it(claim: str, shown: dict[str, str]) -> None:
    rows = {row.path: row.value for row in explain.rows(load(claim), "orders")}
    assert shown.items() <= rows.items()


def test_the_schema_takes_what_is_read() -> None:
    taken: list[Any] = ["big", {"type": "s3", "bucket": "mine"}, {"type": "file", "path": "big"}]
    refused: list[Any] = [None, ["big"], {"type": "sqs"}, 7]
    form = schema(catalog)
    for claim, fine in [*((one, True) for one in taken), *((one, False) for one in refused)]:
        value = yaml.safe_load(BASE.format(claim="", end="on_failure", function=""))
        value["mappings"]["orders"]["destination_config"]["on_failure"]["claim_check"] = claim
        assert jsonschema.Draft202012Validator(form).is_valid(value) is fine, claim


def test_check_connect_asks_for_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Mutation: a claim check that nobody may write into is found when it is needed."""
    function = "event_invoke_config: {destination_config: {on_failure: {destination: lines, claim_check: big}}}"
    text = "service: {name: shop}\nfunctions:\n  f: {handler: keeping.f, path: ., FUNCTION}\n"
    text += "destinations:\n  lines: {type: file, path: l}\n  big: {type: s3, bucket: b1b, REGION}\n"
    away = 'region: eu-central-1, endpoint_url: "http://127.0.0.1:1"'
    (tmp_path / "c.yaml").write_text(text.replace("FUNCTION", function).replace("REGION", away))
    (tmp_path / "keeping.py").write_text("def f(*_): ...\n")
    assert main(["check", "c.yaml"]) == 0
    assert main(["check", "c.yaml", "--connect"]) == 2
    assert "c.yaml:6: destinations.big.bucket: " in capsys.readouterr().err


def test_connectors_says_who_can_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    for kind, able in (("s3", True), ("sqs", False)):
        assert main(["connectors", kind]) == 0
        assert (f"claim_check: {{type: {kind}" in capsys.readouterr().out) is able
