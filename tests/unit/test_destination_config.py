"""A failure destination as a user writes it: faults with their places, warnings, paths, secrets, schema."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import yaml
from pydantic import SecretStr

from headrace import config
from headrace.config import Config, explain
from headrace.config.schema import schema
from headrace.errors import ConfigError
from headrace.plugins import DestinationKind, Probe, mapping_uuid
from headrace.settings import Settings
from headrace_connectors import SqsPoller
from headrace_connectors.catalog import catalog
from support.fake_catalog import LOG, write
from support.routed import only

BASE = """\
service: {{name: shop}}
aws: {{region: eu-central-1}}
functions:
  record: {{handler: shop.orders.handler}}
mappings:
  orders:
    source: {{type: sqs, queue_url: "https://sqs.eu-central-1.amazonaws.com/123456789012/orders"}}
    function: record
    {retries}
    destination_config:
      on_failure:
        destination: {destination}
"""
ARN = "arn:aws:sqs:eu-central-1:123456789012:failed"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:failed.fifo"
KINDS = " | ".join(kind.type for kind in catalog.destinations)
FORMS = f"{{{{type: {KINDS}, …}}}} or " + " or ".join(one.text_form for one in catalog.destinations if one.text_form)
FORMS += " or a name of destinations:"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(destination: str, retries: str = "maximum_retry_attempts: 2", **environ: str) -> Config:
    write(Path(), BASE.format(destination=destination, retries=retries), "f.yaml")
    return config.load([Path("f.yaml")], catalog, environ)


def without(retries: str = "maximum_retry_attempts: 2") -> Config:
    write(Path(), BASE.partition("    destination_config")[0].format(retries=retries), "f.yaml")
    return config.load([Path("f.yaml")], catalog, {})


def faults(destination: str, retries: str = "maximum_retry_attempts: 2", **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(destination, retries, **environ)
    return str(caught.value).splitlines()


def test_an_arn_stands_for_the_whole_block() -> None:
    found = load(ARN).mappings["orders"].on_failure
    assert found is not None
    assert (only(found).kind.type, only(found).options.queue_arn) == ("sqs", ARN)
    from_environment = load("${DLQ}", DLQ=ARN).mappings["orders"].on_failure
    assert from_environment == found


@pytest.mark.parametrize(
    ("arn", "type_", "options"),
    [(TOPIC, "sns", {"topic_arn": TOPIC}), ("arn:aws-cn:s3:::my.bucket", "s3", {"bucket": "my.bucket", "prefix": ""})],
)
def test_an_arn_finds_its_kind(arn: str, type_: str, options: dict[str, str]) -> None:
    found = load(arn).mappings["orders"].on_failure
    assert found is not None
    assert only(found).kind.type == type_
    assert options.items() <= only(found).options.model_dump().items()


def test_a_path_is_relative_to_the_file_that_names_the_mapping(tmp_path) -> None:
    """Mutation: relative to the first file, or to where the service was started."""
    (tmp_path / "sub").mkdir()
    write(tmp_path, "service: {name: shop}\nfunctions: {record: {handler: a.b}}\n", "a.yaml")
    text = BASE.format(destination="{type: file, path: failed.jsonl}", retries="maximum_retry_attempts: 1")
    write(
        tmp_path / "sub", text.partition("functions")[0].partition("\n")[2] + text[text.index("mappings") :], "b.yaml"
    )
    loaded = config.load([tmp_path / "a.yaml", tmp_path / "sub" / "b.yaml"], catalog, {})
    assert loaded.opening("orders").folder == tmp_path / "sub"


@pytest.mark.parametrize(
    ("destination", "said"),
    [
        ("{type: sqz, queue_url: x}", "f.yaml:12: {}.type: there is no such destination; did you mean sqs?"),
        ("{queue_url: x}", "f.yaml:12: {}.type: is required; known are sqs, sns, "),
        ("{type: sqs, queue_ulr: x}", "f.yaml:12: {}.queue_ulr: unknown option; did you mean queue_url?"),
        ("{type: sqs}", "f.yaml:12: {}: needs queue_url or queue_arn, and not both"),
        ("{type: sqs, queue_url: nowhere}", "f.yaml:12: {}.queue_url: must be the queue's URL"),
        ("{type: sqs, queue_arn: nowhere}", "f.yaml:12: {}.queue_arn: must be a queue's ARN"),
        ("arn:aws:sns:eu:1:x", f"f.yaml:12: {{}}: no kind of destination takes this text; write {FORMS}"),
        ("arn:aws:s3:::bucket/folder", "f.yaml:12: {}: no kind of destination takes this text"),
        ("arn:aws:states:eu-central-1:123456789012:stateMachine:f", "f.yaml:12: {}: no kind of destination takes this"),
        ("[a]", f"f.yaml:12: {{}}[0]: no kind of destination takes this text; write {FORMS}"),
        ("{type: sns}", "f.yaml:12: {}.topic_arn: is required"),
        (
            f"{{type: sqs, queue_arn: '{ARN}', role_arn: nope}}",
            "f.yaml:12: {}.role_arn: must be a role's ARN: arn",
        ),
        ("{type: sns, topic_arn: topic}", "f.yaml:12: {}.topic_arn: must be a topic's ARN: arn:aws:sns:REGION:"),
        ("{type: s3, bucket: 's3://bucket'}", "f.yaml:12: {}.bucket: "),
        ("{type: s3, bucket: b-1, prefx: x}", "f.yaml:12: {}.prefx: unknown option; did you mean prefix?"),
        ("{type: file, path: none/failed.jsonl}", "f.yaml:12: {}.path: its folder does not exist"),
        ("{type: file, path: .}", "f.yaml:12: {}.path: is not a file"),
        (f"{ARN[:-6]}orders", "f.yaml:12: {}: is the queue that the mapping polls"),
    ],
)
def test_faults_have_their_place_and_mend(destination: str, said: str) -> None:
    (fault,) = faults(destination)
    assert fault.startswith(said.format("mappings.orders.destination_config.on_failure.destination")), fault


def test_all_faults_at_once() -> None:
    found = faults(
        "{type: file, pat: 1}", "maximum_retry_attempts: x\n    failure_payload: all\n    batch_size: 0", SECRET="s"
    )
    paths = " ".join(found)
    assert len(found) == 5, found
    for path in ("maximum_retry_attempts", "failure_payload", "batch_size", "destination.pat:", "destination.path:"):
        assert path in paths


def test_what_loses_data_is_refused_with_the_reason() -> None:
    (metadata,) = faults(ARN, "maximum_retry_attempts: 2\n    failure_payload: metadata")
    assert "f.yaml:10: mappings.orders.failure_payload: is only for logs" in metadata
    assert load(ARN, "maximum_retry_attempts: 2\n    failure_payload: full").warnings == ()


def test_a_limit_without_a_destination_and_a_destination_without_a_limit_are_warned_of() -> None:
    """Mutation: records that vanish by default, with nobody told at check."""
    (dropped,) = without().warnings
    assert str(dropped).startswith(
        "f.yaml:9: mappings.orders.maximum_retry_attempts: what is past this limit is dropped"
    )
    for unlimited in ("", "maximum_retry_attempts: -1"):
        (unused,) = load(ARN, unlimited).warnings
        assert "on_failure: nothing is sent there while nothing is given up" in str(unused)
    assert without("maximum_retry_attempts: -1").warnings == ()


def test_explain_shows_what_holds_and_where_from() -> None:
    found = {row.path: row for row in explain.rows(load(ARN))}
    root = "mappings.orders.destination_config.on_failure.destination"
    assert (found[f"{root}.type"].value, found[f"{root}.queue_arn"].value) == ("sqs", ARN)
    assert (found[f"{root}.region"].value, found[f"{root}.region"].place) == ("eu-central-1", "f.yaml:2")
    assert found["mappings.orders.failure_payload"].value == "full"


def test_explain_shows_no_secret_of_a_destination() -> None:
    """Only the kind's own model knows which are. Mutation: the block shown as it was written."""

    class Options(Settings):
        key: SecretStr

    async def probe(*_: object) -> Probe:
        return Probe()

    kind = DestinationKind(type="hook", summary="", options=Options, open=lambda *_: None, probe=probe)
    with_hook = replace(catalog, destinations=[kind])
    write(Path(), BASE.format(destination="{type: hook, key: hunter2}", retries="maximum_retry_attempts: 1"), "f.yaml")
    rows = explain.rows(config.load([Path("f.yaml")], with_hook, {}))
    assert "hunter2" not in str(rows)
    assert any(row.path.endswith("destination.key") for row in rows)


