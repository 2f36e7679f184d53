"""What may be written about a DynamoDB Streams source, and what is wrong or dangerous in it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field, field_validator, model_validator

from headrace.errors import Fault
from headrace.plugins import Opening
from headrace_connectors.aws import AwsSettings
from headrace_connectors.dynamodb.arns import checked_stream, checked_table, region_of, table_of
from headrace_connectors.streams import options as streams
from headrace_connectors.streams.reader import OnTrimmed

DEFAULTS = streams.DEFAULTS

REFUSES = {
    **streams.REFUSES,
    "starting_position_timestamp": "DynamoDB Streams have no start by time: write TRIM_HORIZON, or LATEST",
}

RETENTION = "a day"
"""DynamoDB keeps a stream record for 24 hours."""


class DynamoDBOptions(AwsSettings):
    """`source: {type: dynamodb, …}`."""

    table: str | None = Field(
        None, description="The table's name or ARN: its latest stream is read. This or stream_arn is required."
    )
    stream_arn: str | None = Field(None, description="The stream's own ARN, with its label, as Lambda takes it.")
    on_trimmed: OnTrimmed = Field(
        "fail",
        description="When records are gone before they were read (DynamoDB keeps them for 24 hours): fail stops the "
        "shard and says so, skip goes on with the oldest that are left and counts a gap.",
    )

    @field_validator("table")
    @classmethod
    def _is_table(cls, value: str | None) -> str | None:
        return None if value is None else checked_table(value)

    @field_validator("stream_arn")
    @classmethod
    def _is_stream(cls, value: str | None) -> str | None:
        return None if value is None else checked_stream(value)

    @model_validator(mode="after")
    def _one_of_them(self) -> DynamoDBOptions:
        if (self.table is None) == (self.stream_arn is None):
            raise ValueError("must have exactly one of table and stream_arn")
        return self

    @property
    def named(self) -> str:
        """The table or the stream, as it was written."""
        return self.stream_arn or self.table or ""

    @property
    def table_name(self) -> str:
        return table_of(self.named)

    def aws(self, opening: Opening) -> AwsSettings:
        """The source's own settings, then its ARN's region, then the config's."""
        section = opening.sections.get("aws")
        own = self if self.region else self.model_copy(update={"region": region_of(self.named)})
        return own.over(section if isinstance(section, AwsSettings) else AwsSettings())


def check(opening: Opening) -> Iterator[Fault]:
    """What AWS refuses when a mapping is created, in its words where they are recorded (lambda-semantics 1.3, 1.4)."""
    options: DynamoDBOptions = opening.options
    yield from streams.check(opening, "TRIM_HORIZON or LATEST")
    if opening.settings.starting_position == "AT_TIMESTAMP":
        yield Fault(
            "starting_position",
            f"Unsupported starting position for arn type: {options.named}. Write TRIM_HORIZON or LATEST",
        )
    region = region_of(options.named)
    if options.region and region and options.region != region:
        yield Fault("source.region", f"the ARN is of {region}: take region out, or correct one of them")


def warn(opening: Opening) -> Iterator[Fault]:
    """Dangerous, but legal."""
    yield from streams.warn(opening, RETENTION)
