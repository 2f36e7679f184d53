"""What every mapping of a stream is refused or warned of, and where its failure record says that it was."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.model import Record
from headrace.observe import log
from headrace.plugins import Opening
from headrace.settings import MappingSettings
from headrace_connectors.streams.options import DEFAULTS, REFUSES, check, warn
from headrace_connectors.streams.origin import batch_info


def opening(**settings: Any) -> Opening:
    return Opening(
        service="s",
        mapping="m",
        settings=MappingSettings.model_validate({**DEFAULTS, **settings}),
        options=None,
        sections={},
        function_timeout=30,
        log=log(),
    )


def test_the_defaults_and_the_refusals_are_settings() -> None:
    assert not DEFAULTS.keys() & REFUSES.keys()
    assert {*DEFAULTS, *REFUSES} <= set(MappingSettings.model_fields)


def test_a_start_must_be_written() -> None:
    (fault,) = check(opening(), "TRIM_HORIZON or LATEST")
    assert fault.path == "starting_position"
    assert fault.message.startswith("1 validation error detected: Value null at 'startingPosition'")
    assert fault.message.endswith("Write TRIM_HORIZON or LATEST")


def test_windows_go_one_at_a_time() -> None:
    settings = {"starting_position": "LATEST", "tumbling_window_in_seconds": 60}
    assert not [*check(opening(**settings), "")]
    (fault,) = check(opening(**settings, parallelization_factor=2), "")
    assert fault.path == "tumbling_window_in_seconds"


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ({}, True),
        ({"maximum_retry_attempts": 0}, False),
        ({"maximum_record_age_in_seconds": 60}, False),
    ],
)
def test_a_shard_that_may_be_blocked_for_good_is_warned_of(settings: dict[str, Any], warned: bool) -> None:
    """Catches: 0 retries taken for no limit."""
    warnings = [*warn(opening(**settings), "a day")]
    assert bool(warnings) is warned
    assert all("a day" in warning.message for warning in warnings)


def test_a_failure_record_names_the_first_and_the_last() -> None:
    records = [Record(f"id{number}", {}, number, 1, None, f"{number}") for number in (7, 8, 9)]
    info = batch_info("shard-1", records, arn="arn:x", iso=lambda at: f"at {at}")
    assert list(info.items()) == [
        ("shardId", "shard-1"),
        ("startSequenceNumber", "7"),
        ("endSequenceNumber", "9"),
        ("approximateArrivalOfFirstRecord", "at 7"),
        ("approximateArrivalOfLastRecord", "at 9"),
        ("batchSize", 3),
        ("streamArn", "arn:x"),
    ]
