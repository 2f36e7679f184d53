"""What may be written about a schedule source."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from headrace.settings import Seconds, Settings
from headrace.times import unix
from headrace_connectors.schedule.dialect import Dialect

DAY: Final = 86400.0


def _moment(value: str | float | None) -> str | float | None:
    if value is not None:
        try:
            datetime.fromtimestamp(unix(value), UTC)
        except (ValueError, OverflowError, OSError):
            raise ValueError("must be Unix seconds, or a time as 2026-01-31T12:00:00Z") from None
    return value


Moment = Annotated[str | float | None, AfterValidator(_moment)]


class FlexibleTimeWindow(Settings):
    """Fire at some moment within a window, rather than at its beginning."""

    mode: Literal["OFF", "FLEXIBLE"] = Field("OFF", description="FLEXIBLE: somewhere in the window.")
    maximum_window_in_minutes: int | None = Field(None, ge=1, le=1440, description="With FLEXIBLE, and only with it.")

    @model_validator(mode="after")
    def _together(self) -> FlexibleTimeWindow:
        if (self.mode == "FLEXIBLE") != (self.maximum_window_in_minutes is not None):
            raise ValueError("mode: FLEXIBLE and maximum_window_in_minutes go together")
        return self

    @property
    def seconds(self) -> float:
        return 60.0 * (self.maximum_window_in_minutes or 0)


class ScheduleSettings(Settings):
    """One schedule. Names and limits are EventBridge Scheduler's; our own keys say so."""

    schedule_expression: str | None = Field(
        None, description="cron(…), rate(…) or at(…); what it means and when it fires: headrace schedule explain."
    )
    schedule_expression_timezone: str | None = Field(
        None, min_length=1, description="An IANA name, as Europe/Berlin, of cron's and at's local times. Default: UTC."
    )
    dialect: Dialect = Field("scheduler", description="EventBridge Scheduler's expressions and event, or a rule's.")
    start_date: Moment = Field(None, description="It does not fire before: Unix seconds or ISO 8601. Not of an at(…).")
    end_date: Moment = Field(None, description="It does not fire after. Not of an at(…).")
    flexible_time_window: FlexibleTimeWindow = Field(FlexibleTimeWindow(), description="Fire within, not at once.")
    input: Any = Field(
        None,
        description="What the handler is given in place of the scheduled event: a mapping, or JSON text. In the "
        "dialect scheduler <aws.scheduler.schedule-arn>, scheduled-time, execution-id and attempt-number are replaced.",
    )
    missed: Literal["latest", "all", "skip"] = Field(
        "latest",
        description="Ours: what becomes of occurrences that are more than a minute late, as nobody was there: the "
        "latest fires, all do, or none. The others are recorded as missed. An at(…) always fires.",
    )
    catchup_window: Seconds = Field(
        DAY, ge=0, le=366 * DAY, description="Ours: seconds after which an occurrence is missed for good."
    )
    max_catchup: int = Field(100, ge=1, le=10000, description="Ours: with missed: all, the most that fire; the newest.")
    overlap: Literal["allow", "skip", "buffer_one"] = Field(
        "allow",
        description="Ours: what comes while the occurrence before has not ended: runs beside it, is missed, or the "
        "next one waits for it and others are missed.",
    )
    jitter: Seconds = Field(0, ge=0, le=86400, description="Ours: fires up to so many seconds late, always the same.")


class ScheduleOptions(ScheduleSettings):
    """`source: {type: schedule, …}`."""

    schedules: dict[str, ScheduleSettings] = Field(
        {}, description="Several under one mapping, by name; what stands beside holds for each that does not say else."
    )

    def each(self, mapping: str) -> Mapping[str, tuple[str, ScheduleSettings]]:
        """By name: where it stands in the source block, and its settings, those of the block filled in."""
        if not self.schedules:
            return {mapping: ("source", self)}
        shared = {name: getattr(self, name) for name in ScheduleSettings.model_fields if name in self.model_fields_set}
        return {
            f"{mapping}/{name}": (
                f"source.schedules.{name}",
                one.model_copy(update={key: v for key, v in shared.items() if key not in one.model_fields_set}),
            )
            for name, one in self.schedules.items()
        }
