"""What the testbed's commands share: which config, which place, which cluster, and what goes wrong."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from headrace.cli import common
from headrace.config import Config
from headrace.errors import ConfigError, Fault, ServerUnavailable
from headrace.late import Late
from headrace_connectors.kafka.connecting import SECTION, KafkaSettings
from headrace_connectors.testbed.place import Place, Running

Words: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - its only name

ask = Late("headrace_connectors.testbed.cluster:Cluster")
"""The `Cluster` of these settings."""


@dataclass(frozen=True, slots=True)
class Testbed:
    """A config and the place of its testbed."""

    config: Config
    place: Place


def word(
    words: Words, name: str, summary: str | None, description: str, act: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    """A word of `headrace testbed`, whose first argument is the config; without a summary it is not listed."""
    form = argparse.RawDescriptionHelpFormatter
    if summary is None:
        parser = words.add_parser(name, description=description, formatter_class=form)
    else:
        parser = words.add_parser(name, description=description, formatter_class=form, help=summary)
    parser.add_argument("config", metavar="CONFIG", type=Path, help="config file, or a folder of them")
    parser.set_defaults(act=act)
    return parser


def existing_cluster(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bootstrap-servers",
        metavar="HOST:PORT,…",
        help="a cluster that exists; credentials are those of the config's section kafka",
    )


def broker(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--broker",
        choices=("any", "apache", "pypi"),
        default="any",
        help="apache: Apache Kafka, which needs Java 17; pypi: the small broker of headrace[testbed]; default: the "
        "first of them that can be had",
    )


def count(text: str) -> int:
    """A number of things, of which there is one at least."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number, 1 or more, not {text}")
    return int(text)


def read(arguments: argparse.Namespace, *, warn: bool = False) -> Testbed:
    """The config that was named.

    Raises:
        ConfigError: with every fault.
    """
    return Testbed(common.read([arguments.config], warn=warn), Place(arguments.config))


def cluster(testbed: Testbed, arguments: argparse.Namespace) -> KafkaSettings:
    """How the testbed's cluster is reached: the one that was named, else the one that runs.

    Raises:
        ConfigError: there is none.
    """
    if arguments.bootstrap_servers:
        return existing(testbed.config, arguments.bootstrap_servers)
    running = testbed.place.running()
    if running is None:
        name = arguments.config
        message = (
            f"no testbed runs for {name}; start one: headrace testbed run {name} (or up), or name a cluster with "
            "--bootstrap-servers"
        )
        raise ConfigError([Fault("", message)])
    return of(testbed.config, running)


def of(config: Config, running: Running) -> KafkaSettings:
    """That of a testbed that runs, on a cluster of its own or on one that existed."""
    if running.existing:
        return existing(config, running.bootstrap_servers)
    return KafkaSettings(bootstrap_servers=running.bootstrap_servers)


def existing(config: Config, bootstrap_servers: str) -> KafkaSettings:
    """A cluster that exists, with the credentials of the config."""
    section = config.sections.get(SECTION)
    folder = next((one.section_folders.get(SECTION, one.folder) for one in config.mappings.values()), config.base)
    own = KafkaSettings(bootstrap_servers=bootstrap_servers)
    return own.over(section.under(folder)) if isinstance(section, KafkaSettings) else own


def carry_out(arguments: argparse.Namespace) -> int:
    """What every word of `headrace testbed` is carried out by: a server that cannot be had is told in its own words."""
    try:
        return int(arguments.act(arguments))
    except ServerUnavailable as error:
        print(f"headrace: {error}", file=sys.stderr)
        return 1
