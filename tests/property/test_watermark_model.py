"""The watermark against a list of flags that is read from its start every time."""

from __future__ import annotations

from itertools import groupby, takewhile

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.model import Held
from headrace.watermark import Watermark
from support.engine import record

PAGES = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=5), max_size=6)
"""Pages of positions, each shared by one to four records."""


@settings(deadline=None)
@given(PAGES, st.data())
def test_as_the_model(pages, data):
    mark, everything, settled = Watermark(), [], set()

    def check():
        gapless = list(takewhile(lambda one: one.id in settled, everything))
        whole = [
            position
            for position, group in groupby(everything, key=lambda one: one.token)
            if all(one in gapless for one in group)
        ]
        assert mark.reached == (whole[-1] if whole else None)
        above = everything[len(gapless) :]
        assert mark.above == Held(len(above), sum(one.size for one in above))

    for number, page in enumerate(pages):
        some = [
            record(f"{number}-{place}-{part}", size=data.draw(st.integers(1, 50)), token=f"{number:03}-{place:03}")
            for place, share in enumerate(page)
            for part in range(share)
        ]
        mark.track(some)
        everything += some
        _settle(mark, everything, settled, data)
        check()
    while len(settled) < len(everything):
        _settle(mark, everything, settled, data, at_least=1)
        check()


def _settle(mark, everything, settled, data, at_least=0):
    unsettled = [one for one in everything if one.id not in settled]
    order = st.lists(st.sampled_from(unsettled), unique_by=id, min_size=at_least) if unsettled else st.just([])
    chosen = data.draw(order)
    mark.settle(chosen)
    settled.update(one.id for one in chosen)
