"""The view of a mapping, its metrics, and the accounts that must add up."""

import re
from dataclasses import asdict

import orjson

from headrace.clock import SYSTEM
from headrace.functions import Function
from headrace.mapping import Mapping
from headrace.model import Condition
from headrace.observe import SECONDS, Histogram, Tally, log
from headrace.plugins import Opening
from headrace.runninglane import RunningLane
from headrace.service import metrics, status
from headrace.settings import MappingSettings
from support import memory


class Stub:
    """A lane that is only looked at."""

    def __init__(self, condition):
        self.condition = condition


class Work:
    class slots:  # noqa: N801 - an attribute
        hung, most = 0, 10
        limit = 5

    class unsent:  # noqa: N801
        @staticmethod
        def condition(boot):
            return None

    clock = SYSTEM
    once = None


def make(**counts):
    opening = Opening(
        service="shop",
        mapping="orders",
        settings=MappingSettings(),
        options=memory.MemoryOptions(),
        sections={},
        function_timeout=3,
        log=log(),
    )
    mapping = Mapping(memory.memory, opening, Function.of("f", print, timeout=3))
    tally = mapping.tallies["queue"] = Tally()
    for name, count in counts.items():
        setattr(tally, name, count)
    return mapping


def test_a_lane_that_polls():
    mapping = make(polled=7, succeeded=4, in_flight=3)
    mapping.lanes["queue"] = RunningLane(Stub(Condition("polling", "", 12.0)), None, Work)
    sampled = status.Sampled(lag_records=9, lag_seconds={"queue": 1.5}, dead_lettered=2)
    view = status.view(mapping, sampled)
    assert (view.state, view.since, view.ready, view.in_flight, view.lag_records) == ("polling", 12.0, True, 3, 9)
    (lane,) = view.lanes
    assert (lane.lane, lane.state, lane.concurrency, lane.lag_seconds) == ("queue", "polling", 5, 1.5)
    assert lane.counts["succeeded"] == view.counts["succeeded"] == 4


def test_the_reason_of_a_lane_that_does_not():
    mapping = make()
    mapping.lanes["queue"] = RunningLane(Stub(Condition("denied", "no rights", 1.0)), None, Work)
    view = status.view(mapping, status.Sampled())
    assert (view.ready, view.state, view.reason) == (False, "denied", "no rights")


def test_a_lane_that_has_ended_is_still_counted():
    view = status.view(make(polled=2, succeeded=2), status.Sampled())
    assert view.lanes[0].state == "closed"
    assert view.counts["polled"] == 2
    assert not view.ready


def test_a_disabled_mapping_is_not_waited_for():
    view = status.disabled("orders", "memory", "f")
    assert (view.ready, view.enabled, view.state) == (True, False, "disabled")


def test_views_are_plain_data():
    view = status.view(make(), status.Sampled())
    assert orjson.loads(orjson.dumps(asdict(view)))["mapping"] == "orders"


def test_counts_are_those_of_the_tally():
    """Fails when a count is added to the engine and forgotten here."""
    plain = {name for name, value in vars(Tally()).items() if isinstance(value, int)}
    assert set(status.COUNTS) | {"in_flight"} == plain


def test_the_balance_adds_up():
    mapping = make(polled=10, succeeded=4, returned=3, dropped=1, in_flight=2)
    line = status.balance(status.view(mapping, status.Sampled()))
    numbers = [int(number) for number in re.findall(r"\d+", line)]
    assert numbers[0] == sum(numbers[1:]) == 10


def test_a_balance_that_is_off_says_so():
    assert "NOT add up: +3" in status.balance(status.view(make(polled=3), status.Sampled()))


def test_histograms_of_lanes_are_merged():
    """The quantile of two lanes together is not the mean of their quantiles."""
    fast, slow = Histogram(SECONDS), Histogram(SECONDS)
    fast.add(0.001, 99)
    slow.add(60, 1)
    whole = status.merged([fast, slow])
    assert (sum(whole.counts), round(whole.total, 3)) == (100, 60.099)
    assert whole.quantile(0.5) <= 0.001
    assert status.merged([]).quantile(0.5) == 0.0


def exposed(mapping, sampled=None, accept=""):
    view = status.view(mapping, sampled or status.Sampled())
    snapshot = status.Snapshot(mappings=(view,), histograms=tuple(status.histograms(mapping)))
    content_type, body = metrics.exposition("shop", snapshot, accept)
    return content_type, body.decode()


def test_the_names_of_metrics_are_a_promise():
    _, text = exposed(make())
    assert sorted(re.findall(r"^# TYPE (.*)$", text, re.MULTILINE)) == sorted(
        [
            *(
                f"headrace_{name}_events_total counter"
                for name in (
                    "polled",
                    "filtered_out",
                    "invoked",
                    "failed_invoke",
                    "succeeded",
                    "deleted",
                    "failed_delete",
                    "dropped",
                    "on_failure_destination_delivered",
                    "on_failure_destination_refused",
                    "on_success_destination_delivered",
                    "returned",
                    "abandoned",
                    "deduplicated",
                    "lapsed",
                )
            ),
            "headrace_on_failure_destination_delivery_errors_total counter",
            "headrace_on_success_destination_delivery_errors_total counter",
            "headrace_records_lost_to_retention_total counter",
            "headrace_invocation_duration_seconds histogram",
            "headrace_batch_size histogram",
            "headrace_record_age_seconds histogram",
            "headrace_in_flight_records gauge",
            "headrace_lag_seconds gauge",
            "headrace_lag_records gauge",
        ]
    )


def test_values_and_labels():
    mapping = make(polled=7, delivered=2, failed_deletes=1, in_flight=5)
    mapping.tallies["queue"].duration.add(0.02, 3)
    _, text = exposed(mapping, status.Sampled(lag_records=9, lag_seconds={"queue": 0.5}))
    labels = 'lane="queue",mapping="orders",service="shop",source="memory"'

    def value(name, more=""):
        found = re.search(rf"^{name}\{{(.*)\}} (\S+)$", text.replace(more, ""), re.MULTILINE)
        assert sorted(found[1].split(",")) == labels.split(",")
        return float(found[2])

    assert value("headrace_polled_events_total") == 7
    assert value("headrace_on_failure_destination_delivered_events_total") == 2
    assert value("headrace_failed_delete_events_total") == 1
    assert value("headrace_in_flight_records") == 5
    assert value("headrace_lag_seconds") == 0.5
    assert value("headrace_invocation_duration_seconds_count") == 3
    assert value("headrace_invocation_duration_seconds_sum") == 0.06
    assert 'headrace_lag_records{mapping="orders",service="shop",source="memory"} 9.0' in text
    buckets = re.findall(r'duration_seconds_bucket\{.*le="(.*?)".*\} (\S+)', text)
    assert dict(buckets)["0.01"] == "0.0"
    assert dict(buckets)["0.025"] == dict(buckets)["+Inf"] == "3.0"


def test_what_is_not_known_is_not_shown():
    _, text = exposed(make())
    assert not re.search(r"^headrace_lag", text, re.MULTILINE)


def test_open_metrics_when_asked_for():
    content_type, text = exposed(make(), accept="application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")
