"""The batcher against lists that are searched from the start every time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.batcher import Batcher, BatchPolicy
from support.engine import record

ADDS = st.lists(st.integers(1, 60), max_size=8)
STEPS = st.lists(st.one_of(st.just("take"), st.just("clear"), ADDS), max_size=30)


@settings(deadline=None)
@given(STEPS, st.integers(1, 6), st.integers(1, 120), st.integers(0, 5))
def test_as_the_model(steps, size, nbytes, window):
    batcher = Batcher(BatchPolicy(size=size, nbytes=nbytes, window=window))
    model: list[tuple[object, int]] = []
    for now, step in enumerate(steps):
        if step == "clear":
            assert batcher.clear() == [one for one, _ in model]
            model = []
        elif step == "take" and model:
            fits = [
                count
                for count in range(1, min(size, len(model)) + 1)
                if count == 1 or sum(one.size for one, _ in model[:count]) <= nbytes
            ]
            assert batcher.take() == [one for one, _ in model[: max(fits)]]
            model = model[max(fits) :]
        elif isinstance(step, list):
            page = [record(f"{now}-{index}", size=weight) for index, weight in enumerate(step)]
            batcher.add(page, now)
            model += [(one, now) for one in page]
        assert len(batcher) == len(model)
        assert batcher.due == (model[0][1] + window if model else None)
        assert batcher.full == (len(model) >= size or sum(one.size for one, _ in model) >= nbytes)
