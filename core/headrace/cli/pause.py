"""`headrace pause` and `headrace resume`: through the ledger, so that every copy of a fleet obeys.

A source without positions in the ledger, a queue, is paused in the process that runs it, over HTTP.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from functools import partial
from typing import Final

from headrace.cli import common
from headrace.cli.asking import Declined, NoAnswer, ask, tell
from headrace.cli.ledgers import carried_out, opened
from headrace.clock import SYSTEM
from headrace.config import Config
from headrace.ledger import Ledger

SETTLING: Final = 10.0
"""Seconds for which `pause` waits until every copy has let go: it tells what became of it, and changes nothing."""

LASTING: Final = "until headrace resume, or until it is started again"

DESCRIPTION = {
    "pause": "Of a stream: has every copy finish what is at its handlers, commit, let go of the mapping's shards and "
    "take none; that is written in the ledger and outlives restarts. Of a queue: has the copy that answers at "
    "service.listen receive nothing more, and finish what is at its handlers; other copies go on, and so does this one "
    "once it is started again. Waits for that, but no longer than 10 s. headrace resume ends it. Exit status 0, or 1 "
    "with the reason why not; 2 when a queue's service does not answer.",
    "resume": "Ends a pause: a stream's shards are read on from where they were committed, a queue is received from "
    "again. Exit status 0, or 1 with the reason why not; 2 when a queue's service does not answer.",
}


def add(commands: common.Commands) -> None:
    for word, help_ in (("pause", "stop reading a mapping, everywhere"), ("resume", "read a paused mapping on")):
        parser = commands.add_parser(word, help=help_, description=DESCRIPTION[word])
        common.config_file(parser)
        parser.add_argument("mapping", metavar="MAPPING")
        parser.set_defaults(carry_out=partial(carry_out, word))


def carry_out(word: str, arguments: argparse.Namespace) -> int:
    config = common.read([arguments.files], warn=False)
    name = common.one_of("mapping", arguments.mapping, config.all)
    if not config.all[name].connector.has_ledger:
        return _tell(config, name, word)
    return carried_out(lambda: _set(config, name, paused=word == "pause"))


def _tell(config: Config, name: str, word: str) -> int:
    """Have the service do it that runs with *config*."""
    try:
        already = "" if tell(config, name, word) else " already"
        left = _finished(config, name) if word == "pause" else 0
    except NoAnswer as why:
        how = f"a pause of {name} is known only to the process that runs it: start it, and give service.listen"
        print(f"headrace: {why}; {how}", file=sys.stderr)
        return 2
    except Declined as why:
        print(f"headrace: {why}", file=sys.stderr)
        return 1
    if word == "resume":
        print(f"{name} was not paused" if already else f"{name} is resumed")
    elif left is None:
        print(f"{name} is paused{already}: the copy at {config.service.listen} receives nothing, {LASTING}")
    else:
        print(f"{name} is to be paused{already}: {left} records at work still; headrace status shows when it is")
    return 0


def _finished(config: Config, name: str) -> int | None:
    """Wait until nothing is at work and nothing is received; None, or how many records still are at work."""
    give_up = SYSTEM.boot() + SETTLING
    while True:
        (view,) = [view for view in ask(config)["mappings"] if view["mapping"] == name]
        if not view["in_flight"] and all(lane["state"] == "closed" for lane in view["lanes"]):
            return None
        if SYSTEM.boot() >= give_up:
            return int(view["in_flight"])
        time.sleep(0.2)


async def _set(config: Config, name: str, *, paused: bool) -> int:
    async with opened(config) as ledger:
        was = (await ledger.rows(name)).paused
        await ledger.pause(name, paused=paused)
        held = await _let_go(ledger, name) if paused else []
    already = " already" if was is paused else ""
    if held:
        print(f"{name} is to be paused{already}: at work still on {', '.join(held)}; headrace status shows when it is")
    elif paused:
        print(f"{name} is paused{already}: nobody reads it")
    else:
        print(f"{name} was not paused" if already else f"{name} is resumed")
    return 0


async def _let_go(ledger: Ledger, name: str) -> list[str]:
    """Wait until nobody holds a shard, and nothing of its queue is run; what still is."""
    give_up = SYSTEM.boot() + SETTLING
    while held := await _at_work(ledger, name):
        if SYSTEM.boot() >= give_up:
            break
        await asyncio.sleep(0.2)
    return held


async def _at_work(ledger: Ledger, name: str) -> list[str]:
    shards = [row.shard for row in (await ledger.rows(name)).rows if row.held]
    taken = (await ledger.waiting(name)).taken
    return [*shards, *([f"{taken} invocations"] if taken else [])]
