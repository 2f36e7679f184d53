"""All commands in one parser, and the way from their errors to an exit status."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Final

from headrace.cli import common
from headrace.cli.common import complain
from headrace.errors import ConfigError, Fault
from headrace.observe import configure_logging
from headrace.plugins import Command
from headrace.service.signals import Signals

MODULES: Final = {
    "run": "run",
    "check": "check",
    "explain": "explain",
    "schema": "schema",
    "connectors": "connectors",
    "invoke": "invoke",
    "test-event-pattern": "test_event_pattern",
    "status": "status",
    "seek": "seek",
    "replay": "replay",
    "pause": "pause",
    "resume": "pause",
}
"""The module of each word. One is imported when it is asked for; help needs all."""

EPILOG: Final = """\
FILE is a YAML file, or a folder of them: service, functions and mappings.
exit status: 0 as asked; 1 not (run: not drained clean; invoke: the call failed; test-event-pattern: no
match; status: nothing answers);
2 what was written cannot be run, one line for each fault.
"""


def parser(word: str = "") -> argparse.ArgumentParser:
    """For a command line that begins with *word*: of that alone, where it is known; catalogs are asked for the rest."""
    whole = argparse.ArgumentParser(
        prog="headrace",
        description="AWS Lambda's event source mappings, run anywhere: polls sources, calls your handlers.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"headrace {version('headrace')}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND")
    brought = [] if word in MODULES else _brought(forgiving=word.startswith("-") or not word)
    asked = [command for command in brought if command.name == word]
    if not asked:
        for module in [MODULES[word]] if word in MODULES else dict.fromkeys(MODULES.values()):
            import_module(f"headrace.cli.{module}").add(commands)
    for command in asked or brought:
        own = commands.add_parser(command.name, help=command.summary)
        own.set_defaults(carry_out=command.carry_out)
        command.arguments(own)
    return whole


def _brought(*, forgiving: bool) -> Sequence[Command]:
    """What the installed catalogs bring; none of them if one is broken, where that is to be *forgiving*: help is help.

    Raises:
        ConfigError: a catalog is broken, or brings a word that is the command line's own.
    """
    try:
        brought = common.catalog().commands
    except ConfigError:
        if forgiving:
            return ()
        raise
    if twice := sorted({command.name for command in brought} & MODULES.keys()):
        raise ConfigError([Fault("", f"an installed catalog brings a command that headrace has: {', '.join(twice)}")])
    return brought


def carry_out(argv: Sequence[str], signals: Signals | None) -> int:
    """The exit status of one command line. *signals* are those of this process, when it is ours."""
    try:
        whole = parser(*argv[:1])
        arguments = whole.parse_args(argv)
    except SystemExit as end:  # argparse has said what is wrong, or shown help
        return int(end.code or 0)
    except ConfigError as error:
        complain(error.faults)
        return 2
    if not hasattr(arguments, "carry_out"):
        whole.print_help()
        return 2
    arguments.signals = signals
    configure_logging(level="warning")  # to standard error; `run` has its own settings
    try:
        return int(arguments.carry_out(arguments))
    except ConfigError as error:
        complain(error.warnings, "warning: ")
        complain(error.faults)
        return 2
