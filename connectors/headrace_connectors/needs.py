"""Which rights a config needs in AWS, and who needs them: known from its settings alone, before anything is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from headrace.credentials import Identity
from headrace.right import Need, Right
from headrace_connectors.aws import AwsSettings, known_region
from headrace_connectors.rights import RIGHTS, resource_of


def needed(
    aws: AwsSettings, service: str, operations: Iterable[str], resource: str, need: Need = Need.RUN
) -> Iterator[Right]:
    """The rights to these operations of *service*, on an ARN."""
    for operation in operations:
        yield Right(who=Identity.of(aws), action=RIGHTS[service][operation], resource=resource, need=need)


def thing(aws: AwsSettings, service: str, operation: str, **params: str) -> str:
    """The ARN of what a call would be about; `*` for all of it that the settings do not say."""
    found = resource_of(service, operation, params, known_region(aws) or "*")
    return found if found.startswith("arn:") else "*"


def assumed(who: Identity, need: Need = Need.RUN) -> Right | None:
    """What the caller needs to become *who*; None where that is himself."""
    if who.role_arn is None:
        return None
    return Right(who=who.caller, action=RIGHTS["sts"]["AssumeRole"], resource=who.role_arn, need=need)
