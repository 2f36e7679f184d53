"""`filter_criteria` in a config file: each fault at its line, what the source refuses, how patterns read."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import jsonschema
import pytest

from headrace import config
from headrace.config import explain
from headrace.errors import ConfigError
from headrace.plugins import NO_MASKING, NO_VIEW, Catalog, Connector
from headrace.settings import Settings
from headrace_connectors import SqsPoller
from support.fake_catalog import CATALOG, LOG, QUEUE, LogOptions, write

BASE = """\
service: {name: shop}
functions:
  record: {handler: shop.orders.handler}
mappings:
  orders:
    source: SOURCE
    function: record
    filter_criteria:
"""
"""Tests go on from line 9."""

SOURCES = {"queue": "{type: queue, queue_url: http://localhost/orders}", "log": "{type: log, stream: a}"}
AT = "mappings.orders.filter_criteria.filters"
NOT = "Event pattern is not valid. Reason: "
NUMERIC = "Value of > must be numeric; write a number, without quotes"
EMPTY = "Empty arrays are not allowed; write the values of which one is wanted"
NOT_SET = "the environment variable NOT_SET is not set; set it, or write ${NOT_SET:-default}"
JSON_ONLY = "Invalid filter pattern definition. data is JSON here: name its fields, as {data: {field: [value]}}"


def load(criteria: str, source: str = "queue", environ: dict[str, str] | None = None) -> config.Config:
    text = BASE.replace("SOURCE", SOURCES[source]) + "".join(f"      {line}\n" for line in criteria.splitlines())
    with tempfile.TemporaryDirectory() as folder:
        return config.load([write(Path(folder), text, "f.yaml")], CATALOG, environ or {})


def faults(criteria: str, source: str = "queue") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(criteria, source)
    return [line[line.index("f.yaml") :] for line in str(caught.value).splitlines()]


def rows(criteria: str, **environ: str) -> list[tuple[str, object, str]]:
    found = explain.rows(load(criteria, environ=environ))
    start = "mappings.orders.filter_criteria."
    return [
        (row.path.removeprefix(start), row.value, row.place.rpartition(":")[2])
        for row in found
        if row.path.startswith(start)
    ]


def test_every_fault_at_its_line_and_all_at_once():
    """Catches: the line of the pattern for a fault within it; the first fault only; a text's line without its place."""
    assert faults("""\
filters:
  - pattern:
      body:
        total:
          - numeric: [">", "0"]
        kind: big
        none: []
  - pattern: '{"body": {"a": [{"prefix": 5}]}}'
  - pattern: {}
  - pattern: 5
  - patern: {}
  - pattern: "${NOT_SET}"
""") == [
        f"f.yaml:13: {AT}[0].pattern.body.total[0].numeric[1]: {NOT}{NUMERIC}",
        f'f.yaml:14: {AT}[0].pattern.body.kind: {NOT}"kind" must be an object or an array; write the value in [ ]',
        f"f.yaml:15: {AT}[0].pattern.body.none: {NOT}{EMPTY}",
        f"f.yaml:16: {AT}[1].pattern: $.body.a[0].prefix: {NOT}prefix match pattern must be a string; write a text",
        f"f.yaml:17: {AT}[2].pattern: {NOT}Empty objects are not allowed; name a field",
        f"f.yaml:18: {AT}[3].pattern: must be a mapping or a text, of at most 4096 characters, got 5; put it in quotes",
        f"f.yaml:19: {AT}[4].pattern: is required: a mapping or a text, of at most 4096 characters",
        f"f.yaml:19: {AT}[4].patern: unknown option; did you mean pattern?",
        f"f.yaml:20: {AT}[5].pattern: {NOT_SET}",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("criteria", "fault"),
    [
        ("filters: {}", "filters: must be a list, of at most 10 items, got a mapping"),
        ("filters: [{pattern: {a: [1]}}, 2]", "filters[1]: must be a mapping, got 2"),
        (f"filters: [{', '.join(['{pattern: {body: [a]}}'] * 11)}]", "filters: must be a list, of at most 10 items"),
        ("filter: []", "filter: unknown option; did you mean filters?"),
        ("Filters: []", "Filters: unknown option; did you mean filters?"),
        ("filters: [{Pattern: '{}'}]", "Pattern: unknown option; did you mean pattern?"),
        ("filters: [{pattern: {body: {1: [a]}}}]", "pattern.body: a key must be a text; put it in quotes"),
        ("filters: [{pattern: {body: {a: [.nan]}}}]", "body.a[0]: must be a finite number"),
        ("filters: [{pattern: {body: {a: yes}}}]", 'body.a: Event pattern is not valid. Reason: "a" must be an object'),
        ("filters: [{pattern: ''}]", "pattern: Event pattern is not valid. Reason: Filter is not an object"),
        (f"filters: [{{pattern: '{'x' * 5000}'}}]", "Filter is too long: the text has 5000 characters, at most 4096"),
        (f"filters: [{{pattern: {{a: ['{'x' * 5000}']}}}}]", "Filter is too long: as JSON it has 5010 characters"),
        ("filters: [{pattern: {body: {a: [{numeric: [>, 0]}]}}}]", "must be put in quotes"),
        ("filters: [{pattern: {body: {a: [{wildcard: *.txt}]}}}]", "must be put in quotes"),
    ],
)
def test_what_may_not_be_written(criteria, fault):
    assert any(fault in line for line in faults(criteria)), faults(criteria)


