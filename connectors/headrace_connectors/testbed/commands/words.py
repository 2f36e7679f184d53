"""All words of `headrace testbed` in one parser."""

from __future__ import annotations

from argparse import ArgumentParser

from headrace_connectors.testbed.commands import diff, lasting, report, run, send


def add(parser: ArgumentParser) -> None:
    parser.description = "Runs a config without AWS, on a Kafka broker of its own; no Docker, no root, no credentials."
    words = parser.add_subparsers(title="words", metavar="WORD", required=True)
    for one in (run, send, report, diff, lasting):
        one.add(words)
