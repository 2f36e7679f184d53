"""A Redis stream as a destination: one entry a record. Redis' client is imported when a destination is opened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from headrace.errors import ConfigError, Fault
from headrace.late import Late
from headrace.plugins import DestinationKind, Opening
from headrace.settings import Count, Settings
from headrace_connectors.limits import REDIS
from headrace_connectors.redis.place import SCHEMES, Place, place

LEDGERS: Final = "headrace:{"
"""What every key of a ledger begins with."""


def _url(url: str) -> str:
    if url.partition("://")[0] not in SCHEMES:
        raise ValueError(f"must begin with one of {', '.join(f'{one}://' for one in SCHEMES)}")
    try:
        place(url)
    except (ConfigError, ValueError) as error:
        told = error.faults[0].message if isinstance(error, ConfigError) else "is no URL"
        raise ValueError(told) from None
    return url


class RedisDestinationOptions(Settings):
    """`destination: {type: redis, …}`."""

    url: Annotated[str, AfterValidator(_url)] = Field(
        description="Where the server is, in the words of service.state: redis://, rediss:// (TLS), redis+sentinel:// "
        "or redis+cluster://."
    )
    stream: str = Field(min_length=1, description="The stream's key; made at the first record.")
    maxlen: Count | None = Field(
        None, ge=1, description="Entries that are kept, about: the oldest are dropped, read or not. Default: all."
    )

    @property
    def place(self) -> Place:
        return place(self.url)


def _check(opening: Opening, options: RedisDestinationOptions) -> Iterator[Fault]:
    del opening
    if options.stream.startswith(LEDGERS):
        yield Fault("stream", f"begins as a ledger's keys do, with {LEDGERS}; name another")


redis = DestinationKind(
    type="redis",
    summary="A Redis stream: one entry a record, confirmed by the server's answer.",
    options=RedisDestinationOptions,
    open=Late("headrace_connectors.destinations.stream:RedisDestination"),
    probe=Late("headrace_connectors.destinations.stream:probe"),
    check=_check,
    attributes=True,
    limit=REDIS,
)
