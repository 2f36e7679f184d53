"""The counts of every mapping in the form that Prometheus reads. The names are a promise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from headrace.observe import Histogram
from headrace.service.status import LaneView, Snapshot

LANE: Final = ("service", "mapping", "source", "lane")

COUNTERS: Final = {
    "polled": ("polled", "Records received from the source."),
    "filtered_out": ("filtered_out", "Records that no filter pattern matched; settled without a call."),
    "invoked": ("invoked", "Records handed to the function, counted at every attempt."),
    "failed_invoke": ("failed_invoke", "Records of attempts that failed, wholly or in part."),
    "succeeded": ("succeeded", "Records that the function has handled."),
    "deleted": ("deleted", "Messages deleted from their queue."),
    "failed_delete": ("failed_deletes", "Messages that were handled but not deleted: each comes again."),
    "dropped": ("dropped", "Records given up by policy, without a failure destination."),
    "on_failure_destination_delivered": ("delivered", "Records given up and accepted by the failure destination."),
    "on_success_destination_delivered": ("announced", "Records handled, of which the success destination was told."),
    "on_failure_destination_refused": ("refused", "Records that the failure destination can never take; given back."),
    "returned": ("returned", "Records given back to the source: failed, or received and not used."),
    "abandoned": ("abandoned", "Records let go because their lane or their visibility was lost."),
    "deduplicated": ("deduplicated", "Records known to have been handled before."),
    "lapsed": ("lapsed", "Records not dispatched because their visibility had run out."),
}
"""`headrace_NAME_events_total`: the count of the lane behind it, and its help."""

HISTOGRAMS: Final = {
    "headrace_invocation_duration_seconds": ("duration", "How long calls of the function took."),
    "headrace_batch_size": ("batch_size", "Records handed over together."),
    "headrace_record_age_seconds": ("age", "How old records were when they were handed over."),
}


class SnapshotCollector(Collector):
    """The metrics of one moment."""

    def __init__(self, service: str, snapshot: Snapshot) -> None:
        self._service, self._snapshot = service, snapshot

    def collect(self) -> Iterator[Metric]:
        lanes = [
            ((self._service, view.mapping, view.source, lane.lane), lane)
            for view in self._snapshot.mappings
            for lane in view.lanes
        ]
        for name, (count, text) in COUNTERS.items():
            counter = CounterMetricFamily(f"headrace_{name}_events", text, labels=LANE)
            for labels, lane in lanes:
                counter.add_metric(labels, lane.counts[count])
            yield counter
        for when, count in (("on_failure", "delivery_errors"), ("on_success", "announce_errors")):
            errors = CounterMetricFamily(
                f"headrace_{when}_destination_delivery_errors",
                f"Records that the {when} destination did not take, counted at every try.",
                labels=LANE,
            )
            for labels, lane in lanes:
                errors.add_metric(labels, lane.counts[count])
            yield errors
        lost = CounterMetricFamily(
            "headrace_records_lost_to_retention",
            "Gaps where a log's records were trimmed before they were read; how many records, nobody knows.",
            labels=LANE,
        )
        for labels, lane in lanes:
            lost.add_metric(labels, lane.counts["lost_to_retention"])
        yield lost
        yield from self._histograms()
        yield from self._gauges(lanes)

    def _histograms(self) -> Iterator[Metric]:
        for name, (attribute, text) in HISTOGRAMS.items():
            family = HistogramMetricFamily(name, text, labels=LANE)
            for lane in self._snapshot.histograms:
                histogram: Histogram = getattr(lane, attribute)
                bounds = [*map(floatToGoString, histogram.bounds), "+Inf"]
                buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
                labels = (self._service, lane.mapping, lane.source, lane.lane)
                family.add_metric(labels, buckets=buckets, sum_value=histogram.total)
            yield family

    def _gauges(self, lanes: Sequence[tuple[tuple[str, ...], LaneView]]) -> Iterator[Metric]:
        in_flight = GaugeMetricFamily("headrace_in_flight_records", "Records held and not settled.", labels=LANE)
        seconds = GaugeMetricFamily("headrace_lag_seconds", "Mean age of records lately handed over.", labels=LANE)
        what = "Records that wait: of a queue all, of a log in our lanes."
        waiting = GaugeMetricFamily("headrace_lag_records", what, labels=LANE[:-1])
        for labels, lane in lanes:
            in_flight.add_metric(labels, lane.in_flight)
            if lane.lag_seconds is not None:
                seconds.add_metric(labels, lane.lag_seconds)
        for view in self._snapshot.mappings:
            if view.lag_records is not None:
                waiting.add_metric((self._service, view.mapping, view.source), view.lag_records)
        yield from (in_flight, seconds, waiting)


def exposition(service: str, snapshot: Snapshot, accept: str) -> tuple[str, bytes]:
    """Content type and body for a scraper that sent *accept*. A registry of its own: nothing is global."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SnapshotCollector(service, snapshot))
    encode, content_type = choose_encoder(accept)
    return content_type, encode(registry)
