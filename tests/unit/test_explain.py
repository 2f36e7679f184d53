import copy
import tempfile
from pathlib import Path

import jsonschema
import pytest
import yaml

from headrace import config
from headrace.config import explain
from headrace_connectors.catalog import catalog as everything
from support.fake_catalog import CATALOG, ENVIRON, EXAMPLE, SECRET, write


def example(text: str = EXAMPLE, environ: dict[str, str] | None = None) -> config.Config:
    with tempfile.TemporaryDirectory() as folder:
        return config.load([write(Path(folder), text)], CATALOG, environ or ENVIRON)


def rows(*arguments, found: config.Config | None = None) -> dict[str, explain.Row]:
    return {row.path: row for row in explain.rows(found or example(), *arguments)}


def test_origins_and_places():
    found = rows()
    batch = found["mappings.orders.batch_size"]
    assert (batch.value, batch.origin, batch.place.rpartition("/")[2]) == (100, "file", "shop.yaml:16")
    assert (found["mappings.clicks.batch_size"].value, found["mappings.clicks.batch_size"].origin) == (
        100,
        "default of log",
    )
    assert (found["mappings.orders.capacity"].value, found["mappings.orders.capacity"].origin) == (2000, "default")
    assert found["mappings.orders.capacity"].place == ""
    assert found["mappings.orders.scaling_config.maximum_concurrency"].value == 20
    assert found["mappings.clicks.retry_backoff.initial"].origin == "file"
    assert found["mappings.clicks.retry_backoff.maximum"].origin == "default"
    assert found["mappings.orders.source.type"].value == "queue"
    assert found["mappings.orders.source.mode"].origin == "default"
    assert found["mappings.orders.function"].value == "record"
    assert str(found["functions.record.timeout"].value) == "30"
    assert found["service.log.format"].origin == "file"
    assert found["service.log.level"].origin == "default"
    assert found["cloud.region"].value == "eu-central-1"


def test_what_a_source_refuses_is_not_shown():
    assert "mappings.orders.starting_position" not in rows()
    assert "mappings.clicks.scaling_config" not in rows()


def test_one_mapping_comes_with_its_function_only():
    found = rows("clicks")
    assert {path.rpartition(".")[0].split(".")[1] for path in found} == {"clicks", "count"}


def test_what_the_server_said():
    found = rows("orders", {"source.visibility_timeout": 45, "source.fifo": True})
    assert (found["mappings.orders.source.visibility_timeout"].value, found["mappings.orders.source.fifo"].value) == (
        45,
        True,
    )
    assert found["mappings.orders.source.fifo"].origin == "queue"
    assert rows(None, {"mappings.clicks.source.shards": 3})["mappings.clicks.source.shards"].origin == "source"


class TestSecrets:
    def test_of_the_example(self):
        found = rows()
        assert SECRET not in str(found)
        assert found["mappings.orders.source.login.password"].value == "${SECRET}"
        assert found["mappings.orders.source.login.username"].value == "me"
        assert found["functions.record.environment.TABLE"].value == "***"
        assert found["functions.record.environment.KEY"].value == "${SECRET}"
        assert found["mappings.orders.source.queue_url"].value == "http://***@localhost/orders"

    @pytest.mark.parametrize(
        ("written", "shown"),
        [
            ("hunter2", "***"),
            ("${SECRET}", "${SECRET}"),
            ("x${SECRET}", "***${SECRET}"),
            ("${NO:-hunter2}", "***${NO}"),
            ("$${hunter2}", "***"),
        ],
    )
    def test_an_expression_shows_only_its_variables(self, written, shown):
        text = EXAMPLE.replace("type: queue\n", f'type: queue\n      session_token: "{written}"\n')
        assert rows(found=example(text))["mappings.orders.source.session_token"].value == shown

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("http://u:p@ss/w@h/q", "http://***@h/q"),
            ("http://h/q?a=1&X-Amz-Security-Token=abc&b=2", "http://h/q?a=1&X-Amz-Security-Token=***&b=2"),
            ("http://h/q", "http://h/q"),
        ],
    )
    def test_urls(self, url, shown):
        found = example(EXAMPLE, {**ENVIRON, "QUEUE_URL": url})
        assert rows(found=found)["mappings.orders.source.queue_url"].value == shown

    def test_inside_of_lists_and_free_mappings(self):
        text = EXAMPLE.replace(
            "type: queue\n",
            'type: queue\n      labels: {store: {url: "redis://:${SECRET}@h", PassWord: "${SECRET}", '
            "keys: [{api_secret: x}]}}\n",
        )
        found = rows(found=example(text))
        assert found["mappings.orders.source.labels.store.url"].value == "redis://***@h"
        assert found["mappings.orders.source.labels.store.PassWord"].value == "${SECRET}"
        assert found["mappings.orders.source.labels.store.keys"].value == [{"api_secret": "***"}]


class TestSchema:
    schema = explain.schema(CATALOG)

    def faults(self, value: object) -> list[str]:
        return [fault.message for fault in jsonschema.Draft202012Validator(self.schema).iter_errors(value)]

    def test_is_a_schema(self):
        jsonschema.Draft202012Validator.check_schema(self.schema)
        assert self.schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"

    def test_the_example_validates(self):
        assert self.faults(yaml.safe_load(EXAMPLE)) == []

    @pytest.mark.parametrize(
        ("path", "value", "is_fine"),
        [
            ("batch_size", "${N}", True),
            ("batch_size", "10", False),
            ("batch_size", 0, False),
            ("batch_size", None, True),
            ("enabled", "${ON:-true}", True),
            ("enabled", "true", False),
            ("response_mode", "${MODE}", True),
            ("response_mode", "odd", False),
            ("function_response_types", ["${KIND}"], True),
            ("scaling_config", {"maximum_concurrency": "${N}"}, True),
            ("scaling_config", {"maximum": 1}, False),
            ("batch_sise", 1, False),
            ("source", {"type": "log", "stream": "a"}, True),
            ("source", {"type": "log", "stream": "${S}", "topics": ["b"]}, True),
            ("source", {"type": "log", "stream": "A"}, False),
            ("source", {"type": "log"}, False),
            ("source", {"stream": "a"}, False),
            ("source", {"type": "lug", "stream": "a"}, False),
            ("source", {"type": "queue", "queue_url": "a", "visibility_timeout": "${V}"}, True),
            ("source", {"type": "queue", "queue_url": "a", "stream": "a"}, False),
        ],
    )
    def test_takes_what_load_takes(self, path, value, is_fine):
        tree = copy.deepcopy(yaml.safe_load(EXAMPLE))
        tree["mappings"]["orders"][path] = value
        assert (self.faults(tree) == []) is is_fine

    def test_every_setting_is_described(self):
        for name, part in self.schema["$defs"].items():
            if name.endswith("Settings"):
                for key, one in part["properties"].items():
                    assert one.get("description"), (name, key)


def test_a_block_with_an_identity_of_its_own_inherits_none(tmp_path: Path) -> None:
    """Mutation, tried: what stands in the section, whoever takes it."""
    text = """
service: {name: s}
aws: {region: eu-west-1, role_arn: "arn:aws:iam::123456789012:role/r"}
functions: {f: {handler: a.b}}
mappings:
  m:
    source: {type: kinesis, stream: one, profile: mine}
    function: f
    starting_position: LATEST
"""
    (tmp_path / "c.yaml").write_text(text)
    found = {row.path: row.value for row in explain.rows(config.load([tmp_path / "c.yaml"], everything, {}))}
    assert found["mappings.m.source.region"] == "eu-west-1"
    assert found["mappings.m.source.role_arn"] is None
