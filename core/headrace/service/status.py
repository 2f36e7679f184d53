"""The view of a mapping as plain data: what `/v1/mappings`, `/readyz`, `/metrics`, `status` and the live table show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from headrace.mapping import Mapping
from headrace.model import Condition
from headrace.observe import Histogram, Tally
from headrace.runninglane import RunningLane

COUNTS = (
    "polled",
    "filtered_out",
    "succeeded",
    "dropped",
    "delivered",
    "returned",
    "abandoned",
    "deduplicated",
    "invoked",
    "failed_invoke",
    "failed",
    "retried",
    "deleted",
    "failed_deletes",
    "lapsed",
    "dropped_receives",
    "delivery_errors",
    "announced",
    "announce_errors",
    "refused",
    "lost_to_retention",
)
"""Of a `Tally`; what is in flight is beside them, because it also goes down."""

DISABLED = Condition("disabled", "enabled: false")


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneView:
    """One lane. `concurrency` is how many batches may be at the handler now, `lag_seconds` None where unknown."""

    lane: str
    state: str
    reason: str
    since: float
    in_flight: int
    concurrency: int
    counts: dict[str, int]
    lag_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Seconds, since the start; 0 when nothing was counted yet."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingView:
    """One mapping; `counts` and `in_flight` are summed over its lanes. `lag_records` is None where unknown."""

    mapping: str
    source: str
    function: str
    enabled: bool
    state: str
    reason: str
    since: float
    lanes: tuple[LaneView, ...]
    in_flight: int
    counts: dict[str, int]
    lag_records: int | None
    dead_lettered: int | None
    age: Quantiles
    duration: Quantiles

    @property
    def ready(self) -> bool:
        """True while it polls; one that is disabled or paused is not waited for: somebody asked for that."""
        return not self.enabled or self.state in {"polling", "paused"}


@dataclass(slots=True)
class Sampled:
    """What only the source can say, or only time shows: as of the last sample. `lag_seconds` is by lane."""

    lag_records: int | None = None
    dead_lettered: int | None = None
    lag_seconds: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneHistograms:
    """Copies of one lane's histograms."""

    mapping: str
    source: str
    lane: str
    duration: Histogram
    batch_size: Histogram
    age: Histogram


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A whole service at one moment; its counts balance."""

    mappings: tuple[MappingView, ...]
    histograms: tuple[LaneHistograms, ...]


def view(mapping: Mapping, sampled: Sampled, ending: Condition | None = None) -> MappingView:
    """How *mapping* is doing now; *ending* goes before its own condition once it is told to stop."""
    lanes, tallies = dict(mapping.lanes), dict(mapping.tallies)
    condition = ending or mapping.condition
    return MappingView(
        mapping=mapping.name,
        source=mapping.type,
        function=mapping.function.name,
        enabled=True,
        state=condition.state,
        reason=condition.reason,
        since=condition.since,
        lanes=tuple(_lane(name, tally, lanes.get(name), sampled) for name, tally in tallies.items()),
        in_flight=sum(tally.in_flight for tally in tallies.values()),
        counts=total(tallies.values()),
        lag_records=sampled.lag_records,
        dead_lettered=sampled.dead_lettered,
        age=_quantiles([tally.age for tally in tallies.values()]),
        duration=_quantiles([tally.duration for tally in tallies.values()]),
    )


def disabled(name: str, source: str, function: str) -> MappingView:
    """A mapping that its config switches off."""
    none = Quantiles(p50=0.0, p99=0.0)
    return MappingView(
        mapping=name,
        source=source,
        function=function,
        enabled=False,
        state=DISABLED.state,
        reason=DISABLED.reason,
        since=0.0,
        lanes=(),
        in_flight=0,
        counts=total(()),
        lag_records=None,
        dead_lettered=None,
        age=none,
        duration=none,
    )


def total(tallies: Iterable[Tally]) -> dict[str, int]:
    """Counts by name, summed."""
    each = list(tallies)
    return {name: sum(getattr(tally, name) for tally in each) for name in COUNTS}


def merged(histograms: Sequence[Histogram]) -> Histogram:
    """One histogram of all; they must have the same bounds."""
    whole = Histogram(histograms[0].bounds if histograms else ())
    for one in histograms:
        whole.counts = [mine + its for mine, its in zip(whole.counts, one.counts, strict=True)]
        whole.total += one.total
    return whole


def histograms(mapping: Mapping) -> list[LaneHistograms]:
    """Copies of the histograms of every lane."""
    return [
        LaneHistograms(
            mapping=mapping.name,
            source=mapping.type,
            lane=lane,
            duration=merged([tally.duration]),
            batch_size=merged([tally.batch_size]),
            age=merged([tally.age]),
        )
        for lane, tally in dict(mapping.tallies).items()
    ]


def balance(shown: MappingView) -> str:
    """The accounts of a mapping in one line, which adds up or says by how much it does not."""
    counts = shown.counts
    parts = {
        "filtered": counts["filtered_out"],
        "succeeded": counts["succeeded"],
        "dropped": counts["dropped"],
        "delivered": counts["delivered"],
        "returned": counts["returned"],
        "abandoned": counts["abandoned"],
        "deduplicated": counts["deduplicated"],
        "in flight": shown.in_flight,
    }
    off = counts["polled"] - sum(parts.values())
    line = f"polled {counts['polled']} = {' + '.join(f'{name} {count}' for name, count in parts.items())}"
    return f"{line}; this does NOT add up: {off:+d}" if off else line


def _lane(name: str, tally: Tally, running: RunningLane | None, sampled: Sampled) -> LaneView:
    condition = running.condition if running else Condition("closed", "not open now")
    return LaneView(
        lane=name,
        state=condition.state,
        reason=condition.reason,
        since=condition.since,
        in_flight=tally.in_flight,
        concurrency=running.work.slots.limit if running else 0,
        counts=total([tally]),
        lag_seconds=sampled.lag_seconds.get(name),
    )


def _quantiles(histograms: Sequence[Histogram]) -> Quantiles:
    whole = merged(histograms)
    return Quantiles(p50=round(whole.quantile(0.5), 6), p99=round(whole.quantile(0.99), 6))
