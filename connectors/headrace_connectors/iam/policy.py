"""Rights as an IAM policy: what belongs together in one statement, none said twice. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from headrace.right import Need, Right

VERSION: Final = "2012-10-17"
"""Of the policy language, and not a date of ours."""

_PRESSING: Final = list(Need)
"""The most pressing first."""

_Statement: TypeAlias = tuple[Need, str, tuple[str, ...]]


def policy(rights: Iterable[Right]) -> dict[str, Any]:
    """The document that allows these and nothing else."""
    counts: Counter[str] = Counter()
    statements = []
    for (need, service, actions), resources in sorted(_statements(_once(rights)).items(), key=_order):
        sid = f"{need.title()}{service.title()}"
        counts[sid] += 1
        number = f"{counts[sid]}" if counts[sid] > 1 else ""
        named = {"Sid": sid + number, "Effect": "Allow"}
        statements.append({**named, "Action": list(actions), "Resource": sorted(resources)})
    return {"Version": VERSION, "Statement": statements}


def _once(rights: Iterable[Right]) -> dict[tuple[str, str], Need]:
    """By action and resource, each with the most pressing of its needs."""
    found: dict[tuple[str, str], Need] = {}
    for right in rights:
        key = (right.action, right.resource)
        found[key] = min(found.get(key, right.need), right.need, key=_PRESSING.index)
    return found


def _statements(wanted: dict[tuple[str, str], Need]) -> dict[_Statement, list[str]]:
    """Resources by need, service and actions."""
    of_resource: dict[tuple[Need, str, str], list[str]] = defaultdict(list)
    for (action, resource), need in wanted.items():
        of_resource[need, action.partition(":")[0], resource].append(action)
    found: dict[_Statement, list[str]] = defaultdict(list)
    for (need, service, resource), actions in of_resource.items():
        found[need, service, tuple(sorted(actions))].append(resource)
    return found


def _order(item: tuple[_Statement, list[str]]) -> tuple[int, str, tuple[str, ...]]:
    need, service, actions = item[0]
    return _PRESSING.index(need), service, actions
