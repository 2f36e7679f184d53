"""A letter with a ticket in place of its payload: the record that it stands for, from a claim check of the config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from headrace.claims import claim_in
from headrace.errors import DestinationUnavailable
from headrace.letters import NoLetter, Posted, record_in
from headrace.plugins import Destined, Opening


@dataclass(frozen=True, slots=True)
class Tickets:
    """*checks* are all claim checks of a config, each with the opening of who has it."""

    checks: Sequence[tuple[Opening, Destined]] = ()

    async def redeemed(self, posted: Posted) -> Posted:
        """With the whole record in place of the one that has a ticket; itself where it has none.

        Raises:
            NoLetter: the record cannot be had.
        """
        record = record_in(posted.body)
        claim = None if record is None else claim_in(record)
        if claim is None:
            return posted
        for opening, check in self.checks:
            if check.kind.type != claim["type"] or check.kind.claims is None:
                continue
            try:
                return replace(posted, body=await check.kind.claims.fetch(opening, check.options, claim))
            except ValueError:  # it is of another one
                continue
            except DestinationUnavailable as error:
                raise NoLetter(f"its record is in a claim check, and cannot be had from there: {error}") from None
        raise NoLetter(f"its record is in a claim check that the config does not have: {dict(claim)}")
