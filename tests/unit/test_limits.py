"""The table of what destinations take: every kind is in it, with who says so, and `headrace connectors` shows it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from headrace.cli.connectors import _taken, describe
from headrace.destination import SUCCESS, Said
from headrace_connectors import limits
from headrace_connectors.catalog import catalog
from headrace_connectors.limits import LAMBDA, SNS, too_large
from support.messages import message

UNLIMITED = {"http", "file", "function"}
"""Who says nothing of the kind."""


@pytest.mark.parametrize("kind", catalog.destinations, ids=lambda kind: kind.type)
def test_each_kind_says_what_it_takes_and_who_says_so(kind) -> None:
    """Mutation: a kind whose figure is nowhere but in its own code."""
    found = describe(catalog, kind.type)["limit"]
    assert (found is None) is (kind.type in UNLIMITED)
    if found:
        assert found["source"]
        assert date.fromisoformat(found["read"])
        assert kind.limit in vars(limits).values()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "sns",
            "262,144 bytes a message, 262,144 bytes and 10 messages a call (SNS API Reference, ",
        ),
        ("lambda", "1,048,576 bytes a message, one message a call (Lambda"),
        ("redis", "536,870,912 bytes a message (Redis"),
        ("file", "messages of any size"),
    ],
)
def test_it_is_shown(name: str, said: str) -> None:
    assert _taken(describe(catalog, name)["limit"]).startswith(said)


def test_what_is_too_large_is_said_in_bytes() -> None:
    """Mutation: the limit itself refused."""
    assert too_large(message("m", b""), SNS.message, SNS, "SNS") is None
    reply = too_large(message("m", b""), 262145, SNS, "SNS")
    assert (reply.said, reply.reason) == (Said.REFUSED, "its failure record takes 262145 bytes, and SNS takes 262144")
    told = too_large(message("m", b"", condition=SUCCESS), 2**20 + 1, LAMBDA, "Lambda")
    assert told.reason.startswith("its record takes")
    assert too_large(message("m", b""), 2**40, replace(SNS, message=None), "x") is None
