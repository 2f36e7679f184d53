"""Running a script in Redis: one call, on the keys of one mapping, and its failures in our words."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, TypeAlias, cast

from redis.asyncio import Redis
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ClusterDownError,
    MasterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import TimeoutError as Silent

from headrace.errors import LedgerError, LedgerUnavailable
from headrace_connectors.redis.connecting import ERRORS, Client, disconnect
from headrace_connectors.redis.prelude import FORMAT

Argument: TypeAlias = str | bytes | int | float

_BESIDE = ("calls", "due", "taken", "groups", "notes", "verdicts", "ends", "outcomes", "outcomeends")
"""What lies beside a mapping's hash, in its slot: its queue of calls, its verdicts, and what is kept of its records."""

_READING = frozenset({"now", "waiting", "unfinished", "unsettled", "notes", "rows", "kept", "kept_of_lane"})
"""Verbs that write nothing, so that there is nothing to say of it."""

_PASSING = (OutOfMemoryError, ReadOnlyError, ClusterDownError, MasterDownError, TryAgainError)
_PASSING_WORDS = ("READONLY", "OOM", "MISCONF", "NOREPLICAS", "BUSY")
"""Answers of a server that refuses for now, as the client knows them or by their code; scripts look before they write,
so nothing was written."""


class Running:
    """Scripts by their verbs, run for one service at one place."""

    def __init__(self, client: Client, scripts: Mapping[str, str], *, service: str, place: str) -> None:
        self._client, self._scripts, self._service, self._place = client, scripts, service, place
        self._digests = {verb: _digest(script) for verb, script in scripts.items()}

    async def call(self, verb: str, mapping: str, *arguments: Argument) -> Any:
        """What the script answers.

        Raises:
            LedgerError: as the verbs of a ledger do.
        """
        await self._reach(verb)
        key = f"headrace:{{{self._service}/{mapping}}}"
        keys = (key, *(f"{key}:{name}" for name in _BESIDE))
        client = cast("Any", self._client)
        try:
            try:
                return await client.evalsha(self._digests[verb], len(keys), *keys, *arguments)
            except NoScriptError:  # the server was restarted, or another took its place: nothing was run
                return await client.eval(self._scripts[verb], len(keys), *keys, *arguments)
        except ERRORS as error:
            raise self._error(error, verb, sent=True) from error

    async def close(self) -> None:
        await disconnect(self._client)

    async def _reach(self, verb: str) -> None:
        """A connection that stands before anything is sent, so that a refused one is known to have written nothing."""
        if not isinstance(self._client, Redis):
            return
        pool: Any = self._client.connection_pool
        try:
            await pool.release(await pool.get_connection())
        except ERRORS as error:
            raise self._error(error, verb, sent=False) from error

    def _error(self, error: Exception, verb: str, *, sent: bool) -> LedgerError:
        reads = verb in _READING
        text = str(error)
        if "LEDGERFORMAT" in text:
            found = text.partition("LEDGERFORMAT ")[2].split()[0]
            return LedgerError(
                f"{self._place} holds a ledger of format {found}, written by another headrace; this one knows {FORMAT}:"
                " run that one, or name another database"
            )
        if isinstance(error, (AuthenticationError, AuthorizationError)) or "NOAUTH" in text or "WRONGPASS" in text:
            return LedgerError(f"{self._place} refuses us: {text}; correct user and password in the URL")
        if isinstance(error, _PASSING) or (isinstance(error, ResponseError) and text.startswith(_PASSING_WORDS)):
            return LedgerUnavailable(f"{self._place} refuses for now: {text}", written=None if reads else False)
        if isinstance(error, ResponseError):
            return LedgerError(f"{self._place} refuses the ledger's scripts: {text}")
        if isinstance(error, (Disconnected, Silent, RedisClusterException, OSError)):
            why = text or type(error).__name__
            return LedgerUnavailable(f"{self._place} does not answer: {why}", written=None if reads else sent)
        return LedgerError(f"{self._place} cannot be used: {text}")


def _digest(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
