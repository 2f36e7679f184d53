"""What `headrace iam` prints: for people policies under comments, for programs a list."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import Any, Final

from headrace.cli.common import read
from headrace.config import Config
from headrace.right import Need
from headrace.service.process import chosen
from headrace_connectors.aws import AwsSettings
from headrace_connectors.iam import replays
from headrace_connectors.iam.gathering import Needed, gather
from headrace_connectors.iam.policy import policy

ONLY: Final = {
    Need.REREAD: "Reread…: where a letter says only where its records are, and for --range",
    Need.BACK: "Back…: `headrace replay --to source` alone asks for it",
    Need.DELETE: "Delete…: `headrace replay --delete` alone asks for it",
    Need.TRACE: "Trace…: a replay goes on without, but knows of no message that SQS has moved which queue it was of",
    Need.LOOK: "Look…: a run goes on without, but counts no dead letters and sees too late that a bus is not there",
    Need.CHECK: "Check…: `headrace check --connect` alone asks for it",
}
"""What can be left out, and when."""
STARS: Final = "* for an account or a region: the config does not say it; write it in"
KMS: Final = (
    "what a KMS key of your own encrypts needs that key too: kms:Decrypt to read, kms:GenerateDataKey to send,",
    "and both to send to SQS and SNS; no config says whether it is so",
)


def show(arguments: Namespace) -> int:
    config = read(arguments.files, warn=False)
    found = _gathered(config, arguments.mapping, arguments.replay)
    if arguments.json:
        print(json.dumps([_plain(config, one) for one in found], indent=2))
        return 0
    for one in found:
        print("\n".join(f"# {line}" for line in _comments(config, one)))
        print(json.dumps(policy(one.rights), indent=2))
    if not found:
        print("nothing in it calls AWS", file=sys.stderr)
    return 0


def _gathered(config: Config, asked: Sequence[str], source: str | None) -> list[Needed]:
    names = chosen(config, asked)
    if source is not None:
        return replays.gather(config, source, names if asked else ())
    return gather(config, [name for name in names if asked or config.all[name].settings.enabled])


def _plain(config: Config, one: Needed) -> dict[str, Any]:
    """`role_arn`, `profile` and `credentials` (where in the config they stand) are null where they are not given."""
    return {
        "role_arn": one.who.role_arn,
        "profile": one.who.profile,
        "credentials": _credentials(config, one) if one.who.credentials else None,
        "for": one.places,
        "policy": policy(one.rights),
    }


def _comments(config: Config, one: Needed) -> Iterator[str]:
    caller = _caller(config, one)
    yield f"{one.who.role_arn}, which {caller} must be trusted to assume" if one.who.role_arn else caller
    yield f"for {', '.join(one.places)}"
    needs = {right.need for right in one.rights}
    yield from (words for need, words in ONLY.items() if need in needs)
    if any(_is_open(right.resource) for right in one.rights):
        yield STARS
    if any(not right.action.startswith("sts:") for right in one.rights):
        yield from KMS


def _caller(config: Config, one: Needed) -> str:
    if one.who.profile:
        return f"profile {one.who.profile}"
    return f"the credentials at {_credentials(config, one)}" if one.who.credentials else "the process's own credentials"


def _credentials(config: Config, one: Needed) -> str:
    """Where they are written: they themselves are shown nowhere."""
    section = config.sections.get("aws")
    shared = isinstance(section, AwsSettings) and section.credentials == one.who.credentials
    return "aws.credentials" if shared else f"{one.places[0]}.credentials"


def _is_open(resource: str) -> bool:
    """Whether region or account are not known."""
    _, _, *rest = resource.split(":", 5)
    return "*" in rest[1:3] or resource == "*"
