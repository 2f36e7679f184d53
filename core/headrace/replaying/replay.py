"""One replay: each letter is read, chosen, mended, sent and settled before the next one is begun."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from headrace.clock import SYSTEM, Clock
from headrace.letters import Form, Letter, NoLetter, Posted
from headrace.mailbox import Mailbox
from headrace.model import Record
from headrace.replaying.claimed import Tickets
from headrace.replaying.editing import Edit, NotEdited
from headrace.replaying.finding import Finder, Found
from headrace.replaying.placed import reread
from headrace.replaying.progress import WHOLE, Progress
from headrace.replaying.selection import Selection
from headrace.replaying.sending import Sending


class What(StrEnum):
    """What became of a letter."""

    REPLAYED = "replayed"
    FAILED = "failed again"
    SKIPPED = "skipped"
    UNREADABLE = "unreadable"
    BEFORE = "replayed before"
    SHOWN = "would be replayed"
    """Only in a preview."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One letter at its end: `records` were sent, `failed` of them failed again; `reason` is why.

    Of a preview: the `event` that would be sent, and the payload of its `first` record.
    """

    id: str
    what: What
    letter: Letter | None = None
    mapping: str = ""
    function: str = ""
    records: int = 0
    failed: Sequence[str] = ()
    reason: str = ""
    event: Any = None
    first: Any = None


@dataclass(slots=True, kw_only=True)
class Limits:
    """`most` records are sent at all, and `rate` in a second; no letter is begun beyond. None: no limit."""

    most: int | None = None
    rate: float | None = None


@dataclass(slots=True, kw_only=True)
class Replay:
    """*tell* is given every outcome; *stopping* ends it behind the letter that is under way.

    Without *sending* it is a preview: every letter is read, chosen and mended, and stays.
    """

    mailbox: Mailbox
    finder: Finder
    selection: Selection
    sending: Sending | None
    progress: Progress
    tell: Callable[[Outcome], None]
    edit: Edit | None = None
    tickets: Tickets = field(default_factory=Tickets)
    limits: Limits = field(default_factory=Limits)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    clock: Clock = SYSTEM
    counts: Counter[What] = field(default_factory=Counter)
    sent: int = 0
    ended_early: str = ""

    async def run(self) -> None:
        """To the last letter, or as far as it may.

        Raises:
            SourceUnavailable: the letters' place does not answer; what was settled until then is settled.
        """
        letters = self.mailbox.letters()
        try:
            due = self.clock.boot()
            while not self._over() and (posted := await anext(letters, None)) is not None:
                await self._wait_until(due)
                if self.stopping.is_set():
                    await self.mailbox.back(posted)
                    break
                began, before = self.clock.boot(), self.sent
                outcome = await self._carry(posted)
                self.counts[outcome.what] += 1
                self.tell(outcome)
                if self.limits.rate:
                    due = max(due, began) + (self.sent - before) / self.limits.rate
        finally:
            with suppress(RuntimeError):
                await letters.aclose()  # type: ignore[attr-defined]
        if self.stopping.is_set():
            self.ended_early = "interrupted"

    def _over(self) -> bool:
        if self.limits.most is not None and self.sent >= self.limits.most:
            self.ended_early = "--max is reached"
            return True
        return self.stopping.is_set()

    async def _wait_until(self, due: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, due - self.clock.boot())):
                await self.stopping.wait()

    async def _carry(self, posted: Posted) -> Outcome:
        done = self.progress.done(posted.id)
        if WHOLE in done:
            await self._settle(posted)
            return Outcome(id=posted.id, what=What.BEFORE)
        letter: Letter | None = None
        try:
            letter = self.finder.find(posted)
            if why := self.selection.refuses(letter):
                await self.mailbox.back(posted)
                return Outcome(id=posted.id, what=What.SKIPPED, letter=letter, mapping=letter.mapping, reason=why)
            letter = self.finder.find(await self.tickets.redeemed(posted))
            found = await self._found(letter)
            return await self._send(posted, found, done)
        except NoLetter as why:
            await self.mailbox.back(posted)
            return Outcome(id=posted.id, what=What.UNREADABLE, letter=letter, reason=str(why))

    async def _found(self, letter: Letter) -> Found:
        if letter.form is Form.PLACE:
            return self.finder.made(letter, await reread(self.finder.whose(letter), letter))
        return self.finder.made(letter, letter.event)

    async def _send(self, posted: Posted, found: Found, done: AbstractSet[str]) -> Outcome:
        about: dict[str, Any] = {
            "id": posted.id,
            "letter": found.letter,
            "mapping": found.known.opening.mapping if found.known else "",
            "function": found.function,
        }
        left = [record for record in found.recalled.records if record.id not in done]
        wanted = self.selection.of(found, left)
        if not wanted:
            await self.mailbox.back(posted)
            return Outcome(what=What.SKIPPED, reason="no record fits --filter", **about)
        try:
            records = wanted if self.edit is None else [found.edited(one, self.edit) for one in wanted]
        except NotEdited as why:
            await self.mailbox.back(posted)
            return Outcome(what=What.FAILED, failed=_ids(wanted), reason=str(why), **about)
        self.sent += len(records)
        if self.sending is None:
            await self.mailbox.back(posted)
            shown = {"event": found.recalled.render(records), "first": found.payload(records[0])}
            return Outcome(what=What.SHOWN, records=len(records), **shown, **about)
        failed = await self.sending.send(found, records)
        await self._remember(posted, records, failed, whole=len(wanted) == len(left))
        reason = next(iter(failed.values()), "")
        what = What.FAILED if failed else What.REPLAYED
        return Outcome(what=what, records=len(records), failed=list(failed), reason=reason, **about)

    async def _remember(
        self, posted: Posted, records: Sequence[Record], failed: Mapping[str, str], *, whole: bool
    ) -> None:
        """Durable before anything else is done. A letter of which something is left goes back whole."""
        if whole and not failed:
            self.progress.note(posted.id, [WHOLE])
            await self._settle(posted)
            return
        if good := [record.id for record in records if record.id not in failed]:
            self.progress.note(posted.id, good)
        await self.mailbox.back(posted)

    async def _settle(self, posted: Posted) -> None:
        if self.sending is None:
            await self.mailbox.back(posted)
            return
        await self.mailbox.done(posted)
        if not self.mailbox.keeps:
            self.progress.forget(posted.id)


def _ids(records: Sequence[Record]) -> list[str]:
    return [record.id for record in records]
