"""`headrace testbed up`, `down` and `status`: a testbed whose servers and topics outlive the runs on it."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from typing import Final

from headrace.clock import SYSTEM
from headrace.errors import ServerUnavailable
from headrace.service.live import seconds
from headrace_connectors.testbed.commands import common
from headrace_connectors.testbed.commands.topics import make
from headrace_connectors.testbed.place import LOOK_EVERY, STARTING, Place, Running, TakenError
from headrace_connectors.testbed.plan import topics_of
from headrace_connectors.testbed.progress import Shown
from headrace_connectors.testbed.servers import Choice, started

ENDING: Final = 30.0
"""Seconds that the servers may take to end."""

TOLD: Final = 2000
"""Characters of a keeper's last words."""

UP = """\
Starts the servers of CONFIG's testbed in the background and makes its topics. They stay until `down`: `run` joins them
and may be stopped and started while handlers are worked on; `send` and `report` find them. `run` by itself needs no up.
"""
DOWN = """\
Ends the servers of CONFIG's testbed, and with them everything that was sent. A testbed that `run` has started ends with
its `run`.
"""
STATUS = """\
Shows whether a testbed of CONFIG runs, where, and how many messages its topics hold. Exit status 1 when none does.
"""


def add(words: common.Words) -> None:
    up = common.word(words, "up", "start a testbed that lasts", UP, act_up)
    common.existing_cluster(up)
    common.broker(up)
    common.word(words, "down", "end it", DOWN, act_down)
    status = common.word(words, "status", "does one run, and where?", STATUS, act_status)
    status.add_argument("--json", action="store_true", help="for programs")
    keep = common.word(words, "keep", None, "What `up` leaves running.", act_keep)
    common.existing_cluster(keep)
    common.broker(keep)


def act_up(arguments: argparse.Namespace) -> int:
    testbed = common.read(arguments, warn=True)
    topics_of(testbed.config)
    running = testbed.place.running()
    if running is None:
        with Shown() as progress:
            progress("starting the testbed", 0, 0)
            running = _begun(testbed.place, arguments)
    make(testbed.config, common.ask(common.of(testbed.config, running)))
    print(f"{running.broker} at {running.bootstrap_servers}" + (f", Redis at {running.redis}" if running.redis else ""))
    print(f"next: headrace testbed run {arguments.config}; at the end: headrace testbed down {arguments.config}")
    return 0


def _begun(place: Place, arguments: argparse.Namespace) -> Running:
    """A process of its own that keeps the servers."""
    place.folder.mkdir(parents=True, exist_ok=True)
    more = ["--bootstrap-servers", arguments.bootstrap_servers] if arguments.bootstrap_servers else []
    words = ["testbed", "keep", str(arguments.config.resolve()), "--broker", arguments.broker, *more]
    with place.log.open("w") as log:
        keeper = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", "headrace.cli.main", *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # it outlives this terminal
        )
    deadline = SYSTEM.boot() + STARTING
    while (running := place.running()) is None:
        if keeper.poll() is not None or SYSTEM.boot() > deadline:
            raise ServerUnavailable(f"the testbed did not start: {place.log.read_text()[-TOLD:].strip()}")
        time.sleep(LOOK_EVERY)
    return running


def act_keep(arguments: argparse.Namespace) -> int:
    testbed = common.read(arguments)
    if arguments.signals is not None:
        arguments.signals.install()
    choice = Choice(bootstrap_servers=arguments.bootstrap_servers, only=arguments.broker)
    try:
        with Shown() as progress, started(testbed.place, testbed.config, choice, progress, lasting=True):
            signal.pause()  # a signal of ours is a KeyboardInterrupt here, and ends the servers on its way out
    except KeyboardInterrupt:
        return 0
    except TakenError:
        print("another process runs this testbed", file=sys.stderr)
        return 1
    return 0


def act_down(arguments: argparse.Namespace) -> int:
    place = common.read(arguments).place
    running = place.running()
    if running is None:
        print("no testbed runs")
        return 0
    if not running.lasting:
        print(f"it belongs to `headrace testbed run`, process {running.pid}: stop that", file=sys.stderr)
        return 1
    os.kill(running.pid, signal.SIGTERM)  # it holds the lock at this moment: the id is no other's
    deadline = SYSTEM.boot() + ENDING
    while place.is_held:
        if SYSTEM.boot() > deadline:
            print(f"process {running.pid} has not ended in {ENDING:g} s; see {place.log}", file=sys.stderr)
            return 1
        time.sleep(LOOK_EVERY)
    print(f"ended: {running.broker} at {running.bootstrap_servers}")
    return 0


def act_status(arguments: argparse.Namespace) -> int:
    testbed = common.read(arguments)
    running = testbed.place.running()
    if running is None:
        print("null" if arguments.json else "no testbed runs")
        return 1
    topics = [topic for one in topics_of(testbed.config).values() for topic in one.all()]
    sizes = common.ask(common.of(testbed.config, running)).sizes(topics)
    if arguments.json:
        print(json.dumps({**asdict(running), "topics": sizes}, indent=2))
        return 0
    by = "up" if running.lasting else "run"
    print(f"{running.broker} at {running.bootstrap_servers}, process {running.pid}, for {_for(running)} by `{by}`")
    if running.redis:
        print(f"Redis at {running.redis}")
    for topic, size in sizes.items():
        print(f"  {topic}: {size:,}")
    return 0


def _for(running: Running) -> str:
    return seconds(max(0.0, SYSTEM.wall() - running.since))
