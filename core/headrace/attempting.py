"""One attempt at records of a lane: rendered as their source's event, handed to the function, judged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from headrace.functions import Function
from headrace.functions.context import Delivery
from headrace.invocations import InvocationLane
from headrace.masking import read_path
from headrace.model import Answer, Event, Failure, Lane, Order, Record, Render, Source, Unreadable
from headrace.once import Once
from headrace.outgoing import Outcome
from headrace.plugins import Connector, Opening
from headrace.redaction import Redaction
from headrace.trying import Attempt
from headrace.verdict import UNREADABLE, Rules, judge


def attempt_of(
    opening: Opening,
    function: Function,
    source: Source,
    lane: Lane,
    once: Once | None = None,
    *,
    redaction: Redaction | None = None,
) -> Attempt:
    """How the records of *lane* are tried; what went wrong is told as *redaction* has it.

    A handler is not begun once another owner's attempt could run beside it: that of the lane, or of the records where
    each has a time of its own and their order, or a call that is made once, hangs on it. Nor when a key that is to be
    run *once* may be another's before the call's hard stop.
    """
    settings, log = opening.settings, opening.log
    calls = lane if isinstance(lane, InvocationLane) else None
    own_times = calls is not None or lane.traits.order is Order.KEY
    rules = Rules.of(settings, source.identify)

    def until(records: Sequence[Record]) -> float:
        if lane.doubt is not None:
            return -math.inf
        last = min(record.until for record in records) if own_times else lane.deadline
        return last if once is None else min(last, once.until(records))

    async def attempt(records: Sequence[Record], number: int, keys: Event) -> Outcome:
        tries = max([number, *[record.attempt for record in records]])
        delivery = Delivery(mapping=opening.mapping, lane=lane.name, epoch=lane.epoch, attempt=tries)
        request_id = calls.request_id(records) if calls else None
        try:
            event = source.render(records)
            event = {**event, **keys} if keys else event
        except Exception as error:
            if any(isinstance(record, Unreadable) for record in records):
                return Outcome(Answer(request_id="", duration=0.0), UNREADABLE)
            log.exception("batch.unrenderable", lane=lane.name, ids=[record.id for record in records[:10]])
            why = repr(error) if redaction is None else type(error).__name__
            answer = Answer(request_id="", duration=0.0, failure=Failure(type="Unrenderable", message=why))
        else:
            answer = await function.call(event, delivery, partial(until, records), request_id=request_id)
        outcome = Outcome(answer, judge(answer, (record.id for record in records), rules))
        if redaction is not None:
            outcome = redaction.outcome(records, outcome, lambda said: judge(said, [one.id for one in records], rules))
        if calls and not answer.lapsed:
            calls.heard(records, outcome.answer)
        return outcome

    return attempt


def redaction_of(connector: Connector, opening: Opening, render: Render) -> Redaction | None:
    """What is hidden of a mapping's records, which *render* shows; None where nothing is."""
    masking = connector.masking_of(opening.options)
    if not opening.settings.redact or masking is None:
        return None
    return Redaction(
        paths=[read_path(one) for one in opening.settings.redact],
        masking=masking,
        render=render,
        log=opening.log,
        windowed=bool(opening.settings.tumbling_window_in_seconds),
    )
