"""What a mapping's `idempotency` comes to: its verdicts in the process's store, and a `Once` for each lane."""

from __future__ import annotations

import asyncio

from headrace.functions.invocation import GRACE
from headrace.jmes import compiled
from headrace.keying import keyer
from headrace.model import Lane, Source
from headrace.once import Idempotency, Once
from headrace.plugins import Connector, Opening


def idempotency_of(connector: Connector, opening: Opening) -> Idempotency | None:
    """What the mapping's lanes are to share; None where it has no idempotency. Nothing is opened yet."""
    settings, view = opening.settings.idempotency, connector.view_of(opening.options)
    if settings is None or view is None:
        return None
    if opening.leases is None:
        raise ValueError("idempotency needs leases: they lead to the store")
    search = compiled(settings.key)
    return Idempotency(
        mapping=opening.mapping,
        keyer=lambda render: keyer(search, view, render),
        verdicts=opening.leases.ledger,
        owner=opening.leases.owner,
        lasts=opening.function_timeout + GRACE,
        expires_after=settings.remembered,
        clock=opening.clock,
        log=opening.log,
    )


def once_in(shared: Idempotency | None, source: Source, lane: Lane, stopping: asyncio.Event) -> Once | None:
    """How the records of *lane* are run once; *stopping* is set when it is to stop."""
    if shared is None:
        return None
    return Once(shared, shared.keyer(source.render), lane.name, lane.traits.order, stopping)
