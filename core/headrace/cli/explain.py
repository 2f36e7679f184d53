"""`headrace explain`: the values that hold, and where each came from."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final

from rich.table import Table
from rich.text import Text

from headrace.cli import common
from headrace.cli.probing import ask, placed, root_of
from headrace.config import Config, explain
from headrace.errors import Fault

PATIENCE: Final = 5.0
"""Seconds that a server may take."""

DESCRIPTION: Final = """\
Shows the values that hold for the whole config or for one mapping, and where each came from: the file and its line, a
default, a default of the source, or the server (queue), which is asked briefly. Secrets are not shown.
"""


def add(commands: common.Commands) -> None:
    parser = commands.add_parser(
        "explain",
        help="the effective values and where each came from",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common.config_file(parser)
    which = "only this one and its function; function:NAME is a function's queue"
    parser.add_argument("mapping", metavar="MAPPING", nargs="?", help=which)
    parser.add_argument("--offline", action="store_true", help="do not ask any server")
    parser.add_argument("--json", action="store_true", help="for programs: a list of path, value, origin, place")
    parser.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    config = common.read([arguments.files])
    names = [common.one_of("mapping", arguments.mapping, config.all)] if arguments.mapping else config.all
    probed = {} if arguments.offline else _probed(config, list(names))
    rows = explain.rows(config, arguments.mapping, probed)
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        common.console().print(_table(rows))
    return 0


def _probed(config: Config, names: Sequence[str]) -> Mapping[str, object]:
    """What servers say, by whole path; what they do not say is noted on standard error."""
    values: dict[str, object] = {}
    for name, asked in ask(config, names, PATIENCE).items():
        problems = [asked.problem] if asked.problem else [fault.message for fault in asked.probe.faults]
        for problem in problems:
            print(f"{root_of(config, name)}: {problem}; what the server decides is not shown", file=sys.stderr)
        values |= {placed(config, name, Fault(path, "")).path: value for path, value in asked.probe.values.items()}
    return values


def _table(rows: Sequence[explain.Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("setting", "value", "from"):
        table.add_column(name, overflow="fold")
    for row in rows:
        shown = row.value if isinstance(row.value, str) else json.dumps(row.value, ensure_ascii=False)
        table.add_row(Text(row.path), Text(shown), Text(row.place or row.origin))
    return table
