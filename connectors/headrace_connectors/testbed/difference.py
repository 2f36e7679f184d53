"""How the testbed differs from AWS for one config: rows of docs/parity.md, which is shipped with this package. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from headrace.config import Config

Applies = Callable[["Uses"], bool]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: what AWS does, what happens here, and why."""

    section: str
    aws: str
    here: str
    why: str


class Uses:
    """What of headrace a config uses."""

    def __init__(self, config: Config) -> None:
        self._mappings = list(config.mappings.values())
        self.types = {one.connector.type for one in self._mappings}
        options: list[Any] = [one.options for one in self._mappings]
        self.fifo = any(getattr(one, "fifo", False) for one in options)
        self.streams = bool(self.types & {"kinesis", "dynamodb"})
        self.filters = any(one.settings.filter_criteria for one in self._mappings)
        self.windows = any(one.settings.tumbling_window_in_seconds for one in self._mappings)
        self.unwraps = any(getattr(one, "unwrap", None) for one in options)
        self.fan_out = any(getattr(one, "consumer", None) for one in options)
        self.aggregates = any(getattr(one, "deaggregate", False) for one in options)


TESTBED: Final = "The testbed"

SECTIONS: Final[Mapping[str, Applies]] = {
    TESTBED: lambda _: True,
    f"{TESTBED}: queues": lambda uses: "sqs" in uses.types,
    f"{TESTBED}: FIFO queues": lambda uses: uses.fifo,
    f"{TESTBED}: streams": lambda uses: uses.streams,
    f"{TESTBED}: tumbling windows": lambda uses: uses.windows,
    f"{TESTBED}: Kafka": lambda uses: "kafka" in uses.types,
    "Configuration": lambda _: True,
    "Receiving and dispatch": lambda uses: "sqs" in uses.types,
    "Kinesis": lambda uses: "kinesis" in uses.types,
    "Kinesis: enhanced fan-out (`consumer`)": lambda uses: uses.fan_out,
    "Kinesis: aggregates of the Kinesis Producer Library (KPL)": lambda uses: uses.aggregates,
    "DynamoDB Streams": lambda uses: "dynamodb" in uses.types,
    "FIFO queues": lambda uses: uses.fifo,
    "Filters": lambda uses: uses.filters,
    "The event and the context": lambda _: True,
    "Envelopes: `unwrap` on an SQS source": lambda uses: uses.unwraps,
    "Answers": lambda _: True,
    "Positions, pauses and what operators see": lambda _: True,
    "Tumbling windows (Kinesis, DynamoDB Streams)": lambda uses: uses.windows,
    "Failure and retry": lambda _: True,
    "Schedules": lambda uses: "schedule" in uses.types,
    "The rest": lambda _: False,
}
"""Which configs a section of docs/parity.md is about; others are about all. A test holds it to the page."""

_CELL: Final = re.compile(r"(?<!\\)\|")


def page() -> str:
    """docs/parity.md, as it was when this package was built."""
    return files(__package__).joinpath("parity.md").read_text(encoding="utf-8")


def rows(text: str) -> Iterator[Row]:
    """The rows of every table under its heading, marks of emphasis left as they are."""
    section, head = "", True
    for line in text.splitlines():
        if line.startswith("## "):
            section, head = line.removeprefix("## ").strip(), True
        elif line.startswith("|"):
            cells = [cell.strip() for cell in _CELL.split(line)[1:-1]]
            if not head and not set("".join(cells)) <= {"-", ":"}:
                yield Row(section, cells[0], cells[1], cells[2] if len(cells) > 2 else "")  # noqa: PLR2004
            head = False


def differences(config: Config, text: str) -> list[Row]:
    """What differs for *config*: the testbed's own first, then what is headrace's wherever it runs."""
    uses = Uses(config)
    found = [row for row in rows(text) if _is_about(row.section, uses) and not _same(row)]
    return sorted(found, key=lambda row: not row.section.startswith(TESTBED))


def _is_about(section: str, uses: Uses) -> bool:
    return section not in SECTIONS or SECTIONS[section](uses)


def _same(row: Row) -> bool:
    """Whether *row* says that AWS does it so."""
    return not row.section.startswith(TESTBED) and bool(re.match(r"(the )?same\b|absent\b", row.here))
