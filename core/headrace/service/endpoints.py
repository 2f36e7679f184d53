"""What a running service tells over HTTP: health, readiness, metrics, and the view of every mapping."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future
from dataclasses import asdict
from email.message import Message
from http import HTTPStatus
from typing import Final

from headrace.clock import SYSTEM
from headrace.service.http import Response, Route, as_json
from headrace.service.metrics import exposition
from headrace.service.process import Service
from headrace.service.status import MappingView, Snapshot

WEDGED: Final = 5.0
"""Seconds without a beat of the loop after which it counts as wedged."""

PATIENCE: Final = 0.5
"""Seconds that the loop may take to answer before it is read from outside."""

TRIES: Final = 5


class Endpoints:
    """The routes of one service. Called in threads of the HTTP server, never on the loop."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> dict[str, Route]:
        return {
            "/healthz": self.health,
            "/readyz": self.ready,
            "/metrics": self.metrics,
            "/v1/mappings": self.mappings,
        }

    def health(self, _: Message) -> Response:
        silent = SYSTEM.boot() - self._service.heartbeat
        if silent > WEDGED:
            reason = f"the loop has not run for {silent:.0f} s: something blocks it, perhaps an async handler"
            return as_json({"status": "wedged", "reason": reason}, HTTPStatus.SERVICE_UNAVAILABLE)
        return as_json({"status": "ok"})

    def ready(self, headers: Message) -> Response:
        if (health := self.health(headers)).status != HTTPStatus.OK:
            return health
        if self._service.stopping:
            return as_json({"ready": False, "reason": "stopping"}, HTTPStatus.SERVICE_UNAVAILABLE)
        waiting = {
            view.mapping: {"state": view.state, "reason": view.reason, "since": view.since}
            for view in self._views()
            if not view.ready
        }
        if waiting:
            return as_json({"ready": False, "mappings": waiting}, HTTPStatus.SERVICE_UNAVAILABLE)
        return as_json({"ready": True})

    def metrics(self, headers: Message) -> Response:
        content_type, body = exposition(self._service.name, self._look(), headers.get("Accept") or "")
        return Response(HTTPStatus.OK, body, content_type)

    def mappings(self, _: Message) -> Response:
        return as_json({"service": self._service.name, "mappings": [asdict(view) for view in self._views()]})

    def _views(self) -> tuple[MappingView, ...]:
        return self._look().mappings

    def _look(self) -> Snapshot:
        """As seen by the loop between two steps; from outside where it does not answer."""
        seen: Future[Snapshot] = Future()

        def look() -> None:
            if seen.set_running_or_notify_cancel():
                try:
                    seen.set_result(self._service.snapshot())
                except Exception as error:  # noqa: BLE001 - raised where it is waited for
                    seen.set_exception(error)

        if SYSTEM.boot() - self._service.heartbeat < WEDGED and self._service.soon(look):
            try:
                return seen.result(PATIENCE)
            except (TimeoutError, CancelledError):
                seen.cancel()
        return self._from_outside()

    def _from_outside(self) -> Snapshot:
        for _ in range(TRIES):
            try:
                return self._service.snapshot()
            except RuntimeError:  # a dict changed its size meanwhile
                continue
        return self._service.snapshot()
