"""`headrace testbed send`: feeds a mapping's topic from a file, from standard input, or with made-up events."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from headrace.cli.common import one_of
from headrace.cli.run import seconds
from headrace.errors import ConfigError, Fault
from headrace.late import Late
from headrace_connectors.kafka.present.shapes import Presentation
from headrace_connectors.testbed.commands import common
from headrace_connectors.testbed.commands.topics import make
from headrace_connectors.testbed.feed import FORM, Feed, Keys, UnfitError, feeds, generated
from headrace_connectors.testbed.originals import shape_of
from headrace_connectors.testbed.plan import topics_of
from headrace_connectors.testbed.progress import Shown

send = Late("headrace_connectors.testbed.sending:send")

DESCRIPTION = f"""\
Sends events to MAPPING of the testbed that runs. EVENTS is a file, or - for standard input: JSON, one line a record.

a line, by the mapping's source:
  sqs        {FORM["sqs"]}: any JSON; a JSON text without its quotes
  kinesis    {FORM["kinesis"]}: the same
  kafka      {FORM["kafka"]}: the same
  dynamodb   {FORM["dynamodb"]}
or a whole Lambda event of that source, {{"Records": […]}}, with the keys, groups and attributes that its records have.

--generate makes up {{"number": 0, "key": "key-0"}} and so on, with ten keys. All of a file is looked at before anything
is sent. Exit status 1 when something was not taken; 2 when it cannot be sent.
"""


def add(words: common.Words) -> None:
    parser = common.word(words, "send", "feed a mapping of the testbed", DESCRIPTION, act)
    parser.add_argument("mapping", metavar="MAPPING")
    parser.add_argument("events", metavar="EVENTS", nargs="?", help="a file of JSON lines; - is standard input")
    parser.add_argument("--generate", metavar="N", type=common.count, help="make up N events")
    parser.add_argument("--rate", metavar="R", type=_rate, help="at most R events a second")
    keys = parser.add_mutually_exclusive_group()
    keys.add_argument("--key", metavar="TEXT", help="the key of every line: message group, partition key, Kafka key")
    keys.add_argument("--key-field", metavar="NAME", help="the key of a line is the value of this field in it")
    common.existing_cluster(parser)


def act(arguments: argparse.Namespace) -> int:
    testbed = common.read(arguments)
    topics = topics_of(testbed.config)
    name = one_of("mapping with a source that the testbed stands for", arguments.mapping, topics)
    shape = shape_of(testbed.config, testbed.config.mappings[name])
    if (arguments.generate is None) == (arguments.events is None):
        raise ConfigError([Fault("", "name a file of events, or --generate N; one of the two")])
    if arguments.generate is not None:
        count, messages = arguments.generate, _made_up(arguments.generate, shape)
    else:
        keys = Keys(text=arguments.key, field=arguments.key_field)
        found = list(_read(arguments.events, lambda line: feeds(line, shape, keys)))
        count, messages = len(found), iter(found)
    settings = common.cluster(testbed, arguments)
    make(testbed.config, common.ask(settings))
    with Shown() as progress:
        sent = send(settings, topics[name].main, messages, of=count, rate=arguments.rate, progress=progress)
    print(f"sent {sent:,} to {topics[name].main}")
    return 0


def _read(name: str, take: Callable[[str], list[Feed]]) -> Iterator[Feed]:
    """What all lines mean.

    Raises:
        ConfigError: with every line that cannot be sent.
    """
    faults = []
    for number, line in _lines(name):
        try:
            yield from take(line)
        except UnfitError as error:
            faults.append(Fault("", str(error), f"{name}:{number}"))
    if faults:
        raise ConfigError(faults)


def _lines(name: str) -> list[tuple[int, str]]:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Fault("", f"cannot be read: {error}", name)]) from None
    return [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def _made_up(count: int, shape: Presentation) -> Iterator[Feed]:
    return (generated(number, shape) for number in range(count))


def _rate(text: str) -> float:
    rate = seconds(text)
    if not rate:
        raise argparse.ArgumentTypeError("must be a number of events a second, above 0")
    return rate
