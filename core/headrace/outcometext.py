"""What is to be told of records, as text that is kept, and read back in another process. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from headrace.model import Answer, Failure, Record
from headrace.outgoing import Outcome, Outgoing
from headrace.verdict import Kind, Verdict

FORMAT: Final = 1

UNDECIDED: Final = ""
"""The reason of records that are to be tried again."""

Clean: TypeAlias = Callable[[Sequence[Record], Any], Any]
"""What was answered for these records, as it may be kept."""


class Note(NamedTuple):
    """What is kept of one record: its count of deliveries and its number then, and which outlets have confirmed it."""

    attempt: int
    number: int
    taken: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What was kept: as `Outgoing` has it, with a note of each record by its name."""

    reason: str
    attempts: int
    outcome: Outcome | None
    request_id: str
    at: float
    version: str
    notes: Mapping[str, Note]


def write(gone: Outgoing, names: Sequence[str], *, version: str, clean: Clean) -> str:
    """*gone*, whose records are named so, of a handler of this *version*.

    Raises:
        ValueError, TypeError: an answer is no JSON.
    """
    taken: dict[int, list[str]] = {}
    for label, record in gone.taken:
        if isinstance(label, str):
            taken.setdefault(record, []).append(label)
    return json.dumps(
        {
            "format": FORMAT,
            "reason": gone.reason,
            "attempts": gone.attempts,
            "request_id": gone.request_id,
            "at": gone.at,
            "version": gone.version or version,
            "outcome": _written(gone.outcome, lambda value: clean(gone.records, value)),
            "notes": {
                name: [record.attempt, record.number + gone.shift, sorted(taken.get(id(record), []))]
                for name, record in zip(names, gone.records, strict=True)
            },
        },
        separators=(",", ":"),
    )


def read(text: str) -> Remembered | None:
    """What `write` wrote; None where another version of headrace did, whose words we do not know."""
    try:
        said = json.loads(text)
        return _remembered(said) if said["format"] == FORMAT else None
    except (ValueError, TypeError, KeyError):
        return None


def _remembered(said: Mapping[str, Any]) -> Remembered:
    return Remembered(
        reason=said["reason"],
        attempts=said["attempts"],
        outcome=_read(said["outcome"]),
        request_id=said["request_id"],
        at=said["at"],
        version=said["version"],
        notes={name: Note(*note) for name, note in said["notes"].items()},
    )


def _written(outcome: Outcome | None, clean: Callable[[Any], Any]) -> dict[str, Any] | None:
    if outcome is None:
        return None
    answer, verdict = outcome.answer, outcome.verdict
    return {
        "request_id": answer.request_id,
        "duration": answer.duration,
        "value": None if answer.value is None else clean(answer.value),
        "failure": _of_failure(answer.failure),
        "kind": verdict.kind.value,
        "failed": sorted(verdict.failed),
        "why": _of_failure(verdict.failure),
    }


def _read(said: Mapping[str, Any] | None) -> Outcome | None:
    if said is None:
        return None
    answer = Answer(
        request_id=said["request_id"],
        duration=said["duration"],
        value=said["value"],
        failure=_failure_of(said["failure"]),
    )
    return Outcome(answer, Verdict(Kind(said["kind"]), frozenset(said["failed"]), _failure_of(said["why"])))


def _of_failure(failure: Failure | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    return {
        "type": failure.type,
        "message": failure.message,
        "stack": list(failure.stack),
        "payload": failure.payload,
    }


def _failure_of(said: Mapping[str, Any] | None) -> Failure | None:
    if said is None:
        return None
    stack = tuple(said["stack"])
    return Failure(type=said["type"], message=said["message"], stack=stack, payload=said["payload"])
