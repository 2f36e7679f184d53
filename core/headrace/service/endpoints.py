"""What a running service tells over HTTP (health, readiness, metrics, every mapping), and the pauses that it takes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict
from email.message import Message
from functools import partial
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import quote

from headrace.clock import SYSTEM
from headrace.service.http import Response, Routes, as_json
from headrace.service.metrics import exposition
from headrace.service.process import NotPausable, Service
from headrace.service.status import MappingView, Snapshot

WEDGED: Final = 5.0
"""Seconds without a beat of the loop after which it counts as wedged."""

PATIENCE: Final = 0.5
"""Seconds that the loop may take to answer before it is read from outside."""

TRIES: Final = 5

T = TypeVar("T")


class Endpoints:
    """The routes of one service. Called in threads of the HTTP server, never on the loop."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> Routes:
        """What is read, and a `pause` and a `resume` for every mapping of the config."""
        return Routes(
            get={
                "/healthz": self.health,
                "/readyz": self.ready,
                "/metrics": self.metrics,
                "/v1/mappings": self.mappings,
            },
            post={
                pause_path(name, word): partial(self.pause, name, paused=word == "pause")
                for name in self._service.known
                for word in ("pause", "resume")
            },
        )

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

    def pause(self, name: str, _: Message, *, paused: bool) -> Response:
        """Answers as soon as it is asked for; `/v1/mappings` shows what has come of it."""
        try:
            changed = self._on_loop(partial(self._service.pause, name, paused=paused), WEDGED)
        except NotPausable as error:
            return as_json({"error": str(error)}, HTTPStatus.CONFLICT)
        except TimeoutError:
            why = "the loop does not answer, so nothing was changed; see /healthz"
            return as_json({"error": why}, HTTPStatus.SERVICE_UNAVAILABLE)
        return as_json({"service": self._service.name, "mapping": name, "paused": paused, "changed": changed})

    def _views(self) -> tuple[MappingView, ...]:
        return self._look().mappings

    def _look(self) -> Snapshot:
        """As seen by the loop between two steps; from outside where it does not answer."""
        try:
            return self._on_loop(self._service.snapshot, PATIENCE)
        except TimeoutError:
            return self._from_outside()

    def _on_loop(self, call: Callable[[], T], patience: float) -> T:
        """What *call* answers between two steps of the loop.

        Raises:
            TimeoutError: the loop did not come to it; the call was not made, and will not be.
        """
        answer: Future[T] = Future()

        def make() -> None:
            if answer.set_running_or_notify_cancel():
                try:
                    answer.set_result(call())
                except Exception as error:  # noqa: BLE001 - raised where it is waited for
                    answer.set_exception(error)

        if SYSTEM.boot() - self._service.heartbeat >= WEDGED or not self._service.soon(make):
            raise TimeoutError
        try:
            return answer.result(patience)
        except TimeoutError:
            if answer.cancel():
                raise
            return answer.result()  # it has begun meanwhile, and waits for nothing

    def _from_outside(self) -> Snapshot:
        for _ in range(TRIES):
            try:
                return self._service.snapshot()
            except RuntimeError:  # a dict changed its size meanwhile
                continue
        return self._service.snapshot()


def pause_path(name: str, word: str) -> str:
    """Where a mapping is told *word*, `pause` or `resume`."""
    return f"/v1/mappings/{quote(name, safe='')}/{word}"
