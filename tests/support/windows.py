"""A handler over tumbling windows, as attempts of a rig: it adds up what it is given, and may fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headrace.model import Answer
from headrace.outgoing import Outcome
from headrace.testing import MemoryLog
from headrace.verdict import Rules, judge
from headrace.windows import Tumbling
from support.engine import Rig

PLACE = {"shardId": "shard-0", "eventSourceARN": "arn"}
RULES = Rules(report=True, windowed=True)


def answered(value: object, ids: list[str]) -> Outcome:
    """What an answer of a mapping with windows means."""
    answer = Answer(request_id="r", duration=0.1, value=value)
    return Outcome(answer, judge(answer, ids, RULES))


class Summing:
    """The state lists every record of its window. `finals` and `early` are what was handed over, in order."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.finals: list[tuple[str, list[str]]] = []
        self.early: list[list[str]] = []

    def take(self, ids: list[str], keys: dict[str, Any]) -> dict[str, Any]:
        self.keys.append(keys)
        seen = [*keys["state"].get("seen", []), *ids]
        if keys["isFinalInvokeForWindow"]:
            self.finals.append((keys["window"]["start"], seen))
        if keys["isWindowTerminatedEarly"]:
            self.early.append(seen)
        keys["state"]["seen"] = "a handler may do what it likes with its event"
        return {"state": {"seen": seen}}


def rig_of(
    log: MemoryLog, summing: Summing, fate: Callable[[list[str], dict[str, Any]], Any] | None = None, **more: Any
) -> Rig:
    """*fate*, given ids and the state to return, says what is returned instead."""
    settings = more.pop("lane", {})
    tumbling = Tumbling(60, lambda: PLACE, log.memo)
    rig: Rig

    async def behave(ids: list[str], _: int) -> Outcome:
        said = summing.take(ids, rig.handler.keys[-1])
        if fate is not None:
            changed = await fate(ids, said)
            if isinstance(changed, Outcome):
                return changed
            said = changed
        return answered(said, ids)

    rig = Rig(log.lane(**settings), behave, tumbling=tumbling, **more)
    return rig
