"""What the testbed makes of a config: topics for sources and destinations, and all else as it was written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from headrace.config import Config, load
from headrace.errors import ConfigError
from headrace.log import LOG_TRAITS
from headrace_connectors.catalog import catalog
from headrace_connectors.kafka.connecting import KafkaSettings
from headrace_connectors.kafka.queue.lane import FIFO_TRAITS, TRAITS
from headrace_connectors.testbed.meaningless import meaningless
from headrace_connectors.testbed.plan import Topics, Wanted, changed, group_of, told_of, topics_of
from support.routed import only

SHOP = Path(__file__).parents[2] / "configs" / "shop.yaml"
CLUSTER = KafkaSettings(bootstrap_servers="127.0.0.1:1")
WANTED = Wanted(cluster=CLUSTER, state="sqlite:/elsewhere.db")
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders"


def shop() -> Config:
    return load([SHOP], catalog, {})


def config_of(
    tmp_path: Path, source: dict[str, Any], *, sections: dict[str, Any] | None = None, **mapping: Any
) -> Config:
    file = tmp_path / "config.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "service": {"name": "shop"},
                "functions": {"f": {"handler": "a.b"}},
                "mappings": {"m": {"source": source, "function": "f", **mapping}},
                **(sections or {}),
            }
        )
    )
    return load([file], catalog, {})


def test_every_mapping_has_its_topics_and_only_a_standard_queue_one_for_retries() -> None:
    found = topics_of(shop())
    assert found["orders"] == Topics(
        main="testbed.orders", retry="testbed.orders.retry", on_failure="testbed.orders.on_failure"
    )
    assert found["refunds"] == Topics(main="testbed.refunds", retry=None, on_failure="testbed.refunds.on_failure")
    assert {one.main for one in found.values()} == {f"testbed.{name}" for name in shop().mappings}


def test_a_stream_without_a_destination_has_none_here_either(tmp_path: Path) -> None:
    found = config_of(tmp_path, {"type": "kinesis", "stream": "s"}, starting_position="LATEST")
    assert topics_of(found)["m"].on_failure is None
    assert changed(found, WANTED).mappings["m"].on_failure is None


def test_all_that_is_not_source_destination_position_or_state_stays_as_it_was() -> None:
    before, after = shop(), changed(shop(), WANTED)
    ours = {
        "starting_position",
        "starting_position_timestamp",
        "maximum_retry_attempts",
        "tumbling_window_in_seconds",
    }
    for name, one in before.mappings.items():
        its = after.mappings[name]
        assert its.settings.model_dump(exclude=ours) == one.settings.model_dump(exclude=ours)
        assert (its.function, its.folder) == (one.function, one.folder)
        assert only(its.on_failure).kind.type == "kafka"
        assert only(its.on_failure).options.topic == f"testbed.{name}.on_failure"
    assert after.functions == before.functions
    assert after.service.model_dump(exclude={"state"}) == before.service.model_dump(exclude={"state"})
    assert after.state == "sqlite:/elsewhere.db"


def test_each_source_is_a_topic_in_its_own_shape_under_its_own_name() -> None:
    after = {name: one.options for name, one in changed(shop(), WANTED).mappings.items()}
    assert {name: one.present_as for name, one in after.items()} == {
        "orders": "sqs",
        "refunds": "sqs",
        "clicks": "kinesis",
        "stock": "dynamodb",
        "payments": "kafka",
    }
    assert after["orders"].event_source_arn == "arn:aws:sqs:eu-central-1:123456789012:orders"
    assert after["refunds"].event_source_arn.endswith(":refunds.fifo")
    assert after["clicks"].event_source_arn == "arn:aws:kinesis:eu-central-1:000000000000:stream/clicks"
    assert after["stock"].event_source_arn == "arn:aws:dynamodb:eu-central-1:000000000000:table/stock"
    assert after["orders"].topics == ["testbed.orders", "testbed.orders.retry"]
    assert after["payments"].topics == ["testbed.payments"]


def test_nothing_of_the_real_cluster_is_left_in_a_kafka_source(tmp_path: Path) -> None:
    source = {
        "type": "kafka",
        "bootstrap_servers": "real:9092",
        "topics": ["payments"],
        "consumer_group_id": "real",
        "security_protocol": "SSL",
        "on_trimmed": "skip",
    }
    section = {"kafka": {"client_id": "me", "security_protocol": "SSL"}}
    found = changed(config_of(tmp_path, source, sections=section, starting_position="LATEST"), WANTED)
    options = found.mappings["m"].options
    assert options.connection(found.opening("m")) == CLUSTER
    assert options.consumer_group_id == group_of(found, "m") == "testbed.shop.m"
    assert options.on_trimmed == "skip"


def test_traits_are_those_of_the_source() -> None:
    after = changed(shop(), WANTED).mappings
    assert after["orders"].connector.traits == TRAITS
    assert after["refunds"].connector.traits == FIFO_TRAITS
    assert after["clicks"].connector.traits == LOG_TRAITS


@pytest.mark.parametrize(("own", "limit"), [(None, 4), (-1, 4), (2, 2), (9, 4)])
def test_the_redrive_policy_is_a_limit_of_attempts_and_a_lower_one_goes_first(
    tmp_path: Path, own: int | None, limit: int
) -> None:
    more = {} if own is None else {"maximum_retry_attempts": own}
    found = changed(config_of(tmp_path, {"type": "sqs", "queue_url": QUEUE}, **more), WANTED)
    assert found.mappings["m"].settings.maximum_retry_attempts == limit


@pytest.mark.parametrize(("own", "seconds"), [({}, 7.0), ({"visibility_timeout": 90}, 90.0)])
def test_what_failed_comes_again_after_the_visibility_timeout(
    tmp_path: Path, own: dict[str, int], seconds: float
) -> None:
    config = config_of(tmp_path, {"type": "sqs", "queue_url": QUEUE, **own})
    wanted = Wanted(cluster=CLUSTER, state="memory:", visibility_timeout=7)
    assert changed(config, wanted).mappings["m"].options.visibility_timeout == seconds


def test_what_is_written_in_vain_is_told_and_nothing_else(tmp_path: Path) -> None:
    source = {
        "type": "sqs",
        "queue_url": QUEUE,
        "visibility_timeout": 90,
        "unwrap": ["sns"],
        "endpoint_url": "http://h",
    }
    config = config_of(
        tmp_path, source, sections={"aws": {"region": "eu-west-1", "role_arn": "arn:aws:iam::000000000001:role/r"}}
    )
    assert [one.path for one in meaningless(config)] == [
        "aws.role_arn",
        "mappings.m.source.endpoint_url",
        "mappings.m.source.unwrap",
    ]
    stream = config_of(
        tmp_path, {"type": "kinesis", "stream": "s"}, starting_position="LATEST", tumbling_window_in_seconds=60
    )
    assert [one.path for one in meaningless(stream)] == [
        "mappings.m.starting_position",
        "mappings.m.tumbling_window_in_seconds",
    ]
    assert changed(stream, WANTED).mappings["m"].settings.tumbling_window_in_seconds == 0


def test_a_source_that_no_topic_can_stand_for_is_refused(tmp_path: Path) -> None:
    config = shop()
    odd = replace(config.mappings["clicks"], connector=replace(config.mappings["clicks"].connector, type="odd"))
    with pytest.raises(
        ConfigError, match=r"mappings\.clicks\.source\.type: the testbed cannot stand for a source of type odd"
    ):
        topics_of(replace(config, mappings={**config.mappings, "clicks": odd}))


def test_schedules_run_as_they_are_over_the_testbeds_state_and_fail_to_a_topic(tmp_path: Path) -> None:
    """Mutation: a topic of failures that nobody makes; a source that the testbed refuses."""
    source = {"type": "schedule", "schedule_expression": "rate(1 hour)"}
    given = config_of(
        tmp_path, source, destination_config={"on_failure": {"destination": {"type": "file", "path": "f"}}}
    )
    assert topics_of(given) == {}
    assert told_of(given) == ["testbed.m.on_failure"]
    made = changed(given, WANTED)
    assert made.state == "sqlite:/elsewhere.db"
    assert made.mappings["m"].options == given.mappings["m"].options
    assert only(made.mappings["m"].on_failure).options.topic == "testbed.m.on_failure"
    assert [one.path for one in meaningless(given)] == []


def test_functions_are_told_as_they_are_and_all_else_is_told_to_topics(tmp_path: Path) -> None:
    """Mutations: a destination of the real world that is left; a function that is no longer told."""
    text = """
service: {name: shop, listen: null}
functions:
  f:
    handler: a.b
    event_invoke_config:
      destination_config:
        on_success: {destination: {type: function, function: g}}
        on_failure: {destination: [{type: file, path: x.jsonl}, {type: function, function: g}]}
    dead_letter_config: {target_arn: "arn:aws:sqs:eu-west-1:123456789012:dead"}
  g: {handler: a.b}
mappings: {}
"""
    (tmp_path / "c.yaml").write_text(text)
    given = load([tmp_path / "c.yaml"], catalog, {})
    assert told_of(given) == ["testbed.function.f.on_failure", "testbed.function.f.dead_letter"]
    made = changed(given, WANTED).queues["function:f"]
    assert only(made.on_success).kind.type == "function"
    assert made.on_failure is not None
    assert [to.kind.type for to in made.on_failure.routes[0].to] == ["function", "kafka"]
    assert made.dead_letter is not None
    assert made.dead_letter.options.topic == "testbed.function.f.dead_letter"
