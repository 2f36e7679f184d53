"""`headrace schedule list`: the next occurrences of every schedule of a config."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, Final

from headrace.cli.common import config_file, console, read
from headrace.cli.ledgers import PATIENCE, opened
from headrace.config import Config
from headrace.errors import HeadraceError
from headrace.sqlite import path_of
from headrace_connectors.schedule import remembered
from headrace_connectors.schedule.commands import common
from headrace_connectors.schedule.definition import Definition, definitions
from headrace_connectors.schedule.instants import utc
from headrace_connectors.schedule.options import ScheduleOptions
from headrace_connectors.schedule.piece import together
from headrace_connectors.schedule.rate import Rate
from headrace_connectors.schedule.timetable import INSTANT

DESCRIPTION: Final = """\
Shows when each schedule of the config fires next, in its own time zone and in UTC, with a note where clocks are
changed. A rate counts from when it was first run, which service.state knows; one that never ran is shown as if it began
at --from.

exit status: 0; 2 with every fault.
"""


def add(words: common.Words) -> None:
    parser = words.add_parser(
        "list",
        help="the next occurrences of every schedule of a config",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    config_file(parser)
    parser.add_argument("--from", metavar="TIME", dest="since", help="default: now")
    parser.add_argument("--count", metavar="N", default="3", help="how many occurrences of each; default: 3")
    parser.add_argument("--json", action="store_true", help="for programs: by schedule, times in UTC")
    parser.set_defaults(act=act)


def act(arguments: argparse.Namespace) -> int:
    asked: list[Any] = together([partial(common.since, arguments.since), partial(common.count, arguments.count)])
    since, count = asked
    config = read([arguments.files], warn=False)
    known = {name: list(_definitions(config, name)) for name in _mappings(config)}
    anchors = _anchors(config, known) if any(_counts(one) for some in known.values() for one in some) else {}
    every = [one for some in known.values() for one in some]
    if arguments.json:
        print(json.dumps({one.name: _plain(one, anchors, since, count) for one in every}, indent=2))
        return 0
    for one in every:
        _show(one, anchors, since, count)
    if not every:
        print("there is no schedule in it", file=sys.stderr)
    return 0


def _mappings(config: Config) -> list[str]:
    return [name for name, one in config.mappings.items() if isinstance(one.options, ScheduleOptions)]


def _definitions(config: Config, mapping: str) -> Iterator[Definition]:
    opening = config.opening(mapping)
    yield from definitions(opening.options.each(mapping), opening).values()


def _counts(one: Definition) -> bool:
    return isinstance(one.expression, Rate)


def _anchors(config: Config, known: Mapping[str, list[Definition]]) -> Mapping[str, datetime]:
    """Since when each schedule counts that was ever run; of a store that cannot be asked that is said, and nothing."""
    if config.state.startswith("sqlite:") and not path_of(config.state).exists():  # looking makes no file
        return {}

    async def ask() -> dict[str, datetime]:
        async with asyncio.timeout(PATIENCE), opened(config) as ledger:
            found: dict[str, datetime] = {}
            for mapping, some in known.items():
                texts = [row.position for row in (await ledger.rows(mapping)).rows]
                kept = {name: one for text in texts for name, one in remembered.read(text).items()}
                digests = {one.name: one.digest for one in some}
                found |= {name: one.anchor for name, one in kept.items() if one.digest == digests.get(name)}
            return found

    try:
        return asyncio.run(ask())
    except (HeadraceError, TimeoutError) as error:
        print(f"headrace: since when a rate counts cannot be told: {error}", file=sys.stderr)
        return {}


def _from(one: Definition, anchors: Mapping[str, datetime], since: datetime) -> tuple[Any, datetime]:
    """The timetable, and the instant behind which occurrences are shown: a rate that never ran begins at it."""
    anchor = anchors.get(one.name, since)
    return one.timetable(anchor), since - INSTANT if _counts(one) and one.name not in anchors else since


def _plain(one: Definition, anchors: Mapping[str, datetime], since: datetime, count: int) -> dict[str, Any]:
    timetable, after = _from(one, anchors, since)
    return {
        "expression": one.settings.schedule_expression,
        "timezone": one.settings.schedule_expression_timezone or "UTC",
        "next": [utc(at) for at in islice(timetable.occurrences(after), count)],
    }


def _show(one: Definition, anchors: Mapping[str, datetime], since: datetime, count: int) -> None:
    timetable, after = _from(one, anchors, since)
    console().print(f"{one.name}: {one.settings.schedule_expression}", style="bold", soft_wrap=True)
    common.show(timetable, after, count)
    print()
