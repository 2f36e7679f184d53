"""What may be written about a Kinesis mapping, and what is refused or warned of."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from headrace.errors import ConfigError
from headrace_connectors import KinesisPoller
from headrace_connectors.aws import AwsSettings
from headrace_connectors.kinesis.options import KinesisOptions, warn
from support.kinesis_reading import Opened

ARN = "arn:aws:kinesis:us-west-2:123456789012:stream/clicks"


def refused(**arguments: Any) -> str:
    """What a poller is refused for, one line a fault."""
    given = {"stream": "clicks", "starting_position": "LATEST", "region": "eu-central-1", **arguments}
    with pytest.raises(ConfigError) as caught:
        KinesisPoller(handler=print, **given)
    return str(caught.value)


def test_a_stream_is_a_name_or_an_arn():
    assert KinesisOptions(stream="clicks").name == "clicks"
    assert KinesisOptions(stream="clicks").arn is None
    assert (KinesisOptions(stream=ARN).name, KinesisOptions(stream=ARN).arn) == ("clicks", ARN)
    for wrong in ("", "a b", "https://kinesis", "arn:aws:sqs:us-west-2:123456789012:clicks", "x" * 129):
        with pytest.raises(ValidationError, match="stream's name"):
            KinesisOptions(stream=wrong)


def test_a_consumers_arn_in_the_place_of_the_streams_is_told_its_own():
    assert "write it at consumer" in refused(stream=f"{ARN}/consumer/fast:1700000000")


def test_the_region_of_an_arn_goes_before_that_of_the_config():
    """Catches: a stream that is looked for in the config's region, where there is none."""

    def region(stream: str, own: str | None, section: str | None) -> str | None:
        opening = Opened(KinesisOptions(stream=stream, region=own), None)._opening
        opening.sections["aws"] = AwsSettings(region=section)
        return opening.options.aws(opening).region

    assert region(ARN, None, "eu-central-1") == "us-west-2"
    assert region("clicks", None, "eu-central-1") == "eu-central-1"
    assert region("clicks", "eu-west-1", "eu-central-1") == "eu-west-1"
    assert "us-west-2" in refused(stream=ARN)


def test_a_start_is_required_in_aws_words():
    """lambda-semantics 1.4."""
    told = refused(starting_position=None)
    assert "Value null at 'startingPosition' failed to satisfy constraint: Member must not be null." in told


@pytest.mark.parametrize(
    ("start", "written", "told"),
    [
        ("AT_TIMESTAMP", None, "is required with"),
        ("LATEST", 1.0, "is only for"),
        ("TRIM_HORIZON", "2026-01-01T00:00:00Z", "is only for"),
        ("AT_TIMESTAMP", "2999-01-01T00:00:00Z", "lies in the future"),
        ("AT_TIMESTAMP", "soon", "starting_position_timestamp"),
    ],
)
def test_a_time_belongs_to_at_timestamp_alone_and_is_past(start, written, told):
    assert told in refused(starting_position=start, starting_position_timestamp=written)


def test_what_a_stream_cannot_do_is_said():
    assert "set parallelization_factor" in refused(scaling_config={"maximum_concurrency": 2})
    assert "parallelization_factor 1" in refused(tumbling_window_in_seconds=60, parallelization_factor=2)


def test_a_record_that_may_block_its_shard_for_ever_is_warned_of():
    def warned(**settings: Any) -> list[str]:
        return [fault.path for fault in warn(Opened(KinesisOptions(stream="clicks"), None, **settings)._opening)]

    assert warned() == ["maximum_retry_attempts"]
    assert warned(maximum_retry_attempts=3) == []
    assert warned(maximum_record_age_in_seconds=3600) == []
