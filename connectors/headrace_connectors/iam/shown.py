"""What `headrace iam` prints: for people policies under comments, for programs a list."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Iterator
from typing import Any, Final

from headrace.cli.common import read
from headrace.config import Config
from headrace.right import Need
from headrace.service.process import chosen
from headrace_connectors.aws import AwsSettings
from headrace_connectors.iam.gathering import Needed, gather
from headrace_connectors.iam.policy import policy

WITHOUT: Final = {
    Need.LOOK: "Look…: a run goes on without, but counts no dead letters and sees too late that a bus is not there",
    Need.CHECK: "Check…: `headrace check --connect` alone asks for it",
}
STARS: Final = "* for an account or a region: the config does not say it; write it in"
KMS: Final = (
    "what a KMS key of your own encrypts needs that key too: kms:Decrypt to read, and kms:GenerateDataKey to send;",
    "no config says whether it is so",
)


def show(arguments: Namespace) -> int:
    config = read(arguments.files, warn=False)
    asked = arguments.mapping
    names = [name for name in chosen(config, asked) if asked or config.all[name].settings.enabled]
    found = gather(config, names)
    if arguments.json:
        print(json.dumps([_plain(config, one) for one in found], indent=2))
        return 0
    for one in found:
        print("\n".join(f"# {line}" for line in _comments(config, one)))
        print(json.dumps(policy(one.rights), indent=2))
    if not found:
        print("nothing in it calls AWS", file=sys.stderr)
    return 0


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
    yield from (words for need, words in WITHOUT.items() if need in needs)
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
