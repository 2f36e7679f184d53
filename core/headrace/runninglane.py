"""A lane that is being carried, and how it is doing, for people."""

from __future__ import annotations

from dataclasses import dataclass

from headrace.delivery import Work
from headrace.doing import Words
from headrace.model import Condition, KnowsOldest, Lane
from headrace.pipeline import Pipeline


@dataclass(slots=True)
class RunningLane:
    """A lane that is being carried, and where it is counted."""

    lane: Lane
    pipeline: Pipeline
    work: Work

    @property
    def condition(self) -> Condition:
        """The lane's own, but for one whose places are held by calls that timed out, or whose failures nobody takes."""
        slots, own = self.work.slots, self.lane.condition
        if slots.hung >= slots.most:
            why = f"all {slots.most} places are held by calls that timed out and still run"
            return Condition("stuck", why, own.since)
        return (self._held_up if own.ready else None) or own

    @property
    def _held_up(self) -> Condition | None:
        """By a store that is away, or a destination."""
        once = self.work.once.condition if self.work.once is not None else None
        return once or self.work.unsent.condition(self.work.clock.boot())

    @property
    def behind(self) -> float | None:
        """Seconds as the lane says, but never less than what it read waits for its verdict; None where unknown."""
        known, oldest = self.lane.behind, self.lane.oldest if isinstance(self.lane, KnowsOldest) else None
        return known if known is None or oldest is None else max(known, self.work.clock.wall() - oldest)

    @property
    def words(self) -> Words:
        """Its condition while it does not poll, else what it is at."""
        condition = self.condition
        now = (self.work.doing.condition if condition.ready else None) or condition
        held = self.lane.held.records
        return Words(state=now.state, reason=now.reason, since=now.since, behind=self.behind, held=held)
