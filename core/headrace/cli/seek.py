"""`headrace seek`: have a stream read from somewhere else, by a running fleet or by the next start."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from collections.abc import Sequence as Several
from contextlib import AsyncExitStack
from typing import Final, TypeAlias

from headrace.cli import common
from headrace.cli.beginning import begin
from headrace.cli.ledgers import Refused, carried_out, log_of, opened
from headrace.cli.targets import read_target
from headrace.clock import SYSTEM
from headrace.config import Config
from headrace.errors import ConfigError, Fault, SourceUnavailable
from headrace.graph import seekable
from headrace.ledger import Graph
from headrace.model import Position
from headrace.observe import log
from headrace.plugins import Opening
from headrace.seeking import At, Edge, Moved, Sequence, Target
from headrace.shards import Shards
from headrace.witness import witness_of

Seek: TypeAlias = Callable[[Opening, Target, str | None], Awaitable[Several[Moved]]]

LISTING: Final = 5.0
"""Seconds that the source has to say which shards it still has."""

EARLIEST: Final = 100_000_000.0
"""Unix time, of 1973: no record is older, but a number below it is easily meant as something else, as 20260131."""

DESCRIPTION: Final = """\
Moves every shard of MAPPING, those that were read to their end and are listed still, too, or the one that --shard
names. Whoever reads them is fenced at once, and reads from there within seconds; what is at a handler then may be
handled again. Memo and crash counts are cleared. A mapping that was never begun, or whose store was emptied, begins
there.

TO is TRIM_HORIZON (the oldest that is kept), LATEST (now, by the source's own clock), a time (Unix seconds, or ISO
8601, which is UTC where it names no zone), or a sequence number, which needs --shard: that record is the first to come.
Of a Kafka source a shard is a partition, as orders-0, and a number beside it an offset; who owns the partition carries
it out within seconds.

exit status: 0 moved; 1 not, with the reason; 2 what was written cannot be done.
"""


def add(commands: common.Commands) -> None:
    parser = commands.add_parser(
        "seek",
        help="have a stream read from somewhere else",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common.config_file(parser)
    parser.add_argument("mapping", metavar="MAPPING")
    parser.add_argument("--to", metavar="TO", required=True, help="TRIM_HORIZON | LATEST | TIME | SEQUENCE")
    parser.add_argument("--shard", metavar="ID", help="only this shard")
    parser.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    config = common.read([arguments.files], warn=False)
    name = common.one_of("mapping", arguments.mapping, config.all)
    connector = config.all[name].connector
    if connector.seek is None:
        log_of(config, name)
    target = _target(arguments.to, arguments.shard, offsets=connector.seek is not None)
    if (seek := connector.seek) is not None:
        return carried_out(lambda: _ask(seek, config.opening(name), name, target, arguments.shard))
    return carried_out(lambda: _seek(config, name, target, arguments.shard))


async def _ask(seek: Seek, opening: Opening, name: str, target: Target, shard: str | None) -> int:
    """Have a source move that keeps its positions itself."""
    moved = await seek(opening, target, shard)
    for one in moved:
        late = "" if one.done else ", once its owner has seen it: headrace status shows whether one runs"
        print(f"{name}: {one.lane}: from {one.was} to {one.to}{late}")
    return 0 if all(one.done for one in moved) else 1


async def _seek(config: Config, name: str, target: Target, shard: str | None) -> int:
    mapping = log_of(config, name)
    assert mapping.connector.shards is not None  # noqa: S101 - log_of has seen to it
    async with AsyncExitStack() as stack:
        shards = mapping.connector.shards(config.opening(name))
        stack.push_async_callback(shards.close)
        position = await _position(shards, target)
        ledger = await stack.enter_async_context(opened(config))
        found = await ledger.rows(name)
        if found.generation is None:
            if shard is not None:
                raise Refused(f"{name} has no positions: seek all of its shards first, without --shard")
            witness = witness_of(config.state, config.service.name, log(mapping=name))
            await begin(name, target, shards, ledger, witness)
        else:
            moved = _chosen(found, shard, None if shard or not found.rows else await _listed(shards))
            await ledger.seek(name, dict.fromkeys(moved, position))
            for one, was in moved.items():
                print(f"{name}: {one}: from {was} to {position}")
    if found.paused:
        print(f"{name} is paused: headrace resume has it read on")
    return 0


def _target(to: str, shard: str | None, *, offsets: bool) -> Target:
    """What *to* means; a time is one at which there may be records."""
    target = read_target(to, shard, offsets=offsets, option="--to")
    if isinstance(target, At):
        if target.time < EARLIEST:
            raise _fault("is before 1973; a date has dashes, as 2026-01-31; TRIM_HORIZON is the oldest that is kept")
        if target.time > SYSTEM.wall():
            raise _fault(
                "lies in the future; a time is in seconds, not milliseconds; LATEST reads what comes from now on"
            )
    return target


async def _position(shards: Shards, target: Target) -> Position:
    match target:
        case Edge.TRIM_HORIZON:
            return shards.beginning
        case Edge.LATEST:
            return shards.at((await shards.list()).now)
        case At(time):
            return shards.at(time)
        case Sequence(number):
            position = shards.sequence(number)
            if position is None:
                raise _fault(f"{number} is no sequence number of this source")
            return position


async def _listed(shards: Shards) -> Collection[str] | None:
    """The names of the shards that the source still has; None where it cannot be asked."""
    try:
        async with asyncio.timeout(LISTING):
            return {one.name for one in (await shards.list()).shards}
    except (SourceUnavailable, TimeoutError):
        return None


def _chosen(found: Graph, shard: str | None, listed: Collection[str] | None) -> Mapping[str, Position]:
    """Where the shards that are meant stand now."""
    rows = {row.shard: row.position for row in found.rows}
    if shard is None:
        return {row.shard: row.position for row in seekable(found, listed)}
    return {(one := common.one_of("shard", shard, rows)): rows[one]}


def _fault(message: str) -> ConfigError:
    return ConfigError([Fault("--to", message)])
