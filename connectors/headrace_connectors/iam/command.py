"""`headrace iam`: a command that the catalog brings."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Final

from headrace.plugins import Command

DESCRIPTION: Final = """\
Prints the least IAM policy that the config needs, one for each identity: a role that is assumed, a profile, credentials
that are written in the config, or those that the process finds by itself. Asks nobody. Statements whose Sid begins with
Run are needed to run; with Look, for what is only shown, so that a run goes on without them; with Check, by
`headrace check --connect` alone. Mappings with enabled: false are left out, unless --mapping names them.

With --replay it is what `headrace replay FILE --from SOURCE` needs instead: Replay, and where it comes to that Reread
(letters without their records, --range), Back (--to source), Delete (--delete) and Trace (it goes on without). A queue
that a redrive policy names is any of its account and region, since only SQS says which; as SOURCE it is that one.

exit status: 0; 2 with every fault.
"""


def _arguments(parser: ArgumentParser) -> None:
    parser.description, parser.formatter_class = DESCRIPTION, RawDescriptionHelpFormatter
    parser.add_argument("files", metavar="FILE", type=Path, nargs="+", help="config files, or folders of them")
    parser.add_argument("--mapping", metavar="NAME", action="append", default=[], help="only this one; repeatable")
    parser.add_argument("--replay", metavar="SOURCE", help="to bring letters back from there instead, as replay --from")
    parser.add_argument("--json", action="store_true", help="for programs: a list of identities with their policies")


def _carry_out(arguments: Namespace) -> int:
    from headrace_connectors.iam import shown  # noqa: PLC0415 - a program that only polls needs none of it

    return shown.show(arguments)


iam = Command(
    name="iam",
    summary="the least IAM policy that a config needs, for each identity",
    arguments=_arguments,
    carry_out=_carry_out,
)
