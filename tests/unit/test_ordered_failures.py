"""What Lambda does to a failing batch of a stream, line by line: lambda-semantics 4.2, 4.3 and 5.2, on a log lane."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from headrace.batcher import BatchPolicy
from headrace.destination import CONFIRMED
from headrace.model import Answer, Failure
from headrace.outgoing import Outcome, Outgoing
from headrace.policy import EXHAUSTED, EXPIRED, FailurePolicy
from headrace.testing import FakeClock, MemoryLog, virtual
from headrace.verdict import Rules, judge
from support.engine import AWAY, Destination, Moody, Rig, ids

BOOM = Failure(type="ValueError", message="boom")
Behave = Callable[[list[str]], Any]


def named(*failed: str) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": name} for name in failed]}


class Shard(Rig):
    """A log lane with its pipeline; *behave* is a handler: it returns an answer, or raises."""

    def __init__(self, names: str, behave: Behave, *, size: int = 100, discard: Any = None, **policy: Any) -> None:
        self.calls = 0

        async def attempt(batch: list[str], _: int) -> Outcome:
            self.calls += 1
            request = f"call {self.calls}"
            try:
                answer = Answer(request_id=request, duration=0.1, value=behave(batch))
            except ValueError:
                answer = Answer(request_id=request, duration=0.1, failure=BOOM)
            return Outcome(answer, judge(answer, batch, Rules(report=True)))

        self.records = MemoryLog(page=100, clock=FakeClock())
        self.records.put(names)
        self.sent = discard or Destination()
        super().__init__(
            self.records.lane(),
            attempt,
            discard=self.sent,
            batch=BatchPolicy(size=size),
            failure=FailurePolicy(**policy),
        )

    @property
    def gone(self) -> list[Outgoing]:
        return self.sent.confirmed

    async def drained(self) -> Shard:
        """Run it until the log has ended and every record has its verdict."""
        self.records.seal()
        async with self.running() as pipeline:
            await pipeline
        return self

    @property
    def told(self) -> list[tuple[str, str, int, str]]:
        """What was given up: records, condition, attempts, the last request's id."""
        return [(",".join(ids(one.records)), one.reason, one.attempts, one.request_id) for one in self.gone]


def fail(batch: list[str]) -> Any:
    raise ValueError("boom")


def fails(*poison: str) -> Behave:
    """Raises for a batch that has one of these."""
    return lambda batch: fail(batch) if set(poison) & set(batch) else None


def names(*poison: str) -> Behave:
    """Names those of these that a batch has."""
    return lambda batch: named(*(name for name in poison if name in batch))


@virtual
async def test_progress_makes_a_new_batch_as_recorded_on_aws():
    """Six records, batches of three, three retries: 6 is delivered five times, its failure record counts four."""
    shard = await Shard("123456", names("6"), size=3, retries=3).drained()
    assert shard.handler.batches == ["1,2,3", "4,5,6", "6", "6", "6", "6"]
    assert shard.told == [("6", EXHAUSTED, 4, "call 6")]
    assert shard.gone[0].outcome.answer.failure is None
    assert shard.records.position == "00000005"


@virtual
async def test_the_lowest_of_those_listed_counts_however_they_are_listed():
    """By position, and once each. Mutations: the first that is listed; a second copy of an id makes it invalid."""
    answers = iter([named("e", "c", "e", "c", "d"), None])
    shard = await Shard("abcdef", lambda _: next(answers)).drained()
    assert shard.handler.batches == ["a,b,c,d,e,f", "c,d,e,f"]


@pytest.mark.parametrize(
    "answer",
    [named("a"), named("b", "a"), named("nobody"), named("b", ""), {"batchItemFailures": [{"id": "b"}]}, 7],
)
@virtual
async def test_without_progress_an_answer_counts_as_an_exception(answer):
    """Recorded: retries 2 are three invocations, and a count of 3. Mutation: a new count at every answer."""
    shard = await Shard("ab", lambda _: answer, retries=2).drained()
    assert shard.handler.batches == ["a,b"] * 3
    assert shard.told == [("a,b", EXHAUSTED, 3, "call 3")]


@pytest.mark.parametrize("retries", [0, 1, 3])
@virtual
async def test_the_first_attempt_is_no_retry(retries):
    shard = await Shard("a", fail, retries=retries).drained()
    assert len(shard.handler.calls) == retries + 1
    assert shard.told[0][2] == retries + 1


@virtual
async def test_nothing_later_is_delivered_meanwhile():
    """The shard is blocked, and goes on behind what was given up."""
    shard = await Shard("abc", fails("b"), size=1, retries=2).drained()
    assert shard.handler.batches == ["a", "b", "b", "b", "c"]
    assert shard.records.position == "00000002"


