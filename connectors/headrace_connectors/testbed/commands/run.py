"""`headrace testbed run`: the servers, the topics and the service, until it is stopped; nothing is left running."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import Thread

from headrace.cli import run
from headrace.clock import SYSTEM
from headrace.service.watchdog import Watchdog
from headrace_connectors.kafka.connecting import KafkaSettings
from headrace_connectors.testbed.commands import common
from headrace_connectors.testbed.commands.report import show
from headrace_connectors.testbed.commands.topics import make
from headrace_connectors.testbed.counts import recorded
from headrace_connectors.testbed.place import Running, TakenError, write
from headrace_connectors.testbed.plan import MAX_RECEIVE_COUNT, OPEN_QUEUE, VISIBILITY, Wanted, changed, topics_of
from headrace_connectors.testbed.progress import Shown
from headrace_connectors.testbed.report import report
from headrace_connectors.testbed.servers import Choice, started, state_of

DESCRIPTION = """\
Runs CONFIG without AWS: each mapping's source is the topic testbed.MAPPING of a Kafka broker, its records in the shape
of the source, and its failures go to testbed.MAPPING.on_failure. Starts what it needs on loopback, or joins a testbed
that `up` or another `run` has started, and leaves nothing running. Feed it with `headrace testbed send`.

exit status: as `headrace run`; 1 as well when a server cannot be had.
"""


def add(words: common.Words) -> None:
    parser = common.word(words, "run", "run a config on the testbed", DESCRIPTION, act)
    parser.add_argument("--mapping", metavar="NAME", action="append", default=[], help="only this one; repeatable")
    parser.add_argument(
        "--exit-when-idle",
        metavar="SECONDS",
        type=run.seconds,
        help="stop when nothing has been left to do for that long",
    )
    parser.add_argument(
        "--visibility-timeout",
        metavar="SECONDS",
        type=run.seconds,
        default=VISIBILITY,
        help=f"of queues whose config does not say it; default: {VISIBILITY}, as SQS's",
    )
    parser.add_argument(
        "--max-receive-count",
        metavar="N",
        type=common.count,
        default=MAX_RECEIVE_COUNT,
        help=f"deliveries of a queue's message before it goes to on_failure; default: {MAX_RECEIVE_COUNT}",
    )
    common.existing_cluster(parser)
    common.broker(parser)


def act(arguments: argparse.Namespace) -> int:
    testbed = common.read(arguments, warn=True)
    topics_of(testbed.config)  # what cannot be presented is said before anything starts
    if arguments.signals is not None:
        arguments.signals.install()
    with _running(testbed, arguments) as running:
        settings = common.of(testbed.config, running)
        make(testbed.config, common.ask(settings))
        status = _serve(testbed, running, settings, arguments)
        told = report(testbed.config, testbed.place, common.ask(settings), SYSTEM.wall())
        write(testbed.place.last_report, told.plain())
        show(told)
    if arguments.signals is not None:  # the process is ours, and a thread of a handler may hold it
        Watchdog(lambda: ()).arm(run.ENDING, "a task or thread of a handler did not end; ended by force", status)
    return status


@contextmanager
def _running(testbed: common.Testbed, arguments: argparse.Namespace) -> Iterator[Running]:
    """The servers of a testbed that runs already, or our own."""
    choice = Choice(bootstrap_servers=arguments.bootstrap_servers, only=arguments.broker)
    Thread(target=_load, name="headrace-testbed-load").start()  # while the broker starts
    found = testbed.place.running()
    if found is None:
        try:
            with Shown() as progress, started(testbed.place, testbed.config, choice, progress, lasting=False) as ours:
                progress.over()
                yield ours
                return
        except TakenError:  # another began in this moment
            found = testbed.place.wait()
    yield found


def _load() -> None:
    """What is needed of Kafka's client next: half a second."""
    common.ask.load()
    OPEN_QUEUE.load()


def _serve(testbed: common.Testbed, running: Running, settings: KafkaSettings, arguments: argparse.Namespace) -> int:
    wanted = Wanted(
        cluster=settings,
        state=state_of(testbed.config, testbed.place, running),
        visibility_timeout=arguments.visibility_timeout,
        max_receive_count=arguments.max_receive_count,
    )
    return run.serve(
        changed(testbed.config, wanted),
        only=arguments.mapping,
        exit_when_idle=arguments.exit_when_idle,
        signals=arguments.signals,
        last=False,
        beside=partial(recorded, testbed.place.counts),
    )
