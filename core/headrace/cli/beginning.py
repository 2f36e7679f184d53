"""`headrace seek` where there are no positions: the mapping was never begun, or its store was emptied."""

from __future__ import annotations

from headrace.cli.ledgers import Refused
from headrace.graph import Start, first
from headrace.ledger import Ledger
from headrace.seeking import At, Edge, Target
from headrace.shards import Shards
from headrace.witness import Witness


async def begin(name: str, target: Target, shards: Shards, ledger: Ledger, witness: Witness) -> None:
    """Write the first graph of the mapping *name*, to be read from *target*.

    Raises:
        Refused: a copy was sooner.
    """
    listing = await shards.list()
    rows = first(listing, _start(target), shards)
    if not await ledger.plan(name, listing.identity, rows):
        raise Refused(f"{name} was begun by a copy just now: seek again")
    written = (await ledger.rows(name)).generation
    if written is not None:
        witness.saw(name, listing.identity, written)
    for row in rows:
        print(f"{name}: {row.name}: begins {'after its end' if row.ended else f'from {row.position}'}")


def _start(target: Target) -> Start:
    """*target*, which is no sequence number, as that is of one shard."""
    match target:
        case At(time):
            return Start("AT_TIMESTAMP", time)
        case Edge.LATEST:
            return Start("LATEST")
        case _:
            return Start("TRIM_HORIZON")
