"""`headrace status`: a table of every mapping: its counters from the copy that answers, its shards from the ledger."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from headrace.cli import common
from headrace.cli.asking import NoAnswer, ask
from headrace.cli.ledgers import carried_out, opened
from headrace.clock import SYSTEM
from headrace.config import Config
from headrace.ledger import Ledger
from headrace.memory import MemoryLedger
from headrace.service.live import seconds
from headrace.service.shardview import ShardView, shard_views
from headrace.sqlite import path_of

COLUMNS: Final = ("mapping", "lanes", "state", "reason", "lag", "lag time", "in flight", "failed", "dropped")
SHARD_COLUMNS: Final = ("shard", "state", "for", "reason", "owner", "behind", "held", "position")

LONG_NUMBER: Final = re.compile(r"[0-9]{21,}")

DESCRIPTION: Final = """\
Shows each mapping of the service that runs with this config: counters from the copy that answers at service.listen,
and the shards of streams, whoever reads them, from the ledger: owner, position, lag, state with its reason and for how
long, as of the owner's last renewal; of schedules the last and next occurrence, how that ended, and what was missed; of
a function's queue (function:NAME) the asynchronous invocations that wait. On a terminal long numbers are shortened;
--json has them whole. Exit status 1 when there is neither.
"""


def add(commands: common.Commands) -> None:
    parser = commands.add_parser(
        "status",
        help="a table from the running service",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common.config_file(parser)
    parser.add_argument("--json", action="store_true", help="for programs: what /v1/mappings answers, and the shards")
    parser.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    config = common.read([arguments.files], warn=False)
    shards: dict[str, list[ShardView]] = {}
    paused: set[str] = set()
    remembered: dict[str, Sequence[Mapping[str, Any]]] = {}
    asked = (_sharded(config) or _remembering(config)) and config.state != "memory:"
    failed = carried_out(lambda: _read(config, shards, paused, remembered)) if asked else 0
    views: list[dict[str, Any]] = []
    try:
        views = ask(config)["mappings"]
    except NoAnswer as why:
        print(f"headrace: {why}", file=sys.stderr)
        if not shards and not remembered:
            return 1
    if arguments.json:
        plain = {name: [asdict(view) for view in found] for name, found in shards.items()}
        said = {"service": config.service.name, "mappings": views, "shards": plain, "remembered": remembered}
        print(json.dumps(said, indent=2))
    else:
        _show(views, shards, paused)
        for name, found in remembered.items():
            _show_remembered(name, found)
    return failed


def _sharded(config: Config) -> list[str]:
    return [name for name, one in config.all.items() if one.connector.shards is not None]


def _remembering(config: Config) -> list[str]:
    return [name for name, one in config.all.items() if one.connector.remembers is not None]


async def _read(
    config: Config,
    shards: dict[str, list[ShardView]],
    paused: set[str],
    remembered: dict[str, Sequence[Mapping[str, Any]]],
) -> int:
    async with _looked_at(config) as ledger:
        for name in _sharded(config):
            found = await ledger.rows(name)
            shards[name] = shard_views(found, SYSTEM.wall())
            paused |= {name} if found.paused else set()
        for name in _remembering(config):
            tell = config.all[name].connector.remembers
            assert tell is not None  # noqa: S101 - _remembering has seen to it
            remembered[name] = await tell(config.opening(name), ledger)
    return 0


@asynccontextmanager
async def _looked_at(config: Config) -> AsyncIterator[Ledger]:
    """The ledger of a config; an empty one in place of a file that is not there, as looking makes none."""
    file = path_of(config.state) if config.state.startswith("sqlite:") else None
    if file is not None and file.parent.is_dir() and not file.exists():
        print(f"headrace: {file} is not there: nothing was run with it yet, or it was removed", file=sys.stderr)
        yield MemoryLedger()
        return
    async with opened(config) as ledger:
        yield ledger


def _show(views: list[dict[str, Any]], shards: Mapping[str, list[ShardView]], paused: set[str]) -> None:
    if views:
        rows = [row for view in views for row in _rows(view, lanes=view["mapping"] not in shards)]
        common.console().print(_table(COLUMNS, {"mapping", "state", "reason"}, rows))
    for name, found in shards.items():
        console = common.console()
        note = "; paused: headrace resume has it read" if name in paused else ""
        console.print(f"\n{name}: {_summary(found)}{note}", soft_wrap=True)
        if found:
            fit = shortened if console.is_terminal else str
            rows = [tuple(map(fit, _shard(view))) for view in found]
            console.print(_table(SHARD_COLUMNS, {"shard", "state", "reason", "owner", "position"}, rows))


def _show_remembered(name: str, found: Sequence[Mapping[str, Any]]) -> None:
    console = common.console()
    console.print(f"\n{name}:", soft_wrap=True)
    if found:
        columns = tuple(found[0])
        console.print(_table(columns, set(columns), ([_cell(one) for one in row.values()] for row in found)))


def _cell(value: object) -> str:
    return "-" if value is None else str(value)


def _summary(found: list[ShardView]) -> str:
    """A mapping's shards in one line: how many in which state, who reads them, how far behind the furthest is."""
    if not found:
        return "no positions: never begun, or its store was emptied"
    states = ", ".join(f"{count} {state}" for state, count in Counter(view.state for view in found).items())
    owners = len({view.owner for view in found if view.owner})
    who = f"{owners or 'no'} owner{'s' * (owners != 1)}"
    lags = [view.lag_seconds for view in found if view.lag_seconds is not None]
    behind = f"; up to {seconds(max(lags))} behind" if lags else ""
    return f"{len(found)} shard{'s' * (len(found) != 1)} ({states}), {who}{behind}"


def _table(columns: tuple[str, ...], texts: set[str], rows: Any) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, justify="left" if name in texts else "right", overflow="fold", no_wrap=name == "shard")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _shard(view: ShardView) -> tuple[str, ...]:
    return (
        view.shard,
        view.state,
        seconds(max(SYSTEM.wall() - view.since, 0.0)) if view.since else "",
        view.reason,
        view.owner or "",
        "?" if view.lag_seconds is None else seconds(view.lag_seconds),
        f"{view.held:,}",
        view.position,
    )


def shortened(text: str) -> str:
    """A sequence number of 56 digits, told by its ends: else its folds are all that a terminal shows."""
    return LONG_NUMBER.sub(lambda found: f"{found[0][:6]}…{found[0][-8:]}", text)


def _rows(view: Mapping[str, Any], *, lanes: bool) -> Iterator[tuple[str, ...]]:
    """The mapping; below it each lane, where there are several and no other table has them."""
    shown, counts = view["lanes"], view["counts"]
    lags = [lane["lag_seconds"] for lane in shown if lane["lag_seconds"] is not None]
    yield (
        view["mapping"],
        str(len(shown)),
        view["state"],
        view["reason"],
        "?" if view["lag_records"] is None else f"{view['lag_records']:,}",
        seconds(max(lags)) if lags else "?",
        f"{view['in_flight']:,}",
        f"{counts['failed']:,}",
        f"{counts['dropped']:,}",
    )
    for lane in shown if lanes and len(shown) > 1 else ():
        lag = "?" if lane["lag_seconds"] is None else seconds(lane["lag_seconds"])
        counts = lane["counts"]
        yield (
            f"  {lane['lane']}",
            "",
            lane["state"],
            lane["reason"],
            "",
            lag,
            f"{lane['in_flight']:,}",
            f"{counts['failed']:,}",
            f"{counts['dropped']:,}",
        )
