"""A letter that says only where its records are: the event of them, read again from there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from headrace.letters import Letter, NoLetter
from headrace.mailbox import Trimmed
from headrace.model import Event, Record, Render
from headrace.replaying.finding import Known

NO_PAYLOAD: Final = "it cannot be replayed: the record has no payload"


async def reread(known: Known, letter: Letter) -> Event:
    """The event of a letter that says only where its records are: they are read again from there.

    Raises:
        NoLetter: they are not there any more, or nothing says which of those in the range they were.
        SourceUnavailable: the source does not answer.
    """
    opens = known.recall.reread
    if opens is None:
        raise NoLetter(NO_PAYLOAD)
    rereader = opens(known.opening)
    records: list[Record] = []
    try:
        for stretch in rereader.at(letter.info):
            async for some in rereader.read(stretch):
                records += some
        return rereader.render(_those_of(known, letter, records, rereader.render))
    except Trimmed as error:
        raise NoLetter(f"{NO_PAYLOAD}, and its position is trimmed: {error}") from None
    except ValueError as error:
        raise NoLetter(f"{NO_PAYLOAD}, and {error}") from None
    finally:
        await rereader.close()


def _those_of(known: Known, letter: Letter, records: Sequence[Record], render: Render) -> Sequence[Record]:
    """Those of a range that were given up: all, or all that the mapping's filters take. Raises ValueError."""
    size = letter.info.get("batchSize")
    if not isinstance(size, int) or size == len(records):
        return records
    taken = known.taken(render)
    if len(wanted := [record for record in records if taken(record)]) == size:
        return wanted
    raise ValueError(f"its range holds {len(records)} records now, of which {size} were given up: nothing says which")
