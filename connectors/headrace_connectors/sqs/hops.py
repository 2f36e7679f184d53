"""How many functions the content of messages has come through, by what our own destinations wrote beside it. Pure.

A queue or a topic was sent an attribute. A topic that delivers no raw messages has it in its envelope, also where
nobody asked to have that taken off. A bus, a bucket and a dead letter have it in X-Ray's header.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from headrace.model import Record
from headrace_connectors.attributes import HOPS, counted
from headrace_connectors.sqs.unwrap import Kind, unwrap
from headrace_connectors.tracing import ATTRIBUTE, hops_in

TOPICS: Final[tuple[Kind, ...]] = ("sns",)


def hops(records: Sequence[Record]) -> int:
    return max([_hops_of(record.raw) for record in records], default=0)


def _hops_of(message: dict[str, Any]) -> int:
    shown = unwrap(message, TOPICS) if HOPS in message["Body"] else message
    told = (shown.get("MessageAttributes") or {}).get(HOPS) or {}
    trace = (message.get("Attributes") or {}).get(ATTRIBUTE) or ""
    return max(counted(told.get("StringValue")), hops_in(trace))
