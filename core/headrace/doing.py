"""What a lane is doing just now, in words for people: at the handler, waiting to try again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from headrace.model import Condition


class Doing:
    """Several batches may be under way; the one that began first is told."""

    def __init__(self) -> None:
        self._under_way: dict[object, Condition] = {}

    @contextmanager
    def now(self, state: str, reason: str, since: float) -> Iterator[None]:
        """*state* holds from Unix time *since* to the end of the block."""
        mark = object()
        self._under_way[mark] = Condition(state, reason, since)
        try:
            yield
        finally:
            del self._under_way[mark]

    @property
    def condition(self) -> Condition | None:
        return next(iter(self._under_way.values()), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What an owner tells of its lane with each renewal: a row's `state`.

    `since` is Unix time; `behind` seconds to the tip, or since the oldest record arrived that is not settled; None
    where unknown. `held` are records that are read and not committed.
    """

    state: str
    reason: str = ""
    since: float = 0.0
    behind: float | None = None
    held: int = 0

    def text(self) -> str:
        return json.dumps([self.state, self.reason, self.since, self.behind, self.held])


def words(text: str) -> Words | None:
    """What an owner told; None where it told nothing, or what a newer headrace tells."""
    try:
        state, reason, since, behind, held = json.loads(text)
        behind = None if behind is None else float(behind)
        return Words(state=str(state), reason=str(reason), since=float(since), behind=behind, held=int(held))
    except (ValueError, TypeError, OverflowError):
        return None
