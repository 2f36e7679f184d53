"""`headrace check`: every fault and warning of a config, without running it."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Final

from headrace.cli import common
from headrace.cli.probing import ask, placed
from headrace.config import Config
from headrace.errors import Fault
from headrace.functions import close

PATIENCE: Final = 15.0
"""Seconds that a server may take."""

DESCRIPTION: Final = """\
Says all that is wrong with the config, one line each as FILE:LINE: what and its mend; loads every handler, too.
Dangerous but legal choices are warnings. Exit status 0, or 2 when anything is wrong.
"""


def add(commands: common.Commands) -> None:
    parser = commands.add_parser(
        "check",
        help="every fault and warning of a config",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", metavar="FILE", type=Path, nargs="+", help="config files, or folders of them")
    parser.add_argument(
        "--connect", action="store_true", help="also ask the servers: does the queue exist, are the rights there, …"
    )
    parser.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    config = common.read(arguments.files)
    functions = common.functions(config, config.functions)
    for name, function in functions.items():
        if function.apart:
            print(f"functions.{name} runs in a process of its own: {function.apart}")
    asyncio.run(close(functions))
    faults, warnings = _connect(config) if arguments.connect else ([], [])
    common.complain(warnings, "warning: ")
    common.complain(faults)
    if faults:
        return 2
    warned = len(config.warnings) + len(warnings)
    counts = [
        _count(len(config.mappings), "mapping"),
        _count(len(config.functions), "function"),
        *([_count(len(config.queues), "queue")] if config.queues else []),
        _count(warned, "warning"),
    ]
    print(f"ok: {', '.join(counts)}")
    return 0


def _connect(config: Config) -> tuple[list[Fault], list[Fault]]:
    faults, warnings = [], []
    enabled = [name for name, one in config.all.items() if one.settings.enabled]
    for name, asked in ask(config, enabled, PATIENCE).items():
        if asked.problem:
            faults.append(placed(config, name, Fault("source", asked.problem)))
        faults += [placed(config, name, fault) for fault in asked.probe.faults]
        warnings += [placed(config, name, fault) for fault in asked.probe.warnings]
    return faults, warnings


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
