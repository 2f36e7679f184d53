"""Letters that say only where their records are: what is read again is what was given up, or it is said why not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from headrace.letters import Form, Letter, NoLetter
from headrace.mailbox import Recalled, Stretch
from headrace.model import Event, Record
from headrace.plugins import Opening
from headrace.replaying.finding import Known
from headrace.replaying.placed import reread
from headrace.seeking import Edge, Target
from headrace.settings import MappingSettings
from headrace.testing import virtual
from headrace_connectors.catalog import catalog
from support.letters import click
from support.messages import opening

ALL = {"Records": [click(number, {"n": number}) for number in (4, 5, 6)]}


class Range:
    """A log that holds 4, 5 and 6."""

    def __init__(self, recalled: Recalled) -> None:
        self.recalled = recalled

    def at(self, _: Mapping[str, Any]) -> Sequence[Stretch]:
        return [Stretch(lane="s", first=Edge.TRIM_HORIZON, last=None)]

    async def between(self, first: Target, last: Target, lane: str | None) -> Sequence[Stretch]:
        return []

    async def read(self, stretch: Stretch) -> AsyncIterator[Sequence[Record]]:
        yield self.recalled.records

    def render(self, records: Sequence[Record]) -> Event:
        return self.recalled.render(records)

    async def close(self) -> None: ...


def known(*patterns: str) -> Known:
    kinesis = catalog.connector("kinesis")
    recall = kinesis.recall
    assert recall is not None

    def ranged(opened: Opening) -> Range:
        return Range(recall.records(opened, ALL))

    settings = MappingSettings.model_validate({"filter_criteria": {"filters": [{"pattern": one} for one in patterns]}})
    return Known(
        connector=replace(kinesis, recall=replace(recall, reread=ranged)),
        opening=opening(settings=settings, options=kinesis.options(stream="clicks")),
        function="f",
    )


def letter(**info: Any) -> Letter:
    return Letter(form=Form.PLACE, info=info)


@virtual
async def test_all_of_a_range_are_read_again_where_it_holds_as_many_as_were_given_up() -> None:
    for one in (letter(batchSize=3), letter(), letter(batchSize="3")):
        assert await reread(known(), one) == ALL


@virtual
async def test_a_range_with_others_in_it_is_not_replayed() -> None:
    """Mutations: what had succeeded is run again; what is left of them passes for all."""
    for size in (2, 4):
        with pytest.raises(NoLetter, match=f"range holds 3 records now, of which {size} were given up"):
            await reread(known(), letter(batchSize=size))


@virtual
async def test_what_a_mapping_does_not_take_is_not_read_again() -> None:
    """Mutations: it is run with the others; its filter has no say; one that takes another number has."""
    odd = known('{"data": {"n": [{"anything-but": [5]}]}}')
    assert await reread(odd, letter(batchSize=2)) == {"Records": [ALL["Records"][0], ALL["Records"][2]]}
    with pytest.raises(NoLetter, match="nothing says which"):
        await reread(odd, letter(batchSize=1))