@pytest.mark.parametrize(
    ("destination", "valid"),
    [
        (ARN, True),
        ("{type: sqs, queue_url: '${DLQ}'}", True),
        ("{type: file, path: failed.jsonl}", True),
        (TOPIC, True),
        ("{type: s3, bucket: failed}", True),
        ("{type: s3}", False),
        ("{type: file}", False),
        ("{type: sqs, path: x}", False),
        ("{type: none}", False),
        ("7", False),
    ],
)
def test_the_schema_knows_the_kinds(destination: str, valid: bool) -> None:
    document = yaml.safe_load(BASE.format(destination=destination, retries="maximum_retry_attempts: 2"))
    validator = jsonschema.Draft202012Validator(schema(catalog))
    assert validator.is_valid(document) is valid


def test_the_library_says_the_same() -> None:
    arguments = {"queue_url": "http://localhost/1/q", "handler": print, "maximum_retry_attempts": 1}
    with pytest.raises(ConfigError, match=r"^destination_config\.on_failure\.destination\.type: there is no") as caught:
        SqsPoller(**arguments, destination_config={"on_failure": {"destination": {"type": "sqz"}}})
    assert len(caught.value.faults) == 1
    with pytest.raises(ConfigError, match=r"^region: must be a text"):
        SqsPoller(**arguments, destination_config={"on_failure": {"destination": ARN}}, region=5)


def test_a_logs_record_holds_metadata_unless_it_is_to_be_full() -> None:
    """As on AWS. Mutation: full for all, with which payloads go where nobody expects them."""
    text = BASE.format(destination="{type: file, path: f.jsonl}", retries="maximum_retry_attempts: 2")
    start = text.index("    source:")
    text = f"{text[:start]}    source: {{type: log, stream: s}}{text[text.index(chr(10), start) :]}"
    both = replace(catalog, connectors=[*catalog.connectors, LOG])
    for more, value, origin in (("", "metadata", "default"), ("\n    failure_payload: full", "full", "file")):
        write(Path(), text.replace("attempts: 2", f"attempts: 2{more}"), "f.yaml")
        found = {row.path: row for row in explain.rows(config.load([Path("f.yaml")], both, {}))}
        row = found["mappings.orders.failure_payload"]
        assert (row.value, row.origin) == (value, origin)


def test_a_mappings_uuid_never_changes() -> None:
    """Keys of S3 and consumer groups are made of it. Mutation: any other way to make it."""
    assert str(mapping_uuid("shop", "orders")) == "5ef41f50-6541-5cbd-bd5c-ccce70f75938"
    assert mapping_uuid("a", "bc") != mapping_uuid("ab", "c")
    assert load(ARN).opening("orders").uuid == mapping_uuid("shop", "orders")
