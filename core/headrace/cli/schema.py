"""`headrace schema`: the JSON Schema of the config file, for editors."""

from __future__ import annotations

import argparse
import json

from headrace.cli import common
from headrace.config import explain


def add(commands: common.Commands) -> None:
    parser = commands.add_parser(
        "schema",
        help="the JSON Schema of the config file",
        description="Prints the JSON Schema of the config file, with every installed connector, for editors.",
    )
    parser.set_defaults(carry_out=carry_out)


def carry_out(_: argparse.Namespace) -> int:
    print(json.dumps(explain.schema(common.catalog()), indent=2))
    return 0
