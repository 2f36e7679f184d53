"""A catalog of a queue and a log that never run: what config tests need of connectors, and no more."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from headrace.errors import Fault
from headrace.filters import View
from headrace.masking import WHOLE
from headrace.model import Order, Source, Traits
from headrace.plugins import Catalog, Connector, Opening, Probe
from headrace.settings import Settings


class Login(Settings):
    username: str
    password: SecretStr


class QueueOptions(Settings):
    queue_url: str = Field(description="Where the queue is.", max_length=200)
    visibility_timeout: int | None = Field(None, ge=0, le=43200, description="Seconds.")
    mode: Literal["fast", "slow"] = "slow"
    login: Login | None = None
    session_token: str | None = None
    refused_token: str | None = None
    tags: list[str] = Field([], max_length=2)
    labels: dict[str, Any] = Field({})
    ratio: float = Field(0.5, gt=0, lt=1)

    @field_validator("queue_url")
    @classmethod
    def _url(cls, url: str) -> str:
        if "://" not in url:
            raise ValueError(f"{url!r} is not a URL")
        return url


class LogOptions(Settings):
    stream: str = Field(min_length=1, pattern=r"^[a-z-]+$")
    topics: tuple[str, ...] = Field(("a",), min_length=1)


class CloudSection(Settings):
    region: str | None = None
    endpoint_url: str | None = None


def _open(_: Opening) -> Source:
    raise NotImplementedError


async def _probe(_: Opening) -> Probe:
    return Probe()


def _check(opening: Opening) -> Iterable[Fault]:
    if (opening.settings.batch_size or 0) > 10 and not opening.settings.maximum_batching_window_in_seconds:
        yield Fault("batch_size", "above 10 needs a window")
    if opening.options.queue_url.endswith("/none"):
        yield Fault("source.queue_url", f"there is no {opening.options.queue_url}")
    if opening.options.queue_url.endswith("/split"):
        yield Fault("source.queue_url", f"no login as {urlsplit(opening.options.queue_url).password}")
    if opening.options.refused_token:
        yield Fault("source.refused_token", f"{opening.options.refused_token} is not for queues")


def _warn(opening: Opening) -> Iterable[Fault]:
    if (opening.options.visibility_timeout or 30) < opening.function_timeout:
        yield Fault("source.visibility_timeout", "shorter than the time-out of the function")


def _view(payload: str, *, plain: bool = True) -> View:
    return View(
        record="record",
        payload=payload,
        content=lambda record: str(record.raw[payload]),
        fields=lambda _, record: {"id": record.id},
        keys=frozenset({"id"}),
        plain=plain,
        masking=WHOLE,
    )


QUEUE = Connector(
    type="queue",
    summary="A queue.",
    options=QueueOptions,
    traits=Traits(Order.NONE, redelivers=True),
    open=_open,
    probe=_probe,
    refuses={
        "parallelization_factor": "a queue has no shards",
        "starting_position": "a queue has no positions",
    },
    check=_check,
    warn=_warn,
    view=_view("body"),
)
LOG = Connector(
    type="log",
    summary="A log.",
    options=LogOptions,
    traits=Traits(Order.SEQUENCE, redelivers=False),
    open=_open,
    probe=_probe,
    defaults={"batch_size": 100, "parallelization_factor": 1},
    refuses={"scaling_config": "a log is read shard by shard; use parallelization_factor"},
    view=_view("data", plain=False),
)
CATALOG = Catalog(connectors=[QUEUE, LOG], sections={"cloud": CloudSection})

EXAMPLE = """\
# yaml-language-server: $schema=./headrace.json
service: {name: shop, state: "memory:", listen: "127.0.0.1:0", log: {format: json}}
cloud: {region: eu-central-1}
functions:
  record: {handler: shop.orders.handler, path: ./src, timeout: 30, environment: {TABLE: orders, KEY: "${SECRET}"}}
  count:
    handler: shop.clicks.handler
mappings:
  orders:
    source:
      type: queue
      queue_url: "${QUEUE_URL}"
      visibility_timeout: 60
      login: {username: me, password: "${SECRET}"}
    function: record
    batch_size: ${SIZE:-100}
    maximum_batching_window_in_seconds: 5
    function_response_types: [ReportBatchItemFailures]
    scaling_config: {maximum_concurrency: 20}
    filter_criteria:
      filters:
        - pattern: {body: {total: [{numeric: [">", 0]}, a], password: ["${SECRET}"]}}
        - pattern: '{"id": ["b"], "body": {"token": ["${SECRET}"]}, "$or": [{"id": [1]}, {"body": {"b": [null]}}]}'
  clicks: {source: {type: log, stream: clicks}, function: count, starting_position: LATEST, retry_backoff: {initial: 2}}
"""
SECRET = "hunter2-planted-secret"
ENVIRON = {"SECRET": SECRET, "QUEUE_URL": f"http://user:{SECRET}@localhost/orders"}


def write(folder: Path, text: str, name: str = "shop.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
