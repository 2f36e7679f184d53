"""`testbed diff` reads docs/parity.md itself, so that it cannot go stale."""

from __future__ import annotations

from pathlib import Path

from headrace.config import load
from headrace_connectors.catalog import catalog
from headrace_connectors.testbed.difference import SECTIONS, TESTBED, Row, differences, page, rows

ROOT = Path(__file__).parents[2]
SHOP = load([ROOT / "configs" / "shop.yaml"], catalog, {})
STREAMS = load([ROOT / "configs" / "streams.yaml"], catalog, {})


def test_the_page_in_the_package_is_the_one_in_docs() -> None:
    assert page() == (ROOT / "docs" / "parity.md").read_text(encoding="utf-8")


def test_every_section_that_is_asked_for_is_there() -> None:
    headings = {line.removeprefix("## ") for line in page().splitlines() if line.startswith("## ")}
    assert set(SECTIONS) <= headings


def test_every_row_of_the_page_is_read_whole() -> None:
    tables = [line for line in page().splitlines() if line.startswith("|")]
    heads = sum(set(line) <= set("|-: ") for line in tables)
    found = list(rows(page()))
    assert len(found) == len(tables) - 2 * heads
    assert all(row.section and row.here for row in found)


PAGE = """\
## The testbed: FIFO queues

| behaviour on AWS | here | why |
|---|---|---|
| a | b | c |

## Kinesis

| behaviour on AWS | here | why |
|---|---|---|
| it reads | same | |
| it says `a \\| b` | different: x | y |

## Something new

| behaviour on AWS | here |
|---|---|
| new | different |
"""


def test_a_config_is_told_what_differs_for_its_own_sources_the_testbeds_first() -> None:
    assert differences(SHOP, PAGE) == [
        Row(f"{TESTBED}: FIFO queues", "a", "b", "c"),
        Row("Kinesis", "it says `a \\| b`", "different: x", "y"),
        Row("Something new", "new", "different", ""),
    ]
    assert [row.section for row in differences(STREAMS, PAGE)] == ["Kinesis", "Something new"]
