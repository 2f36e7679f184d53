"""The garbage collector looks seldom in a process of ours, and as before when that is over."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from headrace.service import collector
from support.command import project


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


class Circle:
    def __init__(self) -> None:
        self.me = self


def test_it_looks_seldom_until_the_end() -> None:
    """Mutations: the thresholds stay as they come; they stay ours in a process that goes on."""
    gc.set_threshold(700, 11, 12)
    with collector.seldom():
        assert gc.get_threshold() == (collector.YOUNG, 11, 12)
        assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == (700, 11, 12)
    assert gc.get_freeze_count() == 0


def test_circles_are_still_found() -> None:
    """Mutation: a collector that is turned off."""
    with collector.seldom():
        assert gc.isenabled()
        gone = weakref.ref(Circle())
        kept = [[] for _ in range(collector.YOUNG + 1000)]
        assert gone() is None, len(kept)


@pytest.mark.parametrize("own", [0, 1_000_000])
def test_handlers_that_have_it_look_more_seldom_keep_that(own: int) -> None:
    """Mutation: what a handler's module has set is set back; 0 means never."""
    gc.set_threshold(own, 10, 10)
    with collector.seldom():
        assert gc.get_threshold()[0] == own


def test_headrace_run_has_it_look_seldom(tmp_path) -> None:
    """Mutation: only the benchmark does."""
    with project(tmp_path) as shop:
        (shop.folder / "handlers.py").write_text(
            "import gc, pathlib\n"
            "def look(event, context):\n    pathlib.Path('seen.txt').write_text(str(gc.get_threshold()[0]))\n"
        )
        shop.write("look", source={"count": 1})
        done = shop.run("run", "config.yaml", "--exit-when-idle", "0.2")
        assert done.returncode == 0, done.stderr
        assert (shop.folder / "seen.txt").read_text() == str(collector.YOUNG)
