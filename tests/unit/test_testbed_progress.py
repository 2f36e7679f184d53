"""Progress where there is no terminal: a line at the beginning, and one now and then."""

from __future__ import annotations

import pytest

from headrace_connectors.testbed.progress import EVERY, Shown
from support.handclock import HandClock


def test_lines_are_few_and_say_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    clock = HandClock()
    with Shown(clock) as progress:
        for done in range(3):
            progress("fetching", done, 1000)
        clock.now += EVERY
        for done in (400, 500):
            progress("fetching", done, 1000)
        progress("starting", 0, 0)
        clock.now += EVERY
        progress("starting", 0, 0)
        progress.over()
    assert capsys.readouterr().err.splitlines() == ["fetching …", "fetching: 400 of 1,000", "starting …"]
