"""What a mapping's `idempotency` comes to: its verdicts in the process's store, and a `Once` for each lane."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from headrace.functions.invocation import GRACE
from headrace.jmes import compiled
from headrace.keying import keyer
from headrace.model import Lane, Source
from headrace.once import Idempotency, Once
from headrace.plugins import Connector, Opening
from headrace.verdicts import Verdicts


def idempotency_of(connector: Connector, opening: Opening) -> Idempotency | None:
    """What the mapping's lanes are to share; None where it has no idempotency. Nothing is opened yet."""
    if opening.settings.idempotency is None:
        return None
    if opening.leases is None:
        raise ValueError("idempotency needs leases: they lead to the store")
    return idempotency_by(connector, opening, opening.leases.ledger, opening.leases.owner)


def idempotency_by(
    connector: Connector, opening: Opening, verdicts: Callable[[], Awaitable[Verdicts]], owner: str
) -> Idempotency | None:
    """The same, where *owner* has another way to the store; None where the mapping has no idempotency."""
    settings, view = opening.settings.idempotency, connector.view_of(opening.options)
    if settings is None or view is None:
        return None
    search = compiled(settings.key)
    return Idempotency(
        mapping=opening.mapping,
        keyer=lambda render: keyer(search, view, render),
        verdicts=verdicts,
        owner=owner,
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
