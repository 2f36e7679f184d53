"""A rule for schedules in tests: each tenth of a second, say, which no expression of AWS's can mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from headrace.errors import ConfigError, Fault


@dataclass(frozen=True, slots=True)
class Every:
    """Each *seconds* of Unix time, *past* seconds behind them.

    A schedule's connector asks it for `instants` and needs to know no more. Whatever the expressions say:

    ```python
    poller = SchedulePoller(
        name="report", schedule_expression="cron(0 18 * * ? *)", handler=handler, parse=lambda *_: Every(0.1)
    )
    ```

    Or with `parse=Every.read` expressions as `every(0.1)` and `every(30, 0.1)`, of each schedule its own.
    """

    seconds: float = 0.1
    past: float = 0.0

    def __post_init__(self) -> None:
        if not self.seconds >= 0.001:  # noqa: PLR2004 - a float tells Unix times apart by less, and sleeps do not
            raise ValueError(f"every {self.seconds} s is too often: 0.001 is the least")

    def instants(self, anchor: datetime, after: datetime) -> Iterator[datetime]:  # noqa: ARG002 - a rate's is one
        """Those that are later than *after*, ascending, without an end."""
        number = int((after.timestamp() - self.past) // self.seconds)
        while True:
            instant = datetime.fromtimestamp(number * self.seconds + self.past, UTC)
            if instant > after:
                yield instant
            number += 1

    @classmethod
    def read(cls, text: str, dialect: str = "") -> Self:  # noqa: ARG003 - others have two
        """What `every(SECONDS)` or `every(SECONDS, PAST)` means.

        Raises:
            ConfigError: it is neither.
        """
        found = re.fullmatch(r"every\(([0-9.]+)(?:, *([0-9.]+))?\)", text, re.ASCII)
        try:
            if found is not None:
                return cls(float(found[1]), float(found[2] or 0))
            why = f"{text!r} is not as every(0.1) or every(30, 0.1)"
        except ValueError as error:
            why = str(error)
        raise ConfigError([Fault("", why)])
