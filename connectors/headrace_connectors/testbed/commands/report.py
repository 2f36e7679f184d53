"""`headrace testbed report`: what was sent, delivered, retried, failed, and where each failed record is."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from typing import Final

from rich.table import Table
from rich.text import Text

from headrace.cli.common import console
from headrace.clock import SYSTEM
from headrace_connectors.testbed.commands import common
from headrace_connectors.testbed.report import Account, Failed, Report, report

MOST: Final = 20
"""Failed records of a mapping that are shown; --json has all."""

DESCRIPTION = """\
Shows for each mapping of the testbed that runs: records sent to its topic, delivered to its function, filtered out,
retried, dropped, failed, and waiting; and where each failed record lies, with its id and the reason. Of a testbed that
has ended, the report of its end. Several deliveries of one record count each.
"""


def add(words: common.Words) -> None:
    parser = common.word(words, "report", "what became of what was sent", DESCRIPTION, act)
    parser.add_argument("--json", action="store_true", help="for programs; with every failed record")
    common.existing_cluster(parser)


def act(arguments: argparse.Namespace) -> int:
    testbed = common.read(arguments)
    told = _of_the_end(testbed, arguments) or report(
        testbed.config, testbed.place, common.ask(common.cluster(testbed, arguments)), SYSTEM.wall()
    )
    if arguments.json:
        print(json.dumps(told.plain(), indent=2))
    else:
        show(told)
    return 0


def _of_the_end(testbed: common.Testbed, arguments: argparse.Namespace) -> Report | None:
    """What was written down at its end, when nothing runs any more."""
    if arguments.bootstrap_servers or testbed.place.running() is not None:
        return None
    try:
        return Report.of(json.loads(testbed.place.last_report.read_text()))
    except (FileNotFoundError, ValueError, KeyError, TypeError):  # there is none, or another version wrote it
        return None


def show(told: Report) -> None:
    shown = console()
    moment = datetime.fromtimestamp(told.at, UTC).isoformat(" ", "seconds").removesuffix("+00:00")
    shown.print(f"testbed at {moment} UTC")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("mapping", "sent", "delivered", "filtered", "retried", "dropped", "failed", "waiting"):
        table.add_column(name, justify="left" if name == "mapping" else "right")
    for name, account in told.mappings.items():
        table.add_row(name, *(f"{count:,}" for count in _counts(account)))
    shown.print(table)
    for name, account in told.mappings.items():
        if account.failed:
            shown.print(f"\n{name}: {len(account.failed):,} failed", soft_wrap=True)
            shown.print(_places(account.failed[:MOST]))
        if len(account.failed) > MOST:
            shown.print(f"… and {len(account.failed) - MOST:,} more: --json has all")


def _counts(account: Account) -> tuple[int, ...]:
    failed = len(account.failed)
    return (
        account.sent,
        account.delivered,
        account.filtered,
        account.retried,
        account.dropped,
        failed,
        account.waiting,
    )


def _places(failed: list[Failed]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("topic", "partition", "offset", "record", "reason"):
        table.add_column(name, justify="right" if name in {"partition", "offset"} else "left", overflow="fold")
    for one in failed:
        table.add_row(*map(Text, (one.topic, str(one.partition), str(one.offset), one.id, one.reason)))
    return table
