"""`headrace run`: every enabled mapping until a signal, idleness, or the end of patience."""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from pathlib import Path
from typing import Final

from rich.console import Console

from headrace.cli import common
from headrace.config import Config
from headrace.observe import configure_logging, log
from headrace.service import collector, live
from headrace.service.endpoints import Endpoints
from headrace.service.http import Server
from headrace.service.process import Outcome, Service, chosen
from headrace.service.sampling import EVERY
from headrace.service.signals import Signals
from headrace.service.status import balance
from headrace.service.watchdog import Watchdog

ENDING: Final = 3.0
"""Seconds that a process may take to end once all is drained: hung tasks and threads that are not ours."""

OFTEN: Final = 2.0
"""Seconds between two samples of the source while a person watches."""

TO_COME_AGAIN: Final = {
    "failed_deletes": "handled but not deleted: each of them comes again",
    "lapsed": "not dispatched, because their visibility had run out: they come again",
    "dropped_receives": "receives cut off by the stop: what they had picked, if anything, comes again",
}
"""Counts that a person should know of at the end, though all is well."""

DESCRIPTION: Final = """\
Runs every enabled mapping until SIGTERM or SIGINT, then drains: reads no more, gives back what waits, lets handlers
finish within service.drain_timeout. Ctrl-C twice stops at once and says what was left. On a terminal a live table is
shown; elsewhere a line of log every ten seconds. It ends with a balance for each mapping.

exit status: 0 drained clean; 1 not clean, with what was left; 2 the config cannot be run.
"""


def add(commands: common.Commands) -> None:
    parser = commands.add_parser(
        "run",
        help="run every enabled mapping until SIGTERM or SIGINT, then drain",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", metavar="FILE", type=Path, nargs="+", help="config files, or folders of them")
    parser.add_argument("--mapping", metavar="NAME", action="append", default=[], help="only this one; repeatable")
    parser.add_argument(
        "--exit-when-idle",
        metavar="SECONDS",
        type=seconds,
        help="stop when nothing has been left to do, here or at the sources, for that long",
    )
    parser.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    config = common.read(arguments.files)
    return serve(
        config, only=arguments.mapping, exit_when_idle=arguments.exit_when_idle, signals=arguments.signals, last=True
    )


def serve(
    config: Config,
    *,
    only: Collection[str] = (),
    exit_when_idle: float | None = None,
    signals: Signals | None,
    last: bool,
    beside: Callable[[Service], AbstractContextManager[object]] = nullcontext,
) -> int:
    """Run *config* to its end; the exit status. *beside* is held while the service runs, and is left when it has ended.

    Raises:
        ConfigError: a function cannot be loaded, or *only* names a mapping that is not there.
    """
    configure_logging(config.service.log.format, config.service.log.level)
    names = chosen(config, only)
    functions = common.functions(config, {config.all[name].function for name in names})
    watched = sys.stdout.isatty()
    service = Service(
        config,
        functions,
        only=only,
        exit_when_idle=exit_when_idle,
        sample_every=OFTEN if watched else EVERY,
    )
    watchdog = Watchdog(service.complaints)
    if signals is not None:
        _listen(signals, service, watchdog)
    with collector.seldom(), ExitStack() as stack:
        stack.enter_context(beside(service))
        if config.service.listen is not None:
            stack.enter_context(Server(config.service.listen, Endpoints(service).routes(), log()))
        outcomes = asyncio.run(_run(service, watchdog, watched=watched))
    if signals is None or not last:
        watchdog.disarm()  # this process goes on
    return _status(outcomes)


def _listen(signals: Signals, service: Service, watchdog: Watchdog) -> None:
    def force() -> None:
        live.show_cursor()
        watchdog.bite("stopped at once")

    signals.attach(service.stop, force)


async def _run(service: Service, watchdog: Watchdog, *, watched: bool) -> Sequence[Outcome]:
    service.guard(watchdog)
    progress = live.Progress(lambda: service.snapshot().mappings)
    if watched:
        with live.LiveTable(progress, Console()):
            outcomes: Sequence[Outcome] = await service.run()
    else:
        outcomes = await _with_lines(service, progress)
    watchdog.arm(ENDING, "a task or thread of a handler did not end; ended by force", _status(outcomes))
    _report(outcomes)
    return outcomes


async def _with_lines(service: Service, progress: live.Progress) -> Sequence[Outcome]:
    lines = asyncio.create_task(live.report_progress(progress))
    try:
        return await service.run()
    finally:
        lines.cancel()
        with suppress(asyncio.CancelledError):
            await lines


def _report(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        view = outcome.view
        dead = "" if view.dead_lettered is None else f"; {view.dead_lettered} in the dead-letter queue"
        print(f"{view.mapping}: {balance(view)}{dead}")
        for name, meaning in TO_COME_AGAIN.items():
            if count := view.counts[name]:
                print(f"{view.mapping}: {count} {meaning}")
    for outcome in outcomes:
        for line in outcome.complaints:
            print(f"headrace: {line}", file=sys.stderr)
    sys.stdout.flush()


def _status(outcomes: Sequence[Outcome]) -> int:
    return 0 if all(outcome.clean for outcome in outcomes) else 1


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (0 <= value < math.inf):
        raise argparse.ArgumentTypeError(f"must be a number of seconds, 0 or more, not {text}")
    return value
