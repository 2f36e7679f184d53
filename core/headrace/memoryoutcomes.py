"""What is kept of records, in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from headrace.outcomes import KeptOutcome


class _Place(NamedTuple):
    lane: str
    name: str


@dataclass(slots=True)
class _Kept:
    """Of one mapping: outcomes with their ends, and the outcome of each record, by its lane and name."""

    outcomes: dict[_Place, tuple[KeptOutcome, float]] = field(default_factory=dict)
    records: dict[_Place, str] = field(default_factory=dict)


class MemoryOutcomeRows:
    """`OutcomeRows` but for `row`; `wall` is set when a verb begins."""

    wall: float

    def __init__(self) -> None:
        self._outcomes: defaultdict[str, _Kept] = defaultdict(_Kept)

    def put_outcome(self, mapping: str, lane: str, outcome: KeptOutcome, seconds: float) -> None:
        kept = self._outcomes[mapping]
        self._drop(kept, _Place(lane, outcome.name))
        self.drop_outcomes(mapping, lane, outcome.records)
        kept.outcomes[_Place(lane, outcome.name)] = outcome, self.wall + seconds
        kept.records |= {_Place(lane, record): outcome.name for record in outcome.records}

    def outcomes(self, mapping: str, lane: str, records: Sequence[str] | None) -> Sequence[KeptOutcome]:
        kept = self._outcomes[mapping]
        if records is None:
            names = [place.name for place in kept.outcomes if place.lane == lane]
        else:
            names = [kept.records[place] for record in records if (place := _Place(lane, record)) in kept.records]
        found = [kept.outcomes[_Place(lane, name)] for name in dict.fromkeys(names)]
        return [replace(one, records=self._of(kept, lane, one.name)) for one, ends in found if ends > self.wall]

    def drop_outcomes(self, mapping: str, lane: str, records: Sequence[str]) -> None:
        kept = self._outcomes[mapping]
        for name in {name for record in records if (name := kept.records.pop(_Place(lane, record), None)) is not None}:
            if not self._of(kept, lane, name):
                del kept.outcomes[_Place(lane, name)]

    def clear_outcomes(self, mapping: str, lane: str | None = None) -> None:
        for place in list(self._outcomes[mapping].outcomes):
            if lane in {None, place.lane}:
                self._drop(self._outcomes[mapping], place)

    def forget_outcomes(self, mapping: str, limit: int) -> None:
        ended = [place for place, (_, ends) in self._outcomes[mapping].outcomes.items() if ends <= self.wall]
        for place in ended[:limit]:
            self._drop(self._outcomes[mapping], place)

    def _drop(self, kept: _Kept, place: _Place) -> None:
        if place in kept.outcomes:
            for record in self._of(kept, *place):
                del kept.records[_Place(place.lane, record)]
            del kept.outcomes[place]

    @staticmethod
    def _of(kept: _Kept, lane: str, name: str) -> list[str]:
        """The records that have this outcome still."""
        outcome, _ = kept.outcomes[_Place(lane, name)]
        return [record for record in outcome.records if kept.records.get(_Place(lane, record)) == name]
