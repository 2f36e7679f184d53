"""The loop of a replay, over a mailbox in memory: what happens in which order, at which pace, when it is cut off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from headrace.errors import SourceUnavailable
from headrace.filters import Pattern
from headrace.letters import Posted
from headrace.model import Record
from headrace.replaying.finding import Finder, Found
from headrace.replaying.progress import WHOLE, Progress
from headrace.replaying.replay import Limits, Outcome, Replay, What
from headrace.replaying.selection import Selection
from headrace.testing import FakeClock, virtual
from support.letters import invocation


class Box:
    """Letters that are invocations, named by their request ids."""

    name = "box"

    def __init__(self, *names: str, keeps: bool = False) -> None:
        self.names, self.keeps = list(names), keeps
        self.story: list[tuple[str, str]] = []
        self.refuses = False

    async def letters(self) -> AsyncIterator[Posted]:
        for name in list(self.names):
            self.story.append(("read", name))
            yield Posted(id=name, body=json.dumps(invocation({"n": name}, name)).encode(), at=0.0)

    async def done(self, posted: Posted) -> None:
        if self.refuses:
            raise SourceUnavailable("it cannot be deleted")
        self.story.append(("done", posted.id))
        if not self.keeps:
            self.names.remove(posted.id)

    async def back(self, posted: Posted) -> None:
        self.story.append(("back", posted.id))

    async def close(self) -> None: ...


class Sender:
    """Fails those that it is told to; *progress* is looked at as each is sent."""

    def __init__(self, box: Box, *bad: str) -> None:
        self.box, self.bad = box, bad
        self.at: list[float] = []
        self.stopping: asyncio.Event | None = None
        self.seconds = 0.0

    async def send(self, found: Found, records: Sequence[Record]) -> Mapping[str, str]:
        self.at.append(FakeClock().boot())
        self.box.story.append(("send", records[0].id))
        await asyncio.sleep(self.seconds)
        if self.stopping is not None:
            self.stopping.set()
        return {one.id: "no" for one in records if one.id in self.bad}

    async def close(self) -> None: ...


class Rig:
    def __init__(self, path: Path, box: Box, *bad: str, **more: Any) -> None:
        self.box, self.outcomes = box, list[Outcome]()
        self.sender = Sender(box, *bad)
        self.progress = Progress(path)
        self.replay = Replay(
            mailbox=box,
            finder=Finder(mappings={}, functions=["f"]),
            sending=self.sender,
            progress=self.progress,
            tell=self.outcomes.append,
            **{"selection": Selection(), "clock": FakeClock(), **more},
        )

    async def run(self) -> list[What]:
        try:
            await self.replay.run()
        finally:
            self.progress.close()
        return [one.what for one in self.outcomes]


@virtual
async def test_a_letter_is_settled_before_the_next_is_begun(tmp_path: Path) -> None:
    """Mutation: letters that are settled together."""
    box = Box("a", "b", "c")
    rig = Rig(tmp_path / "p", box, "b")
    assert await rig.run() == [What.REPLAYED, What.FAILED, What.REPLAYED]
    assert box.story == [
        *[("read", "a"), ("send", "a"), ("done", "a")],
        *[("read", "b"), ("send", "b"), ("back", "b")],
        *[("read", "c"), ("send", "c"), ("done", "c")],
    ]
    assert box.names == ["b"]


@virtual
async def test_progress_is_written_before_a_letter_is_removed(tmp_path: Path) -> None:
    """A removal that fails ends the replay; the next removes it without sending it again. Mutation, tried: noted
    afterwards, it is sent twice."""
    box = Box("a")
    box.refuses = True
    with pytest.raises(SourceUnavailable):
        await Rig(tmp_path / "p", box).run()
    box.refuses, box.story = False, []
    assert await Rig(tmp_path / "p", box).run() == [What.BEFORE]
    assert box.story == [("read", "a"), ("done", "a")]
    assert not (tmp_path / "p").exists()


@virtual
async def test_what_is_kept_is_remembered_and_what_is_removed_is_not(tmp_path: Path) -> None:
    """Mutation: a message that comes to lie there again is taken for done, and lost."""
    kept, removed = Box("a", keeps=True), Box("a")
    await Rig(tmp_path / "kept", kept).run()
    await Rig(tmp_path / "removed", removed).run()
    removed.names.append("a")
    assert await Rig(tmp_path / "kept", kept).run() == [What.BEFORE]
    assert await Rig(tmp_path / "removed", removed).run() == [What.REPLAYED]
    assert Progress(tmp_path / "kept").done("a") == {WHOLE}


@virtual
async def test_the_rate_is_of_records_in_a_second(tmp_path: Path) -> None:
    """Mutation: a pause behind each letter, on top of what it took."""
    rig = Rig(tmp_path / "p", Box(*"abcde"), limits=Limits(rate=2.0))
    rig.sender.seconds = 0.3
    await rig.run()
    assert [at - rig.sender.at[0] for at in rig.sender.at] == pytest.approx([0, 0.5, 1, 1.5, 2])


@virtual
async def test_no_letter_is_begun_beyond_the_most(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "p", Box(*"abcde"), limits=Limits(most=2))
    assert len(await rig.run()) == 2
    assert rig.replay.ended_early == "--max is reached"
    assert ("read", "c") not in rig.box.story


@virtual
async def test_a_stop_ends_it_behind_the_letter_under_way(tmp_path: Path) -> None:
    """Also while it waits for its rate. Mutations: the letter is cut off; one more is begun."""
    rig = Rig(tmp_path / "p", Box(*"abc"), limits=Limits(rate=0.001))
    rig.sender.stopping = rig.replay.stopping
    assert await rig.run() == [What.REPLAYED]
    assert rig.replay.ended_early == "interrupted"
    assert rig.box.names == ["b", "c"]


@virtual
async def test_a_stop_in_the_wait_for_the_rate_gives_the_letter_back(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "p", Box(*"abc"), limits=Limits(rate=0.001))
    running = asyncio.ensure_future(rig.run())
    await asyncio.sleep(10)
    rig.replay.stopping.set()
    assert await running == [What.REPLAYED]
    assert rig.box.story[-1] == ("back", "b")


@virtual
async def test_a_letter_on_which_the_filter_fails_is_told_and_stays(tmp_path: Path) -> None:
    """Catches: a traceback, and nothing behind it is replayed; it passes for one that does not fit."""

    class Odd:
        def matches(self, event: dict[str, Any]) -> bool:
            return bool(1 // (event["n"] != "b"))

    box, odd = Box("a", "b", "c"), cast("Pattern", Odd())
    rig = Rig(tmp_path / "p", box, selection=Selection(patterns=[odd]))
    assert await rig.run() == [What.REPLAYED, What.UNREADABLE, What.REPLAYED]
    assert rig.outcomes[1].reason.startswith("--filter cannot judge the record b: ZeroDivisionError(")
    assert box.names == ["b"]
