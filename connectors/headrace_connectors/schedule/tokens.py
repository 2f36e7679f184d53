"""The `input` of a Scheduler's schedule: JSON text with tokens, which each attempt replaces by its own values."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

from headrace.errors import ConfigError, Fault
from headrace_connectors.schedule.instants import utc

TOKEN: Final = re.compile(r"<aws\.scheduler\.([^<>]*)>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt at an occurrence: `number` is from 1; `occurrence` is the occurrence's id."""

    arn: str
    at: datetime
    occurrence: UUID | str
    number: int

    @property
    def execution_id(self) -> str:
        """16 characters, as AWS's; another for each attempt, and the same for the same."""
        return blake2b(f"{self.occurrence} {self.number}".encode(), digest_size=8).hexdigest()

    @property
    def values(self) -> dict[str, str]:
        return {
            "schedule-arn": self.arn,
            "scheduled-time": utc(self.at),
            "execution-id": self.execution_id,
            "attempt-number": str(self.number),
        }


ANY: Final = Attempt(arn="arn", at=datetime(2026, 1, 1, tzinfo=UTC), occurrence=UUID(int=0), number=1)
"""An attempt by which a text is tried out."""


def filled(text: str, attempt: Attempt) -> Any:
    """The event that *text* gives at *attempt*: tokens are replaced wherever they stand, then it is read as JSON.

    What looks like a token and is none stays as it is.

    Raises:
        ValueError: it is no JSON then.
    """
    values = attempt.values
    return json.loads(TOKEN.sub(lambda found: values.get(found[1], found[0]), text), parse_constant=_refuse)


def checked(text: str, path: str) -> list[Fault]:
    """The warnings about *text*, which stands at *path*: tokens that there are none of.

    Raises:
        ConfigError: no attempt could make JSON of it.
    """
    try:
        filled(text, ANY)
    except (ValueError, RecursionError) as error:
        message = f"it must be JSON once its tokens are replaced: {error}"
        raise ConfigError([Fault(path, message)]) from None
    strange = [token for token in TOKEN.findall(text) if token not in ANY.values]
    return [Fault(path, _strange(token)) for token in dict.fromkeys(strange)]


def _strange(token: str) -> str:
    close = get_close_matches(token, ANY.values, 1)
    mend = f"did you mean {close[0]}?" if close else f"tokens are {', '.join(ANY.values)}"
    return f"there is no token {token!r}, and it stays as it is; {mend}"


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
