"""Python's garbage collector in a process of ours: it looks seldom, for records on their way are no garbage.

It looks at what is young after 700 new objects, as Python comes; a page of records brings thousands, which all live
until their batch is handled and end without it. So it found nothing, at a third of all that a record of Kafka cost, or
more. What handlers leave in circles waits longer: for some 50,000 objects, which are a few megabytes.

In a process that is its user's own nothing of ours touches it: there this is for the user to call.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

YOUNG: Final = 50_000
"""New objects after which it looks. More brings next to nothing."""


@contextmanager
def seldom() -> Iterator[None]:
    """Until the end of the block; begun when all is imported, which it passes over from now on.

    Handlers that had it look more seldom still, or never, are left that.
    """
    before = gc.get_threshold()
    if 0 < before[0] < YOUNG:
        gc.set_threshold(YOUNG, *before[1:])
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
