"""`headrace testbed`: a command line of its own, that the catalog brings."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from headrace.plugins import Command

# What the words need is imported when one of them is asked for: a program that only polls needs none of it.


def _arguments(parser: ArgumentParser) -> None:
    from headrace_connectors.testbed.commands import diff, lasting, report, run, send  # noqa: PLC0415 - as above

    parser.description = "Runs a config without AWS, on a Kafka broker of its own; no Docker, no root, no credentials."
    words = parser.add_subparsers(title="words", metavar="WORD", required=True)
    for one in (run, send, report, diff, lasting):
        one.add(words)


def _carry_out(arguments: Namespace) -> int:
    from headrace_connectors.testbed.commands import common  # noqa: PLC0415 - as above

    return common.carry_out(arguments)


testbed = Command(
    name="testbed",
    summary="run a config without AWS, on a Kafka broker of its own",
    arguments=_arguments,
    carry_out=_carry_out,
)
