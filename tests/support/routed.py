"""The one destination of what is told without rules."""

from __future__ import annotations

from headrace.plugins import Destined, Routing


def only(routing: Routing | None) -> Destined:
    assert routing is not None
    (route,) = routing.routes
    (to,) = route.to
    return to
