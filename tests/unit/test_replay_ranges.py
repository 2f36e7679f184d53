"""Records that are read again from their log: of a letter that says only where they are, and of a range."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headrace.filters.view import Payload, read_payload
from headrace.letters import Form, Letter, NoLetter
from headrace.mailbox import Recalled, Stretch
from headrace.model import Event, Record
from headrace.plugins import Opening
from headrace.replaying.finding import Finder, Found, Known
from headrace.replaying.placed import reread
from headrace.replaying.progress import Progress
from headrace.replaying.ranges import RangeMailbox
from headrace.replaying.replay import Outcome, Replay, What
from headrace.replaying.selection import Selection
from headrace.seeking import Edge, Target
from headrace.settings import MappingSettings
from headrace.testing import FakeClock, virtual
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
        return self.at({})

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


def failing(one: Known, *numbers: int) -> Known:
    """*one*, whose filters fail on these records."""
    view = one.connector.view_of(one.opening.options)
    assert view is not None

    def content(record: Record) -> Payload:
        found = view.content(record)
        if read_payload(found, exact=False)[1]["n"] in numbers:
            raise ZeroDivisionError("a fault of ours")
        return found

    return replace(one, connector=replace(one.connector, view=replace(view, content=content)))


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


class Handler:
    """Succeeds, and remembers the numbers that it was given."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    async def send(self, found: Found, records: Sequence[Record]) -> Mapping[str, str]:
        self.numbers += [found.payload(one)["n"] for one in records]
        return {}

    async def close(self) -> None: ...


async def replayed(one: Known, path: Path, size: int = 1) -> tuple[list[Outcome], list[int]]:
    """What became of a range's letters, and what was handled."""
    outcomes, handler = list[Outcome](), Handler()
    rereader = one.recall.reread(one.opening) if one.recall.reread else None
    assert rereader is not None
    progress = Progress(path)
    mailbox = RangeMailbox(
        name="records of orders",
        rereader=rereader,
        first=Edge.TRIM_HORIZON,
        last=Edge.LATEST,
        lane=None,
        size=size,
        taken=one.taken(rereader.render),
        begun=progress.letters,
    )
    finder = Finder(mappings={"orders": one}, functions=["f"], mapping="orders")
    told = {"tell": outcomes.append, "clock": FakeClock()}
    try:
        await Replay(
            mailbox=mailbox, finder=finder, selection=Selection(), sending=handler, progress=progress, **told
        ).run()
    finally:
        progress.close()
    return outcomes, handler.numbers


@virtual
async def test_what_a_filter_fails_on_is_told_and_is_not_done(tmp_path: Path) -> None:
    """Once the filter is mended it is replayed, and nothing besides.

    Catches: a traceback; what stands behind it is lost with it; it passes for a record that the mapping does not take.
    """
    sound = known('{"data": {"n": [{"exists": true}]}}')
    outcomes, numbers = await replayed(failing(sound, 5), tmp_path / "p", size=3)
    assert ([one.what for one in outcomes], numbers) == ([What.REPLAYED, What.UNREADABLE, What.REPLAYED], [4, 6])
    why = outcomes[1].reason
    assert why.startswith("filter_criteria of orders cannot judge the record ")
    assert why.endswith(": ZeroDivisionError('a fault of ours'); change them, or choose around it")
    outcomes, numbers = await replayed(sound, tmp_path / "p", size=3)
    assert ([one.what for one in outcomes], numbers) == ([What.BEFORE, What.REPLAYED, What.BEFORE], [5])


@virtual
async def test_a_letter_that_was_begun_is_whole_or_not_at_all(tmp_path: Path) -> None:
    """Catches: what is before the record that no filter can judge has the letter's name, and what is behind it too."""
    sound = known('{"data": {"n": [{"exists": true}]}}')
    path = tmp_path / "p"
    (first, *_), _ = await replayed(failing(sound, 6), path, size=2)
    path.write_bytes(b"")
    with closing(Progress(path)) as begun:
        begun.note(first.id, ["another"])
    outcomes, numbers = await replayed(failing(sound, 5), path, size=2)
    assert ([one.what for one in outcomes], numbers) == ([What.UNREADABLE, What.REPLAYED], [6])
    outcomes, numbers = await replayed(sound, path, size=2)
    assert ([one.what for one in outcomes], numbers) == ([What.REPLAYED, What.BEFORE], [4, 5])


@virtual
async def test_a_letter_whose_records_no_filter_can_judge_says_so() -> None:
    """Catches: a traceback where only the filters can say which records of the range were given up."""
    odd = failing(known('{"data": {"n": [{"anything-but": [5]}]}}'), 4)
    with pytest.raises(NoLetter, match="filter_criteria of orders cannot judge the record"):
        await reread(odd, letter(batchSize=2))
