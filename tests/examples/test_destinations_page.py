"""What docs/destinations.md shows is a config that loads, and its table has every kind."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from headrace import config
from headrace_connectors.catalog import catalog

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "destinations.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_every_kind_has_its_line() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == {kind.type for kind in catalog.destinations}


def test_the_figures_are_those_of_the_table() -> None:
    """Mutation: a limit that changes in the code alone."""
    words = {2**20: "1 MiB", 256 * 2**10: "256 KiB", 5 * 2**30: "5 GiB", 100 * 2**20: "100 MiB", 512 * 2**20: "512 MiB"}
    names = {"sqs": "SQS", "sns": "SNS", "eventbridge": "EventBridge", "lambda": "Lambda", "s3": "S3", "kafka": "Kafka"}
    for kind in catalog.destinations:
        if kind.limit and kind.limit.message:
            assert f"{names.get(kind.type, 'Redis')} {words[kind.limit.message]}" in PAGE


def test_every_cell_of_the_matrix_is_a_test() -> None:
    """Mutations, tried: a test that is gone; a kind that is left out; a fault of which the page does not tell."""
    table, faults = ((TESTS / folder / "test_destination_table.py").read_text() for folder in ("integration", "faults"))
    found = re.findall(r"^@(every|but_kafka)\n(?:@.*\n)*async def test_(\w+)", table, re.MULTILINE)
    whom = {name: whose for whose, name in found}
    (head,) = re.findall(r"^\| NAME \|(.*)\|$", PAGE, re.MULTILINE)
    kinds = head.replace(" ", "").split("|")
    assert {one.removesuffix("-fifo") for one in kinds} == {kind.type for kind in catalog.destinations}
    rows = dict(re.findall(r"^\| (\w+) \|((?: (?:✓|F|\d)[ \d]*\|)+)$", PAGE, re.MULTILINE))
    assert rows.keys() == whom.keys()
    for name, row in rows.items():
        cells = dict(zip(kinds, row.strip("|").split("|"), strict=True))
        elsewhere = {kind for kind, cell in cells.items() if "✓" not in cell}
        assert elsewhere == ({"kafka"} if whom[name] == "but_kafka" else set())
        assert ("F" in cells["kafka"]) is (f"async def test_{name}(" in faults)


@pytest.mark.parametrize("block", BLOCKS)
def test_its_examples_load(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PARTNER_ID", "PARTNER_KEY"):
        monkeypatch.setenv(name, "x")
    shown: dict[str, Any] = yaml.safe_load(block)
    mapping = {
        "source": {"type": "sqs", "queue_url": "https://sqs.eu-central-1.amazonaws.com/123456789012/orders"},
        "function": "f",
        "maximum_retry_attempts": 2,
        "destination_config": {"on_failure": {"destination": list(shown["destinations"])}},
    }
    whole = {"service": {"name": "s"}, "functions": {"f": {"handler": "a.b"}}, "mappings": {"m": mapping}, **shown}
    (tmp_path / "c.json").write_text(json.dumps(whole))
    assert config.load([tmp_path / "c.json"], catalog).mappings
