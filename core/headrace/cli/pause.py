"""`headrace pause` and `headrace resume`: through the ledger, so that every copy of a fleet obeys."""

from __future__ import annotations

import argparse
import asyncio
from functools import partial
from typing import Final

from headrace.cli import common
from headrace.cli.ledgers import carried_out, log_of, opened
from headrace.clock import SYSTEM
from headrace.config import Config
from headrace.ledger import Ledger

SETTLING: Final = 10.0
"""Seconds for which `pause` waits until every copy has let go: it tells what became of it, and changes nothing."""

DESCRIPTION = {
    "pause": "Has every copy finish what is at its handlers, commit, let go of the mapping's shards and take none, and "
    "waits for that, but no longer than 10 s. It outlives restarts; headrace resume ends it. Exit status 0, or 1 with "
    "the reason why not.",
    "resume": "Ends a pause: the mapping's shards are read on from where they were committed. Exit status 0, or 1 with "
    "the reason why not.",
}


def add(commands: common.Commands) -> None:
    for word, help_ in (("pause", "stop reading a mapping, everywhere"), ("resume", "read a paused mapping on")):
        parser = commands.add_parser(word, help=help_, description=DESCRIPTION[word])
        common.config_file(parser)
        parser.add_argument("mapping", metavar="MAPPING")
        parser.set_defaults(carry_out=partial(carry_out, word))


def carry_out(word: str, arguments: argparse.Namespace) -> int:
    config = common.read([arguments.files])
    log_of(config, arguments.mapping, word)
    return carried_out(lambda: _set(config, arguments.mapping, paused=word == "pause"))


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
    """Wait until nobody holds a shard; those that are held still."""
    give_up = SYSTEM.boot() + SETTLING
    while held := [row.shard for row in (await ledger.rows(name)).rows if row.held]:
        if SYSTEM.boot() >= give_up:
            break
        await asyncio.sleep(0.2)
    return held
