"""What a handler's answer means for its batch. Pure: the table of lambda-semantics 4.1 to 4.3."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Self, TypeAlias

from headrace.model import Answer, Failure
from headrace.settings import MappingSettings
from headrace.windows import state_in

KEY = "batchItemFailures"
ITEM = "itemIdentifier"
STATE = "state"

Identify: TypeAlias = Callable[[object], str | None]
"""The record id that an itemIdentifier means, None when it can mean none."""


class Kind(StrEnum):
    """How an attempt ended."""

    SUCCESS = "success"
    PARTIAL = "partial"
    BAD_ANSWER = "bad_answer"
    ERROR = "error"
    LAPSED = "lapsed"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an attempt means: for PARTIAL the ids that failed, for BAD_ANSWER and ERROR that all did, and why.

    LAPSED was none: the records' time was over before the handler began. Nor was UNREADABLE: no event could be made
    with some of them.
    """

    kind: Kind
    failed: AbstractSet[str] = frozenset()
    failure: Failure | None = None

    def fails(self, id: str) -> bool:  # noqa: A002 - the record's word
        """Whether the record of this id failed."""
        return id in self.failed if self.kind is Kind.PARTIAL else self.kind in {Kind.BAD_ANSWER, Kind.ERROR}

    @property
    def all_well(self) -> bool:
        """Whether every record was handled."""
        return self.kind is Kind.SUCCESS or (self.kind is Kind.PARTIAL and not self.failed)


SUCCESS = Verdict(Kind.SUCCESS)
LAPSED = Verdict(Kind.LAPSED)
UNREADABLE = Verdict(Kind.UNREADABLE)


def a_text(identifier: object) -> str | None:
    """What is a text is an id as it stands."""
    return identifier if isinstance(identifier, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a mapping reads answers.

    Attributes:
        report: ReportBatchItemFailures is on; without it an answer is ignored, as on Lambda.
        strict: refuse what AWS reads as success by accident.
        windowed: the mapping has tumbling windows, so every answer must carry their state.
        identify: as the source's.
    """

    report: bool = False
    strict: bool = False
    windowed: bool = False
    identify: Identify = a_text

    @classmethod
    def of(cls, settings: MappingSettings, identify: Identify = a_text) -> Self:
        """Those of the mapping that has these settings."""
        return cls(
            report=bool(settings.function_response_types),
            strict=settings.response_mode == "strict",
            windowed=bool(settings.tumbling_window_in_seconds),
            identify=identify,
        )


def judge(answer: Answer, ids: Iterable[str], rules: Rules) -> Verdict:  # noqa: PLR0911 - a table, row by row
    """What *answer* means for the batch of *ids*; these are read only when it names failures."""
    if answer.lapsed:
        return LAPSED
    if answer.failure is not None:
        return Verdict(Kind.ERROR, failure=answer.failure)
    value = answer.value
    if rules.windowed and state_in(value) is None:
        return _bad(f"the answer has no object {STATE!r}, which every one of a tumbling window must return")
    if not rules.report or _means_nothing(value):
        return SUCCESS
    if not isinstance(value, dict):
        return _bad(f"the answer is {_named(value)}; {_FORM}")
    if rules.strict and (wrong := _misspelt(value)):
        return _bad(f"the answer has {wrong!r} where {KEY!r} is meant; {_FORM}")
    items = value.get(KEY)
    if _means_nothing(items):
        return SUCCESS
    if not isinstance(items, list):
        return _bad(f"{KEY} is {_named(items)}; {_FORM}")
    return _name_failures(items, frozenset(ids), rules)


_FORM = 'accepted is {"batchItemFailures": [{"itemIdentifier": ID}, …]}, or nothing'


def _name_failures(items: list[object], ids: frozenset[str], rules: Rules) -> Verdict:
    failed: set[str] = set()
    for index, item in enumerate(items):
        if not isinstance(item, dict) or ITEM not in item:
            return _bad(f"{KEY}[{index}] has no {ITEM!r}; {_FORM}")
        identifier = rules.identify(item[ITEM])
        if not identifier or identifier not in ids:
            return _bad(f"{KEY}[{index}].{ITEM} {_shown(item[ITEM])} names no record of this batch")
        failed.add(identifier)
    return Verdict(Kind.PARTIAL, failed)


def _means_nothing(value: object) -> bool:
    """Null and the empty text, list and object are success; 0 and false are not recorded, and so are refused."""
    return value is None or (isinstance(value, (str, list, dict)) and not value)


def _misspelt(answer: dict[str, object]) -> str | None:
    """The key that looks like one of the contract's, where the right one is missing."""
    if KEY in answer:
        return None
    plain = {key.replace("_", "").replace("-", "").casefold(): key for key in answer}
    close = get_close_matches(KEY.casefold(), plain, 1, 0.7) or get_close_matches(ITEM.casefold(), plain, 1, 0.8)
    return plain[close[0]] if close else None


def _bad(message: str) -> Verdict:
    return Verdict(Kind.BAD_ANSWER, failure=Failure(type="BadAnswer", message=message))


def _named(value: object) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
    return names.get(type(value), "text that is not JSON")


def _shown(identifier: object) -> str:
    """An identifier short enough for a line of log."""
    text = repr(identifier)
    return text if len(text) <= 80 else f"{text[:77]}…"  # noqa: PLR2004 - a line's worth
