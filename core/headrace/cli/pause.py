"""`headrace pause` and `headrace resume`: through the ledger, so that every copy of a fleet obeys."""

from __future__ import annotations

import argparse
from functools import partial

from headrace.cli import common
from headrace.cli.ledgers import carried_out, log_of, opened
from headrace.config import Config

DESCRIPTION = {
    "pause": "Has every copy finish what is at its handlers, commit, let go of the mapping's shards and take none. It "
    "outlives restarts; headrace resume ends it. Exit status 0, or 1 with the reason why not.",
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
    log_of(config, arguments.mapping)
    return carried_out(lambda: _set(config, arguments.mapping, paused=word == "pause"))


async def _set(config: Config, name: str, *, paused: bool) -> int:
    async with opened(config) as ledger:
        was = (await ledger.rows(name)).paused
        await ledger.pause(name, paused=paused)
    word = "paused" if paused else "resumed"
    print(f"{name} is {word}" if was is not paused else f"{name} was {'paused' if paused else 'not paused'} already")
    return 0