def test_words_of_yaml_are_the_texts_that_they_look_like():
    """YAML 1.1 would make a date, a number of minutes and three booleans of these."""
    (_, value, _), *_ = rows("filters: [{pattern: {body: {on: [2026-01-01, 1:30, yes, no, off]}}}]")
    assert value == 'body.on: "2026-01-01" or "1:30" or "yes" or "no" or "off"'


def test_an_empty_block_clears():
    assert load("{}").mappings["orders"].settings.filter_criteria.filters == []
    assert rows("{}") == [("filters", [], "")] or rows("{}")[0][1] == []


def test_a_source_that_reads_json_refuses_a_pattern_for_text():
    assert faults("filters: [{pattern: {data: [x]}}]", "log") == [f"f.yaml:9: {AT}[0].pattern.data: {JSON_ONLY}"]
    assert not load("filters: [{pattern: {data: {a: [x]}}}]", "log").warnings
    assert not load("filters: [{pattern: {body: [x]}}]").warnings


def test_a_field_that_no_record_has_is_a_warning():
    """It deletes every message of a queue. Catches: a typing error that costs all."""
    (warning,) = load("filters: [{pattern: {body: {a: [1]}}}, {pattern: {Body: {a: [1]}}}]").warnings
    assert warning.path == f"{AT}[1].pattern.Body"
    assert warning.message == "no record has a field Body: only exists: false finds that; did you mean body?"


class ShownOptions(LogOptions):
    shown_as: Literal["log", "queue"] = "log"


def told_of(source: str, pattern: str) -> list[str]:
    """Faults and warnings of a source whose records look as its options say."""
    shown = replace(
        LOG, options=ShownOptions, view=lambda options: (QUEUE if options.shown_as == "queue" else LOG).view
    )
    text = BASE.replace("SOURCE", source) + f"      filters: [{{pattern: {pattern}}}]\n"
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), text, "f.yaml")
        try:
            loaded = config.load([path], Catalog(connectors=[shown]), {})
        except ConfigError as error:
            return [fault.message for fault in (*error.faults, *error.warnings)]
        return [warning.message for warning in loaded.warnings]


def test_patterns_are_held_against_the_view_that_the_options_ask_for():
    """Mutations: the view of the default options; none at all where the options have faults that leave no doubt."""
    unknown = "no record has a field body: only exists: false finds that; its fields are data, id"
    assert told_of("{type: log, stream: a}", "{data: [x]}") == [JSON_ONLY]
    assert told_of("{type: log, stream: a}", "{body: {n: [1]}}") == [unknown]
    assert told_of("{type: log, stream: a, shown_as: queue}", "{body: [x]}") == []
    elsewhere = told_of("{type: log, stream: a, topics: []}", "{data: [x]}")
    assert (len(elsewhere), JSON_ONLY in elsewhere) == (2, True)
    broken = told_of("{type: log, stream: a, shown_as: both}", "{data: [x]}")
    assert len(broken) == 1, "what it is shown as is in doubt"


