"""Parting and retrying, whatever fails."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.model import Order, Traits
from headrace.policy import Bisect, Discard, FailurePolicy, Retry, halves, part
from support.engine import record

BATCHES = st.lists(st.sampled_from("xyz"), min_size=1, max_size=12).map(
    lambda keys: [record(f"{index}", key) for index, key in enumerate(keys)]
)


@settings(deadline=None)
@given(BATCHES, st.data(), st.sampled_from(Order), st.booleans())
def test_parting(batch, data, order, strict):
    failed = set(data.draw(st.lists(st.sampled_from([one.id for one in batch]), min_size=1)))
    good, bad = part(batch, failed, order, strict=strict)
    place = {one.id: index for index, one in enumerate(batch)}
    assert sorted([*good, *bad], key=lambda one: place[one.id]) == batch
    for some in (good, bad):
        assert list(some) == sorted(some, key=lambda one: place[one.id])
    assert failed <= {one.id for one in bad}
    for one in bad:
        earlier = {other.id for other in batch[: place[one.id] + 1]}
        of_group = {other.id for other in batch[: place[one.id] + 1] if other.key == one.key}
        reasons = {Order.SEQUENCE: earlier, Order.KEY: of_group if strict else {one.id}, Order.NONE: {one.id}}
        assert failed & reasons[order]
    if order is Order.SEQUENCE:
        assert all(place[one.id] < place[other.id] for one in good for other in bad)
    if order is Order.KEY and strict:
        assert all(place[one.id] < place[other.id] for one in good for other in bad if one.key == other.key)


@settings(deadline=None)
@given(
    st.integers(1, 40),
    st.sets(st.integers(0, 39)),
    st.one_of(st.none(), st.integers(0, 4)),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_every_record_of_a_log_gets_one_verdict_and_no_innocent_is_given_up(count, poison, retries, bisect, chance):
    """Plays the decisions through, with answers that are exceptions or partial by chance."""
    traits = Traits(Order.SEQUENCE, redelivers=False)
    policy = FailurePolicy(retries=retries, bisect=bisect)
    verdicts: list[tuple[int, str]] = []
    pieces = [([record(f"{number}") for number in range(count)], 1)]
    alone: dict[int, int] = {}
    for _ in range(5000):
        if not pieces:
            break
        piece, attempt = pieces.pop(0)
        numbers = [int(one.id) for one in piece]
        failing = poison & set(numbers)
        if len(piece) == 1:
            alone[numbers[0]] = alone.get(numbers[0], 0) + 1
        if not failing:
            verdicts += [(number, "good") for number in numbers]
            continue
        names = {str(number) for number in failing} if chance.random() < 0.5 else set(map(str, numbers))
        good, bad = part(piece, names, traits.order)
        verdicts += [(int(one.id), "good") for one in good]
        match policy.decide(traits, failed=len(bad), attempt=attempt, progress=bool(good)):
            case Bisect():
                pieces = [(half, 1) for half in halves(bad)] + pieces
            case Retry(_, following):
                pieces.insert(0, (bad, following))
            case Discard():
                verdicts += [(int(one.id), "lost") for one in bad]
    if retries is None and poison & set(range(count)):
        assert [number for number, _ in verdicts] == list(range(min(poison)))
        return
    assert [number for number, _ in verdicts] == list(range(count))
    if bisect:
        assert {number for number, kind in verdicts if kind == "lost"} == poison & set(range(count))
        for number in poison & set(range(count)):
            assert alone[number] >= retries + 1


@settings(deadline=None)
@given(st.integers(1, 10_000), st.floats(0.001, 100), st.floats(0.001, 1000))
def test_a_delay_grows_to_its_ceiling_and_no_further(attempt, backoff, ceiling):
    policy = FailurePolicy(backoff=backoff, ceiling=ceiling)
    assert 0 < policy.delay(attempt) <= policy.delay(attempt + 1) <= ceiling
