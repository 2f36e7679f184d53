"""Whom a lane's records are told to, as its mapping says: its rules with destinations that are open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from headrace.claims import ClaimStore
from headrace.destination import Destination, Payload
from headrace.filters import Pattern, compile_pattern, keeper
from headrace.functions import Function
from headrace.invocations import InvocationLane
from headrace.model import Keep, Lane, Record, Source
from headrace.outgoing import Sender, no_destination
from headrace.outlet import Outlet
from headrace.outlets import Outlets, Way
from headrace.plugins import Connector, Destined, Opening, Route, Routing
from headrace.redaction import Redaction
from headrace.writing import About, DeadLetters, FailureRecords, InvocationRecords, Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """One lane of a mapping. `opened` are its destinations, `claims` its claim checks, by `Destined.key`."""

    connector: Connector
    opening: Opening
    function: Function
    source: Source
    lane: Lane
    opened: Mapping[object, Destination]
    claims: Mapping[object, ClaimStore]
    redaction: Redaction | None = None
    about: About = field(init=False)

    def __post_init__(self) -> None:
        about = About(
            service=self.opening.service,
            mapping=self.opening.mapping,
            source=self.connector.type,
            function=self.function.name,
            function_arn=self.function.arn,
            version=self.function.version,
            redaction=self.redaction,
            hops=self.connector.hops,
        )
        object.__setattr__(self, "about", about)

    def of_failure(self) -> Sender:
        """Of what was given up; an asynchronous invocation's goes to its function's dead letters too."""
        routing, dead = self.opening.on_failure, self._dead_letters()
        if routing is None:
            return Outlets([Way(outlets=dead)]) if dead else no_destination
        claims = self._claims_of(routing)
        return Outlets(
            [self._way(route, [*[self._failed(to, claims) for to in route.to], *dead]) for route in routing.routes]
        )

    def of_success(self) -> Sender | None:
        """Of what succeeded; None where nobody is told."""
        routing = self.opening.on_success
        if routing is None:
            return None
        claims = self._claims_of(routing)
        return Outlets([self._way(route, [self._succeeded(to, claims) for to in route.to]) for route in routing.routes])

    def _claims_of(self, routing: Routing) -> ClaimStore | None:
        return self.claims[routing.claim_check.key] if routing.claim_check else None

    def _failed(self, to: Destined, claims: ClaimStore | None) -> Outlet:
        full = self.opening.settings.failure_payload == "full"
        writes: Writer = FailureRecords(
            about=self.about, origin=self.source.origin, render=self.source.render, full=full, form=to.kind.form
        )
        if isinstance(self.lane, InvocationLane):
            writes = InvocationRecords(about=self.about, render=self.source.render, request_id=self.lane.request_id)
            full = True  # of an invocation there is no other record
        return Outlet(
            destination=self.opened[to.key],
            write=writes,
            apart=self.lane.traits.redelivers,
            payload=to.kind.payload or (Payload.OBJECT if full else Payload.OMITTED),
            log=self.opening.log,
            discreet=self.redaction is not None,
            singly=to.kind.singly,
            claims=claims,
        )

    def _succeeded(self, to: Destined, claims: ClaimStore | None) -> Outlet:
        request_id = self.lane.request_id if isinstance(self.lane, InvocationLane) else None
        return Outlet(
            destination=self.opened[to.key],
            write=InvocationRecords(about=self.about, render=self.source.render, request_id=request_id),
            apart=False,
            payload=Payload.OBJECT,
            log=self.opening.log,
            discreet=self.redaction is not None,
            whole=True,
            claims=claims,
        )

    def _dead_letters(self) -> list[Outlet]:
        to = self.opening.dead_letter
        if to is None or not isinstance(self.lane, InvocationLane):
            return []
        writes = DeadLetters(about=self.about, render=self.source.render, request_id=self.lane.request_id)
        outlet = Outlet(
            destination=self.opened[to.key],
            write=writes,
            apart=True,
            payload=Payload.OBJECT,
            log=self.opening.log,
            discreet=self.redaction is not None,
        )
        return [outlet]

    def _way(self, route: Route, outlets: list[Outlet]) -> Way:
        return Way(outlets=outlets, classes=route.classes, wanted=self._wanted(route))

    def _wanted(self, route: Route) -> Keep | None:
        if route.pattern is None:
            return None
        view, pattern = self.connector.view_of(self.opening.options), compile_pattern(route.pattern)
        fits = self._whole_event(pattern) if view is None else keeper([pattern], view, self.source.render)

        def wanted(record: Record) -> bool:
            try:
                return fits(record)
            except Exception:  # noqa: BLE001 - what no pattern can read fits the rule that has none
                return False

        return wanted

    def _whole_event(self, pattern: Pattern) -> Keep:
        """Of what is invoked asynchronously there is no other view than its event, of whatever JSON that is."""

        def fits(record: Record) -> bool:
            event = self.source.render([record])
            return isinstance(event, dict) and pattern.matches(event)

        return fits