def test_a_source_without_a_view_refuses_filters_and_redaction():
    async def probe(_: Any) -> Any: ...

    blind = Connector(type="x", summary="", options=Settings, traits=QUEUE.traits, open=QUEUE.open, probe=probe)
    assert blind.refuses == {"filter_criteria": NO_VIEW, "idempotency": NO_VIEW, "redact": NO_MASKING}
    assert "filter_criteria" not in LOG.refuses


def test_how_patterns_read():
    """Catches: AND for OR, a `$or` that is not multiplied out, the place of another condition, a secret."""
    assert rows("""\
filters:
  - pattern:
      body:
        total: [{numeric: [">", 0]}]
        password: [hunter2]
      $or:
        - id: [a, {prefix: "${P}"}]
        - {}
""".replace("- {}", "- body: {kind: [{exists: false}]}") + """\
  - pattern: '{"id": ["c"], "body": {"token": ["hunter2"]}}'
""", P="b") == [
        ("filters[0].pattern.body.total", "body.total: a number > 0", "12"),
        ("filters[0].pattern.body.password", "AND body.password: ***", "13"),
        ("filters[0].pattern.$or[0].id", 'AND id: "a" or a text that begins with "b"', "15"),
        ("filters[0].pattern.body.total", "OR body.total: a number > 0", "12"),
        ("filters[0].pattern.body.password", "AND body.password: ***", "13"),
        ("filters[0].pattern.$or[1].body.kind", "AND body.kind: not there", "16"),
        ("filters[1].pattern.id", 'OR id: "c"', "17"),
        ("filters[1].pattern.body.token", "AND body.token: ***", "17"),
    ]  # fmt: skip


def test_the_schema_takes_both_forms():
    schema = jsonschema.Draft202012Validator(explain.schema(CATALOG))

    def is_fine(criteria: Any) -> bool:
        mapping = {"source": {"type": "log", "stream": "a"}, "function": "f", "filter_criteria": criteria}
        return schema.is_valid({"mappings": {"orders": mapping}})

    assert is_fine({})
    assert is_fine({"filters": [{"pattern": {"body": {"a": [1]}}}, {"pattern": '{"a":[1]}'}]})
    assert not is_fine({"filters": [{"pattern": 5}]})
    assert not is_fine({"filters": [{"patern": {}}]})
    assert not is_fine({"filters": [{"pattern": {}}] * 11})


@pytest.mark.parametrize(
    ("criteria", "fault"),
    [
        ({"filters": [{"pattern": {"body": {"a": 1}}}]}, "filter_criteria.filters[0].pattern.body.a: Event pattern"),
        ({"filters": [{"pattern": '{"a":1}'}]}, "filter_criteria.filters[0].pattern: $.a: Event pattern is not valid"),
        ({"filters": [{"pattern": {"a": [object()]}}]}, "filter_criteria.filters[0].pattern.a[0]: "),
        ({"filters": [{"pattern": {"a": [float("nan")]}}]}, "JSON has no such number"),
        ({"filters": [{"pattern": {1: ["x"]}}]}, "pattern: has keys that are no texts; write them in quotes"),
        ({"filters": [{"pattern": 1}]}, "filter_criteria.filters[0].pattern: must be"),
        ({"filtres": []}, "filter_criteria.filtres: unknown option; did you mean filters?"),
    ],
)
def test_the_library_says_the_same(criteria, fault):
    with pytest.raises(ConfigError) as caught:
        SqsPoller(queue_url="http://localhost/1/q", handler=print, filter_criteria=criteria)
    assert fault in str(caught.value)


def test_the_library_takes_both_forms():
    for pattern in ({"body": {"a": [1]}}, '{"body":{"a":[1]}}'):
        SqsPoller(queue_url="http://localhost/1/q", handler=print, filter_criteria={"filters": [{"pattern": pattern}]})
