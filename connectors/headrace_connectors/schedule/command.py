"""`headrace schedule`: a command line of its own, that the catalog brings."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from headrace.plugins import Command

# What the words need is imported when one of them is asked for: a program that only polls needs none of it.


def _arguments(parser: ArgumentParser) -> None:
    from headrace_connectors.schedule.commands import explain, listing  # noqa: PLC0415 - as above

    parser.description = "What schedules mean, and when they fire."
    words = parser.add_subparsers(title="words", metavar="WORD", required=True)
    for one in (explain, listing):
        one.add(words)


def _carry_out(arguments: Namespace) -> int:
    return int(arguments.act(arguments))


schedule = Command(
    name="schedule",
    summary="what a schedule means, and when it fires",
    arguments=_arguments,
    carry_out=_carry_out,
)