@pytest.mark.parametrize("behave", [fails("c"), lambda batch: named("c", "?") if "c" in batch else None])
@virtual
async def test_bisection_halves_at_an_exception_and_costs_no_attempt(behave):
    """The single record in the end has its whole budget. Mutations: the count goes on through splits; both go."""
    shard = await Shard("abcd", behave, bisect=True, retries=2).drained()
    assert shard.handler.batches == ["a,b,c,d", "a,b", "c,d", "c", "c", "c", "d"]
    assert [told[:3] for told in shard.told] == [("c", EXHAUSTED, 3)]


@virtual
async def test_a_single_record_never_gets_fewer_attempts_for_splits_and_cuts_before():
    """4.2, last line. Partial answers, exceptions and expiry mixed. Mutation: a budget that pieces share."""
    for retries in (0, 1, 4):
        answers = iter([named("c"), 7, named("d", "c")])

        def behave(batch: list[str], answers: Any = answers) -> Any:
            return next(answers, 7) if "c" in batch else None

        shard = await Shard("abcdefgh", behave, bisect=True, retries=retries).drained()
        assert shard.handler.batches.count("c") == retries + 1
        assert [told[:3] for told in shard.told] == [("c", EXHAUSTED, retries + 1)]


@virtual
async def test_bisection_cuts_a_valid_partial_answer_at_its_record():
    """Mutation: halves, although the handler has said where it is."""
    shard = await Shard("abcdefgh", names("g"), bisect=True, retries=1).drained()
    assert shard.handler.batches == ["a,b,c,d,e,f,g,h", "g,h", "g", "g", "h"]
    assert [told[:3] for told in shard.told] == [("g", EXHAUSTED, 2)]


@virtual
async def test_only_the_prefix_that_expired_goes_in_one_record_and_the_rest_is_delivered():
    """Recorded: one expired and five fresh. The count is 1 though the function never ran; the request id is new."""
    shard = Shard("ab", lambda _: None, max_age=60)
    await asyncio.sleep(61)
    shard.records.put("cdefg")
    await shard.drained()
    assert shard.handler.batches == ["c,d,e,f,g"]
    ((gone, reason, attempts, request),) = shard.told
    assert (gone, reason, attempts, len(request)) == ("a,b", EXPIRED, 1, 36)
    assert shard.gone[0].outcome is None


@virtual
async def test_age_is_looked_at_before_every_attempt_also_after_a_back_off():
    """Real invocations and one more, and the last one's id. Mutations: the last is not counted; a new id."""
    shard = await Shard("a", fail, max_age=60, backoff=1, ceiling=20).drained()
    made = len(shard.handler.calls)
    assert 5 < made < 12
    assert shard.told == [("a", EXPIRED, made + 1, f"call {made}")]
    assert max(shard.handler.times) - shard.handler.times[0] <= 60
    assert shard.gone[0].outcome.answer.failure is BOOM


@virtual
async def test_age_is_looked_at_in_halves_too():
    """The earlier half blocks until its record expires; the later one, as old, is never tried by itself.

    Mutation: an age that is looked at for whole batches only.
    """
    shard = await Shard("abcd", fails("a"), bisect=True, max_age=60, backoff=1, ceiling=5).drained()
    assert shard.handler.batches[:3] == ["a,b,c,d", "a,b", "a"]
    assert set(shard.handler.batches[3:]) == {"a"}
    (first, *rest) = shard.told
    made = len(shard.handler.calls)
    assert first == ("a", EXPIRED, made - 2 + 1, f"call {made}")
    assert [told[:3] for told in rest] == [("b", EXPIRED, 1), ("c,d", EXPIRED, 1)]
    assert [told[3] for told in rest] == ["call 2", "call 1"]


@virtual
async def test_a_destination_that_is_down_holds_its_shard_and_no_other():
    """Rule 9. Mutations: the position moves past what nobody has taken; another shard waits too; a try that drops."""
    held = Shard("abcd", fails("b"), size=1, retries=1, discard=Moody(AWAY))
    other = Shard("abcd", fails("b"), size=1, retries=1)
    async with held.running() as holding:
        await other.drained()
        await asyncio.sleep(3600)
        assert other.records.position == "00000003"
        assert other.told == [("b", EXHAUSTED, 2, "call 3")]
        assert held.records.position == "00000000"
        assert held.handler.batches == ["a", "b", "b"]
        assert len(held.sent.asked) > 10
        assert held.work.unsent.condition(asyncio.get_running_loop().time()).state == "holding"
        held.sent.mood = CONFIRMED
        held.records.seal()
        await holding
    assert held.records.position == "00000003"
    assert held.handler.batches == ["a", "b", "b", "c", "d"]
    assert (held.tally.delivered, held.tally.dropped) == (1, 0)
