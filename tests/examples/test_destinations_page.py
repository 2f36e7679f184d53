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

PAGE = (Path(__file__).parents[2] / "docs" / "destinations.md").read_text()
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
