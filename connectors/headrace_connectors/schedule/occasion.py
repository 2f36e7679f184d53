"""An occurrence on its way through the queue of calls: the text that is kept, and the event that comes of it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from headrace.functions.context import ACCOUNT
from headrace_connectors.schedule.definition import Definition
from headrace_connectors.schedule.event import scheduled_event
from headrace_connectors.schedule.instants import occurrence_id
from headrace_connectors.schedule.tokens import Attempt, filled


def packed(definition: Definition, at: datetime) -> str:
    """What is kept of the occurrence that was planned for *at*: all of it, as the config may be another by then."""
    given = definition.given
    if given is None:
        dialect, id_ = definition.settings.dialect, occurrence_id(definition.name, at)
        event = scheduled_event(dialect, definition.name, at, id_, region=definition.region, account=ACCOUNT)
        return json.dumps({"event": event})
    if definition.settings.dialect == "rule":
        return json.dumps({"event": json.loads(given)})
    id_ = occurrence_id(definition.name, at)
    return json.dumps({"input": given, "arn": definition.arn, "at": at.isoformat(), "occurrence": str(id_)})


def event_of(text: str, number: int) -> Any:
    """What the handler is given at the *number*-th attempt, counted from 1."""
    kept = json.loads(text)
    if "event" in kept:
        return kept["event"]
    at, occurrence = datetime.fromisoformat(kept["at"]), kept["occurrence"]
    return filled(kept["input"], Attempt(arn=kept["arn"], at=at, occurrence=occurrence, number=number))
