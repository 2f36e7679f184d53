"""Processes that stood still for longer than they were counted in: what they held then, they have lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from headrace.testing.lineage import Write
from support.service import boot
from support.streambooks import StreamBooks

Stops: TypeAlias = dict[tuple[str, int], tuple[float, float]]
"""Leases (shard, epoch) of a process that was stopped: from when until when, on the boot clock."""


def nothing_more(books: StreamBooks, writes: Sequence[Write], stops: Stops) -> None:
    """No call was made since, and nothing was written under the old epoch once others were let in."""
    for made, call in books.dispatched():
        begin, end = stops.get((call.lane, call.epoch), (boot(), boot()))
        assert made <= begin, f"{call} was made {made - end:.2f} s after its process went on"
    for lease, (_, end) in stops.items():
        assert not [one for one in writes if (one.shard, one.epoch) == lease and one.at > end]
