"""What the commands share that go through the ledger: which mapping, which rows, and why not."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from headrace.cli import common
from headrace.config import Config, MappingConfig
from headrace.errors import ConfigError, Fault, HeadraceError
from headrace.ledger import Ledger, LedgerOpening

T = TypeVar("T")

PATIENCE: Final = 15.0
"""Seconds that the store and the source may take together."""


class Refused(HeadraceError):  # noqa: N818 - it says why a command was not carried out
    """Why not, for people."""


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Ledger]:
    """The ledger of a config.

    Raises:
        Refused: it is in the memory of another process.
        LedgerError: it cannot be used, or reached.
    """
    if config.state == "memory:":
        raise Refused("service.state is memory: only the running copy knows it; use sqlite: or redis://")
    ledger = await config.catalog.ledger(LedgerOpening(url=config.state, service=config.service.name))
    try:
        yield ledger
    finally:
        await ledger.close()


def log_of(config: Config, name: str) -> MappingConfig:
    """The mapping *name*, which must have positions in the ledger.

    Raises:
        ConfigError: there is none of that name, or it has none.
    """
    mapping = config.all[common.one_of("mapping", name, config.all)]
    if mapping.connector.shards is None:
        kind, redelivers = mapping.connector.type, mapping.connector.traits.redelivers
        why = "what is not deleted comes again by itself" if redelivers else "its broker has them"
        usual = f"{kind} keeps no positions here: {why}; to handle again what was handled, send it again"
        raise ConfigError([Fault(f"mappings.{name}", mapping.connector.unseekable or usual)])
    return mapping


def carried_out(work: Callable[[], Awaitable[int]]) -> int:
    """The exit status of *work*, or 1 with the reason why it could not be done."""

    async def bounded() -> int:
        async with asyncio.timeout(PATIENCE):
            return await work()

    try:
        return asyncio.run(bounded())
    except ConfigError:
        raise
    except TimeoutError:
        why = f"no answer within {PATIENCE:g} s"
    except HeadraceError as error:
        why = str(error)
    print(f"headrace: {why}", file=sys.stderr)
    return 1
