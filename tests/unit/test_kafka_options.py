"""What may be written about a Kafka source, by its checks and defaults."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.errors import ConfigError
from headrace_connectors import KafkaPoller


def refused(**arguments: Any) -> str:
    given: dict[str, Any] = {"topics": ["payments"], "bootstrap_servers": "localhost:9092", "name": "p", **arguments}
    with pytest.raises(ConfigError) as raised:
        KafkaPoller(handler=print, **given)
    return str(raised.value)


def poller(**arguments: Any) -> KafkaPoller:
    given: dict[str, Any] = {"topics": ["payments"], "bootstrap_servers": "localhost:9092", "name": "p", **arguments}
    return KafkaPoller(handler=print, **given)


def test_the_defaults_are_those_of_a_fresh_mapping_on_aws() -> None:
    """Mutation: a window of 0, a group that is named after the topic."""
    opening = poller()._mapping._opening
    settings = opening.settings
    assert (settings.batch_size, settings.maximum_batching_window_in_seconds) == (100, 0.5)
    assert (settings.starting_position, settings.maximum_retry_attempts) == ("TRIM_HORIZON", -1)
    assert opening.options.consumer_group_id is None
    assert len(str(opening.uuid)) == 36


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"topics": []}, "topics: "),
        ({"topics": ["a", "a"]}, "topics: names a topic twice"),
        ({"topics": [".hidden"]}, "topics: '.hidden' is no topic: 1 to 249 letters"),
        ({"topics": ["päyments"]}, "is no topic"),
        ({"bootstrap_servers": "localhost"}, "bootstrap_servers: its server 1 of 1 has no port"),
        ({"starting_position": "AT_TIMESTAMP"}, "starting_position_timestamp: is required with"),
        ({"starting_position_timestamp": 1}, "starting_position_timestamp: is only for"),
        ({"starting_position": "AT_TIMESTAMP", "starting_position_timestamp": 10**10}, "lies in the future"),
        ({"tumbling_window_in_seconds": 60}, "tumbling_window_in_seconds: "),
        ({"scaling_config": {"maximum_concurrency": 3}}, "scaling_config: a partition's batches go in order"),
        ({"session_timeout_ms": 60_000, "max_poll_interval_ms": 30_000}, "max_poll_interval_ms: is less than session"),
        ({"sasl_username": "me"}, "sasl_username"),
    ],
)
def test_what_cannot_be_is_refused_with_its_mend(arguments: dict[str, Any], said: str) -> None:
    """Mutation: any of the checks left out."""
    assert said in refused(**arguments)


def test_all_faults_are_told_at_once() -> None:
    said = refused(topics=["a", "a"], session_timeout_ms=1, starting_position="AT_TIMESTAMP")
    assert "names a topic twice" in said
    assert "session_timeout_ms" in said


def test_a_call_that_may_outlast_a_rebalance_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    poller(timeout=600)
    assert "max_poll_interval_ms" in capsys.readouterr().out
