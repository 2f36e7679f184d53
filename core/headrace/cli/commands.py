"""All commands in one parser, and the way from their errors to an exit status."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from importlib.metadata import version
from typing import Final

from headrace.cli import check, connectors, explain, invoke, pause, run, schema, seek, status, test_event_pattern
from headrace.cli.common import complain
from headrace.errors import ConfigError, Fault
from headrace.observe import configure_logging
from headrace.plugins import Command, discover
from headrace.service.signals import Signals

MODULES: Final = (run, check, explain, schema, connectors, invoke, test_event_pattern, status, seek, pause)

EPILOG: Final = """\
FILE is a YAML file, or a folder of them: service, functions and mappings.
exit status: 0 as asked; 1 not (run: not drained clean; invoke: the call failed; test-event-pattern: no
match; status: nothing answers);
2 what was written cannot be run, one line for each fault.
"""


def parser(word: str = "") -> argparse.ArgumentParser:
    """For a command line that begins with *word*: catalogs are asked for theirs when it is none of ours."""
    whole = argparse.ArgumentParser(
        prog="headrace",
        description="AWS Lambda's event source mappings, run anywhere: polls sources, calls your handlers.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"headrace {version('headrace')}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND")
    for module in MODULES:
        module.add(commands)
    for command in [] if word in commands.choices else _brought(commands.choices):
        own = commands.add_parser(command.name, help=command.summary)
        own.set_defaults(carry_out=command.carry_out)
        command.arguments(own)
    return whole


def _brought(taken: Collection[str]) -> list[Command]:
    """What the installed catalogs bring. One that is broken brings none: the commands that need it say what is wrong.

    Raises:
        ConfigError: a catalog brings a word that is the command line's own.
    """
    try:
        brought = list(discover().commands)
    except Exception:  # noqa: BLE001 - help and schema work without
        return []
    if twice := sorted({command.name for command in brought} & set(taken)):
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
