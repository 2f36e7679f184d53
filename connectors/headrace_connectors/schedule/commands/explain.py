"""`headrace schedule explain`: what an expression means, and when it fires next."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial
from itertools import islice
from typing import Any, Final

from headrace.errors import ConfigError, Fault
from headrace_connectors.schedule.commands import common
from headrace_connectors.schedule.dialect import Dialect
from headrace_connectors.schedule.expression import parse
from headrace_connectors.schedule.instants import utc
from headrace_connectors.schedule.piece import together
from headrace_connectors.schedule.rate import Rate
from headrace_connectors.schedule.timetable import BEGINNING, INSTANT, Timetable
from headrace_connectors.schedule.zones import zone

DESCRIPTION: Final = """\
Says what EXPRESSION means, and when it fires next: cron(…), rate(…) or at(…), as EventBridge knows them. Asks nobody.

The dialect scheduler is EventBridge Scheduler's: a time zone, at(…), a year that may be left out. The dialect rule is
that of EventBridge's rules: UTC, six fields, rate(1 minute) but rate(2 minutes). Occurrences are those later than
--from; of a rate, those of a schedule that is made at that time. Times are Unix seconds, or ISO 8601, which is UTC
where it names no zone.

exit status: 0, also when it never fires; 2 with every fault, each with its column.
"""


def add(words: common.Words) -> None:
    parser = words.add_parser(
        "explain",
        help="what an expression means, and when it fires next",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("expression", metavar="EXPRESSION", help="in quotes: 'cron(0 12 * * ? *)'")
    parser.add_argument("--timezone", metavar="ZONE", default="UTC", help="an IANA name; default: UTC")
    parser.add_argument("--dialect", choices=("rule", "scheduler"), default="scheduler", help="default: scheduler")
    parser.add_argument("--from", metavar="TIME", dest="since", help="default: now")
    parser.add_argument("--count", metavar="N", default="5", help="how many occurrences; default: 5")
    parser.add_argument("--start-date", metavar="TIME", help="of the schedule: it does not fire before")
    parser.add_argument("--end-date", metavar="TIME", help="of the schedule: it does not fire after")
    parser.add_argument("--json", action="store_true", help='for programs: {"next": [times in UTC]}')
    parser.set_defaults(act=act)


@dataclass(frozen=True, slots=True)
class _Asked:
    timetable: Timetable
    after: datetime
    count: int


def act(arguments: argparse.Namespace) -> int:
    asked = _asked(arguments)
    if arguments.json:
        found = islice(asked.timetable.occurrences(asked.after), asked.count)
        print(json.dumps({"next": [utc(at) for at in found]}))
    else:
        common.show(asked.timetable, asked.after, asked.count)
    return 0


def _asked(arguments: argparse.Namespace) -> _Asked:
    """What the arguments mean.

    Raises:
        ConfigError: with all that is wrong with any of them.
    """
    read: list[Any] = together(
        [
            partial(parse, arguments.expression, arguments.dialect),
            partial(_zone, arguments.timezone, arguments.dialect),
            partial(common.since, arguments.since),
            partial(_date, "--start-date", arguments.start_date, arguments.dialect),
            partial(_date, "--end-date", arguments.end_date, arguments.dialect),
            partial(common.count, arguments.count),
        ]
    )
    expression, where, since, start, end, count = read
    anchor = since.replace(microsecond=0)
    timetable = Timetable(expression=expression, anchor=anchor, zone=where, start=start, end=end)
    made_then = isinstance(expression, Rate)  # and may fire at once
    return _Asked(timetable, max(anchor, BEGINNING) - INSTANT if made_then else since, count)


def _zone(name: str, dialect: Dialect) -> tzinfo:
    found = zone(name, "--timezone")
    if dialect == "rule" and found.key not in {"UTC", "Etc/UTC"}:
        raise ConfigError([Fault("--timezone", "a rule's times are in UTC; leave it out, or take --dialect scheduler")])
    return found


def _date(option: str, text: str | None, dialect: Dialect) -> datetime | None:
    if text is not None and dialect == "rule":
        raise ConfigError([Fault(option, "a rule has no dates; leave it out, or take --dialect scheduler")])
    return None if text is None else common.time(option, text)
