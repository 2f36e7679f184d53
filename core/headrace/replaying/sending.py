"""Where a letter's records go: to their function, or back to the source that they came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from headrace.attempting import redaction_of
from headrace.destination import Said
from headrace.errors import SourceUnavailable
from headrace.functions import Function, close
from headrace.functions.context import Delivery
from headrace.functions.invocation import Until, never
from headrace.letters import Form, NoLetter
from headrace.mailbox import PutBack
from headrace.model import Order, Record
from headrace.outgoing import Outcome
from headrace.policy import part
from headrace.replaying.finding import Found, Known
from headrace.verdict import Kind, Rules, judge

NAMED: Final = "its handler named it"
BEHIND: Final = "it stands behind one that failed"

AWAY: Final = 3
"""Letters in a row of which a source has taken nothing, after which it counts as away: the rest would only wait."""

WINDOWED: Final = "its mapping has tumbling windows, whose state is gone: replay it with --to source"
Accept: TypeAlias = Callable[[str, str, object], Awaitable[None]]
"""Puts an event on the queue of a function, under a request id. Raises NoLetter: it has none."""


class Sending(Protocol):
    """One way to replay."""

    async def send(self, found: Found, records: Sequence[Record]) -> Mapping[str, str]:
        """Send *records*, which are some of a letter's; those that failed, by id, and why.

        Raises:
            NoLetter: they cannot go this way.
            SourceUnavailable: nor can any other now.
        """
        ...

    async def close(self) -> None: ...


class ToHandler:
    """To the function, with its time-out, as its mapping calls it; its answer is read by the mapping's rules.

    *functions* are the config's that letters may be for.
    """

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self._functions = functions

    async def send(
        self,
        found: Found,
        records: Sequence[Record],
        *,
        until: Until = never,
        lingering: Callable[[Awaitable[None]], None] = lambda _: None,
    ) -> Mapping[str, str]:
        """As `Sending.send`. No call begins after *until*; *lingering* is told of one that timed out and still runs."""
        known = found.known
        if known and known.opening.settings.tumbling_window_in_seconds:
            raise NoLetter(WINDOWED)
        function = self._functions.get(found.function)
        if function is None:
            raise NoLetter(f"it is for the function {found.function}, which this replay does not call")
        letter = found.letter
        invoked = letter.form is Form.INVOCATION
        delivery = Delivery(
            mapping=known.opening.mapping if known else f"function:{found.function}",
            lane=letter.lane or "replay",
            epoch=0,
            attempt=letter.attempts + 1,
        )
        request_id = letter.request_id if invoked and letter.request_id else None
        answer = await function.call(found.recalled.render(records), delivery, until, request_id=request_id)
        if answer.lingering is not None:
            lingering(answer.lingering)
            if known and known.connector.traits.order is not Order.NONE:
                await answer.lingering  # its thread still runs, and what comes next must not overtake it
        # of an asynchronous invocation an answer means nothing
        rules = Rules.of(known.opening.settings, found.recalled.identify) if known else Rules()
        verdict = judge(answer, [record.id for record in records], rules)
        if verdict.all_well:
            return {}
        if verdict.kind is not Kind.PARTIAL or known is None:
            said = self._said(found, records, Outcome(answer, verdict), rules)
            return dict.fromkeys([record.id for record in records], said)
        _, failed = part(records, verdict.failed, known.connector.traits.order, strict=rules.strict)
        return {one.id: NAMED if one.id in verdict.failed else BEHIND for one in failed}

    @staticmethod
    def _said(found: Found, records: Sequence[Record], outcome: Outcome, rules: Rules) -> str:
        """How it failed, without what the mapping hides."""
        known, render = found.known, found.recalled.render
        redaction = redaction_of(known.connector, known.opening, render) if known else None
        if redaction is not None:
            outcome = redaction.outcome(records, outcome, lambda said: judge(said, [one.id for one in records], rules))
        return str(outcome.verdict.failure or outcome.verdict.kind.value)

    async def close(self) -> None:
        await close(self._functions)


class ToSource:
    """To the queue, stream or topic of the mapping, as new records that are like the old.

    An asynchronous invocation goes on its function's queue, by *accept*.
    """

    def __init__(self, accept: Accept) -> None:
        self._accept = accept
        self._opened: dict[str, PutBack] = {}
        self._in_vain: Counter[str] = Counter()

    async def send(self, found: Found, records: Sequence[Record]) -> Mapping[str, str]:
        known = found.known
        if known is None:
            for record in records:
                await self._accept(found.function, record.id, record.raw)
            return {}
        if (why := refusal(known)) is not None:
            raise NoLetter(why)
        name = known.opening.mapping
        if self._in_vain[name] >= AWAY:
            raise SourceUnavailable(
                f"{name}: its source took nothing of the last {AWAY} letters; come again for the rest"
            )
        replies = await self._put_back(known).send(records)
        in_vain = all(reply.said is Said.FAILED for reply in replies)
        self._in_vain[name] = self._in_vain[name] + 1 if in_vain else 0
        return {
            record.id: reply.reason
            for record, reply in zip(records, replies, strict=True)
            if reply.said is not Said.CONFIRMED
        }

    def _put_back(self, known: Known) -> PutBack:
        name = known.opening.mapping
        if name not in self._opened:
            opens = known.recall.put_back
            assert opens is not None, "refusal() has seen to it"  # noqa: S101
            self._opened[name] = opens(known.opening)
        return self._opened[name]

    async def close(self) -> None:
        for one in self._opened.values():
            await one.close()


def refusal(known: Known) -> str | None:
    """Why records of a mapping cannot go back to their source; None where they can."""
    recall = known.connector.recall
    if recall is not None and recall.put_back is not None:
        return None
    return (recall and recall.no_way_back) or f"nothing is sent back to a source of {known.connector.type}"
