"""Letters that go back to their source: what it takes, and when it counts as away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from headrace.destination import CONFIRMED, Reply, Said
from headrace.errors import SourceUnavailable
from headrace.letters import Form, Letter
from headrace.mailbox import Recalled
from headrace.model import Record
from headrace.replaying.finding import Known, OfMapping
from headrace.replaying.sending import ToSource
from headrace_connectors.catalog import catalog
from support.messages import opening

FAILED, REFUSED = Reply(Said.FAILED, "no answer"), Reply(Said.REFUSED, "too large")


class Source:
    """Answers each letter's two records as it was told."""

    def __init__(self, *replies: Sequence[Reply]) -> None:
        self.replies = list(replies)

    async def send(self, records: Sequence[Record]) -> Sequence[Reply]:
        return self.replies.pop(0)

    async def close(self) -> None: ...


def letter(source: Source, mapping: str = "orders") -> OfMapping:
    sqs = catalog.connector("sqs")
    recall = sqs.recall
    assert recall is not None
    connector = replace(sqs, recall=replace(recall, put_back=lambda _: source))
    known = Known(connector=connector, opening=replace(opening(), mapping=mapping), function="f")
    records = [Record(name, None, 0.0, 1) for name in "ab"]
    recalled = Recalled(records=records, render=lambda _: {}, rewritten=lambda record, _: record)
    return OfMapping(letter=Letter(form=Form.RECORDS), known=known, recalled=recalled)


async def accept(function: str, name: str, event: object) -> None: ...


async def test_a_source_that_takes_nothing_of_three_letters_is_away() -> None:
    """The rest is not tried: each would wait for it. Mutations, tried: ten thousand letters are; what was refused, or
    taken in part, counts; so does another mapping's source."""
    nothing, part = [FAILED, FAILED], [CONFIRMED, FAILED]
    source, other = Source(nothing, nothing, part, nothing, [REFUSED, REFUSED], nothing, nothing, nothing), Source(part)
    sending = ToSource(accept)
    for _ in range(8):
        one = letter(source)
        assert await sending.send(one, one.recalled.records)
    one = letter(source)
    with pytest.raises(SourceUnavailable, match="orders: its source took nothing of the last 3 letters"):
        await sending.send(one, one.recalled.records)
    one = letter(other, "payments")
    assert await sending.send(one, one.recalled.records) == {"b": "no answer"}
