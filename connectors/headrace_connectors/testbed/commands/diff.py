"""`headrace testbed diff`: how the testbed differs from AWS for a config, and which settings have no meaning there."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from itertools import groupby

from headrace.cli.common import console
from headrace_connectors.testbed.commands import common
from headrace_connectors.testbed.difference import Row, differences, page
from headrace_connectors.testbed.meaningless import Setting, meaningless
from headrace_connectors.testbed.plan import topics_of

DESCRIPTION = """\
Shows how the testbed differs from AWS for this config: which of its settings have no meaning there, and each row of
docs/parity.md that is about its sources and does not say "same". Nothing needs to run.
"""


def add(words: common.Words) -> None:
    parser = common.word(words, "diff", "how the testbed differs from AWS for a config", DESCRIPTION, act)
    parser.add_argument("--json", action="store_true", help="for programs: settings, and rows with their section")


def act(arguments: argparse.Namespace) -> int:
    config = common.read(arguments).config
    topics_of(config)  # what the testbed cannot stand for at all
    settings, rows = meaningless(config), differences(config, page())
    if arguments.json:
        print(
            json.dumps({"settings": [asdict(one) for one in settings], "rows": [asdict(row) for row in rows]}, indent=2)
        )
    else:
        _show(settings, rows)
    return 0


def _show(settings: list[Setting], rows: list[Row]) -> None:
    shown = console()
    shown.print("Settings of this config that have no meaning on the testbed" if settings else "Every setting holds.")
    for setting in settings:
        shown.print(f"  {setting.path}: {setting.why}", soft_wrap=True)
    for section, some in groupby(rows, key=lambda row: row.section):
        shown.print(f"\n{section}")
        for row in some:
            shown.print(f"  AWS:  {row.aws}", soft_wrap=True)
            shown.print(f"  here: {row.here}" + (f" ({row.why})" if row.why else ""), soft_wrap=True)
