"""What the handler of an occurrence is given: the scheduled event of either dialect, or the schedule's own input."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from headrace.functions.context import ACCOUNT
from headrace_connectors.schedule.definition import Definition
from headrace_connectors.schedule.words import utc

EXECUTION: Final = "<aws.scheduler.execution-id>"
ATTEMPT: Final = "<aws.scheduler.attempt-number>"
ARN: Final = "<aws.scheduler.schedule-arn>"
TIME: Final = "<aws.scheduler.scheduled-time>"


def event(definition: Definition, at: datetime) -> str:
    """As JSON text, of the occurrence that was planned for *at*; `attempted` makes it whole."""
    given = definition.settings.input
    if given is None:
        return json.dumps(_scheduled(definition, at))
    text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    if definition.settings.dialect == "rule":
        return text
    return text.replace(ARN, definition.arn).replace(TIME, utc(at))


def attempted(text: str, name: str, attempt: int) -> Any:
    """What the handler is given at the *attempt*-th attempt of the occurrence *name*."""
    if EXECUTION in text or ATTEMPT in text:
        execution = sha256(f"{name} {attempt}".encode()).hexdigest()[:16]
        text = text.replace(EXECUTION, execution).replace(ATTEMPT, str(attempt))
    return json.loads(text)


def sample(definition: Definition) -> Any:
    """An event of it.

    Raises:
        ValueError: its input is no JSON.
    """
    return attempted(event(definition, datetime.fromtimestamp(0, UTC)), definition.name, 1)


def _scheduled(definition: Definition, at: datetime) -> dict[str, Any]:
    """Lambda's Scheduled Event; the id is made of schedule and time, so that a repeat can be known."""
    rule = definition.settings.dialect == "rule"
    return {
        "version": "0",
        "id": str(uuid5(NAMESPACE_URL, f"{definition.arn}@{utc(at)}")),
        "detail-type": "Scheduled Event",
        "source": "aws.events" if rule else "aws.scheduler",
        "account": ACCOUNT,
        "time": utc(at),
        "region": definition.region,
        "resources": [definition.arn],
        "detail": {} if rule else "{}",
    }
