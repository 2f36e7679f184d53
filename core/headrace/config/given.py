"""What a program gives as arguments, as it would be written in a config file: plain values, with times as texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from headrace.config.places import Where, dotted
from headrace.errors import Fault


def plain(value: Any, where: Where = ()) -> tuple[Any, list[Fault]]:
    """*value* as a file has it, and what in it no file could have; *where* it stands among the arguments."""
    faults: list[Fault] = []

    def read(value: Any, where: Where) -> Any:
        match value:
            case None | bool() | int() | float() | str():
                return value
            case datetime() | date():
                faults.extend(_of_no_zone(value, where))
                return value.isoformat()
            case list() | tuple():
                return [read(one, (*where, at)) for at, one in enumerate(value)]
            case Mapping() if all(isinstance(key, str) for key in value):
                return {key: read(one, (*where, key)) for key, one in value.items()}
        faults.append(Fault(dotted(where), _strange(value)))
        return None

    return read(value, where), faults


def _of_no_zone(moment: datetime | date, where: Where) -> Iterator[Fault]:
    if isinstance(moment, datetime) and moment.tzinfo is None:
        yield Fault(dotted(where), "has no time zone, so it names no time; write datetime(…, tzinfo=UTC), or its zone")


def _strange(value: Any) -> str:
    if isinstance(value, Mapping):
        return "has keys that are no texts; write them in quotes"
    mend = f"; write {value.total_seconds():g}, its seconds" if isinstance(value, timedelta) else ""
    wanted = "must be as in a config file: a text, a number, true or false, a list or a mapping; or a time"
    return f"{wanted}; got a {type(value).__name__}{mend}"
