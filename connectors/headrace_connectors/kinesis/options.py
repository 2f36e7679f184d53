"""What may be written about a Kinesis source, and what is wrong or dangerous in it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import Field, field_validator

from headrace.errors import Fault
from headrace.plugins import Opening
from headrace.settings import MappingSettings
from headrace.times import unix
from headrace_connectors.aws import AwsSettings
from headrace_connectors.streams import options as streams
from headrace_connectors.streams.reader import OnTrimmed

_NAME = r"[a-zA-Z0-9_.-]{1,128}"
_ARN = re.compile(rf"arn:aws[a-z0-9-]*:kinesis:([a-z0-9-]+):[0-9]{{12}}:stream/({_NAME})")
_CONSUMER = re.compile(rf"({_ARN.pattern})/consumer/[^\s/]+")


class KinesisOptions(AwsSettings):
    """`source: {type: kinesis, …}`."""

    stream: str = Field(description="The stream's name, or its ARN, which says its region too. Required.")
    consumer: str | None = Field(
        None,
        description="Enhanced fan-out: the name or ARN of a consumer that is registered with the stream; records are "
        "pushed to it, at a rate of its own.",
    )
    deaggregate: bool = Field(
        False,
        description="Take the KPL's aggregates apart: each user record is a record of the event; all of an aggregate "
        "have its sequence number.",
    )
    on_trimmed: OnTrimmed = Field(
        "fail",
        description="When records were trimmed (retention) before they were read: fail stops the shard and says so, "
        "skip goes on at the oldest that is left and counts a gap.",
    )

    @field_validator("stream")
    @classmethod
    def _is_stream(cls, value: str) -> str:
        if _CONSUMER.fullmatch(value):
            raise ValueError("is a consumer's ARN: write it at consumer, and the stream's name or ARN here")
        if not re.fullmatch(_NAME, value) and not _ARN.fullmatch(value):
            raise ValueError(
                "must be a stream's name (letters, digits, _ . -) or ARN: arn:aws:kinesis:REGION:ACCOUNT:stream/NAME"
            )
        return value

    @field_validator("consumer")
    @classmethod
    def _is_consumer(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(_NAME, value) and not _CONSUMER.fullmatch(value):
            raise ValueError(
                "must be a consumer's name (letters, digits, _ . -) or ARN: "
                "arn:aws:kinesis:REGION:ACCOUNT:stream/NAME/consumer/CONSUMER:TIME"
            )
        return value

    @property
    def name(self) -> str:
        return name_of(self.stream)

    @property
    def arn(self) -> str | None:
        """The stream's ARN, if that is what was given."""
        return self.stream if _ARN.fullmatch(self.stream) else None

    def aws(self, opening: Opening) -> AwsSettings:
        """The source's own settings, then its ARN's region, then the config's."""
        section = opening.sections.get("aws")
        own = self if self.region else self.model_copy(update={"region": region_of(self.stream)})
        return own.over(section if isinstance(section, AwsSettings) else AwsSettings())


def name_of(stream: str) -> str:
    """The name of a stream that was given by name or ARN."""
    return stream.rpartition("/")[2]


def region_of(stream: str) -> str | None:
    """The region that stands in an ARN; None of a name."""
    found = _ARN.fullmatch(stream)
    return found[1] if found else None


POSITIONS = "TRIM_HORIZON, LATEST, or AT_TIMESTAMP with starting_position_timestamp"


def check(opening: Opening) -> Iterator[Fault]:
    """What AWS refuses of a mapping of a Kinesis stream (lambda-semantics 1.3, 1.4)."""
    options: KinesisOptions = opening.options
    settings = opening.settings
    region = region_of(options.stream)
    if options.region and region and options.region != region:
        yield Fault("source.region", f"the stream's ARN is of {region}: take region out, or correct one of them")
    consumer = _CONSUMER.fullmatch(options.consumer or "")
    if consumer and options.stream not in (consumer[1], consumer[3]):
        yield Fault("source.consumer", f"is a consumer of {consumer[1]}, not of {options.stream}: correct one of them")
    yield from streams.check(opening, POSITIONS)
    yield from _check_time(settings, opening.clock.wall())


def _check_time(settings: MappingSettings, now: float) -> Iterator[Fault]:
    where, start = "starting_position_timestamp", settings.starting_position
    written = settings.starting_position_timestamp
    if start == "AT_TIMESTAMP" and written is None:
        yield Fault(where, "is required with starting_position: AT_TIMESTAMP")
    elif start not in {"AT_TIMESTAMP", None} and written is not None:
        yield Fault(where, "is only for starting_position: AT_TIMESTAMP; take it out")
    elif written is not None and unix(written) > now:
        yield Fault(where, "lies in the future; give a time that is past, or starting_position: LATEST")


def warn(opening: Opening) -> Iterator[Fault]:
    """Dangerous, but legal."""
    yield from streams.warn(opening, "a day")
