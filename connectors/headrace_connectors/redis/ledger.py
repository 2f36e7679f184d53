"""The ledger in Redis: every verb is one call of one script, which judges by Redis' own time."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, cast

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
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import TimeoutError as Silent

from headrace.errors import LedgerError, LedgerUnavailable, UnknownShards
from headrace.ledger import Graph, Lease, LedgerOpening, Mark, Renewal, Row, Shard
from headrace.model import KEEP, Position, Unchanged
from headrace.stored import generation_changed, graph_changed, lane_lost
from headrace_connectors.redis.connecting import Client, connect, disconnect, warn_of_loss
from headrace_connectors.redis.place import place
from headrace_connectors.redis.scripts import FORMAT, SCRIPTS

_DIGESTS = {verb: hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest() for verb, script in SCRIPTS.items()}

_PASSING = (OutOfMemoryError, ReadOnlyError, ClusterDownError, MasterDownError, TryAgainError)
_PASSING_WORDS = ("READONLY", "OOM", "MISCONF", "NOREPLICAS", "BUSY")
"""Answers of a server that refuses for now, as the client knows them or by their code; scripts look before they write,
so nothing was written."""


class RedisLedger:
    """A `Ledger`. What a primary acknowledged may be lost by a failover: then records come again, none is lost."""

    def __init__(self, client: Client, *, service: str, place: str) -> None:
        self._client, self._service, self._place = client, service, place
        self._serials = itertools.count(1)

    async def plan(self, mapping: str, identity: str, shards: Sequence[Shard]) -> bool:
        generation = secrets.token_hex(8)
        return bool(await self._call("plan", mapping, identity, generation, *_written(shards)))

    async def add(self, mapping: str, identity: str, shards: Sequence[Shard]) -> frozenset[str]:
        answer = await self._call("add", mapping, identity, *_written(shards))
        if isinstance(answer, bytes):
            raise graph_changed(mapping, identity, answer.decode() or None)
        return _names(answer)

    async def forget(self, mapping: str, shards: Sequence[str]) -> frozenset[str]:
        return _names(await self._call("forget", mapping, *shards))

    async def replan(self, mapping: str, generation: str, identity: str, shards: Sequence[Shard]) -> bool:
        new = secrets.token_hex(8)
        return bool(await self._call("replan", mapping, generation, identity, new, *_written(shards)))

    async def restore(self, mapping: str, identity: str, generation: str, rows: Sequence[Row]) -> frozenset[str]:
        answer = await self._call("restore", mapping, identity, generation, *_known(rows))
        if isinstance(answer, bytes):
            raise generation_changed(mapping, generation, answer.decode())
        return _names(answer)

    async def rows(self, mapping: str) -> Graph:
        now, flat = await self._call("rows", mapping)
        return _graph(dict(zip(flat[::2], flat[1::2], strict=True)), float(now))

    async def acquire(self, mapping: str, shard: str, owner: str, ttl: float) -> Lease | None:
        answer = await self._call("acquire", mapping, shard, owner, _milliseconds(ttl))
        if answer is None:
            return None
        epoch, position, memo, crashes, mark = answer
        return Lease(
            mapping=mapping,
            shard=shard,
            owner=owner,
            epoch=epoch,
            position=position.decode(),
            memo=_read_memo(memo),
            crashes=crashes,
            mark=_read_mark(mark),
        )

    async def renew(self, leases: Mapping[Lease, str], ttl: float) -> Renewal:
        mappings: dict[str, list[Lease]] = {}
        for lease in leases:
            mappings.setdefault(lease.mapping, []).append(lease)
        answers = await asyncio.gather(
            *(
                self._call("renew", mapping, _milliseconds(ttl), *_named(held, leases))
                for mapping, held in mappings.items()
            )
        )
        lost, asked = set(), {}
        for held, (_, _, *states) in zip(mappings.values(), answers, strict=True):
            for lease, state in zip(held, states, strict=True):
                if state == 0:
                    lost.add(lease)
                elif state:
                    asked[lease] = state.decode()
        told = dict(zip(mappings, answers, strict=True))
        return Renewal(
            lost=frozenset(lost),
            asked=asked,
            paused=frozenset(mapping for mapping, answer in told.items() if answer[0]),
            generations={mapping: answer[1] and answer[1].decode() for mapping, answer in told.items()},
        )

    async def commit(
        self, lease: Lease, position: Position, *, memo: bytes | Unchanged | None = KEEP, end: bool = False
    ) -> None:
        kept = ("keep", b"") if isinstance(memo, Unchanged) else ("memo", _write_memo(memo))
        await self._fenced("commit", lease, next(self._serials), position, int(end), *kept)

    async def mark(self, lease: Lease, mark: Mark) -> None:
        await self._fenced("mark", lease, next(self._serials), json.dumps([mark.position, mark.attempt]))

    async def release(self, lease: Lease) -> None:
        await self._fenced("release", lease)

    async def ask(self, mapping: str, shard: str, by: str) -> bool:
        return bool(await self._call("ask", mapping, shard, by))

    async def seek(self, mapping: str, positions: Mapping[str, Position]) -> None:
        pairs = itertools.chain.from_iterable(positions.items())
        unknown = await self._call("seek", mapping, *pairs)
        if unknown:
            raise UnknownShards(mapping, sorted(name.decode() for name in unknown))

    async def pause(self, mapping: str, *, paused: bool) -> None:
        await self._call("pause", mapping, int(paused))

    async def close(self) -> None:
        await disconnect(self._client)

    async def _fenced(self, verb: str, lease: Lease, *arguments: str | bytes | int) -> None:
        if not await self._call(verb, lease.mapping, lease.shard, lease.owner, lease.epoch, *arguments):
            raise lane_lost(lease)

    async def _call(self, verb: str, mapping: str, *arguments: str | bytes | int) -> Any:
        await self._reach()
        key = f"headrace:{{{self._service}/{mapping}}}"
        client = cast("Any", self._client)
        try:
            try:
                return await client.evalsha(_DIGESTS[verb], 1, key, *arguments)
            except NoScriptError:  # the server was restarted, or another took its place: nothing was run
                return await client.eval(SCRIPTS[verb], 1, key, *arguments)
        except (RedisError, OSError) as error:
            raise self._error(error, written=True) from error

    async def _reach(self) -> None:
        """A connection that stands before anything is sent, so that a refused one is known to have written nothing."""
        if not isinstance(self._client, Redis):
            return
        pool: Any = self._client.connection_pool
        try:
            await pool.release(await pool.get_connection())
        except (RedisError, OSError) as error:
            raise self._error(error, written=False) from error

    def _error(self, error: Exception, *, written: bool) -> LedgerError:
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
            return LedgerUnavailable(f"{self._place} refuses for now: {text}", written=False)
        if isinstance(error, ResponseError):
            return LedgerError(f"{self._place} refuses the ledger's scripts: {text}")
        if isinstance(error, (Disconnected, Silent, RedisClusterException, OSError)):
            return LedgerUnavailable(f"{self._place} does not answer: {text or type(error).__name__}", written=written)
        return LedgerError(f"{self._place} cannot be used: {text}")


def _written(shards: Sequence[Shard]) -> list[str | bytes | int]:
    return [
        part for shard in shards for part in (shard.name, shard.position, json.dumps(shard.parents), int(shard.ended))
    ]


def _known(rows: Sequence[Row]) -> list[str | bytes | int]:
    return [
        part
        for row in rows
        for part in (
            *(row.shard, row.position, json.dumps(row.parents), int(row.ended), row.epoch),
            _write_memo(row.memo),
        )
    ]


def _names(answer: Sequence[bytes]) -> frozenset[str]:
    return frozenset(name.decode() for name in answer)


def _named(held: Sequence[Lease], states: Mapping[Lease, str]) -> list[str | int]:
    return [part for lease in held for part in (lease.shard, lease.owner, lease.epoch, states[lease])]


def _graph(fields: Mapping[bytes, bytes], now: float) -> Graph:
    def text(name: str) -> str | None:
        value = fields.get(name.encode())
        return value.decode() if value else None

    names = [name for line in (text("shards") or "").splitlines() for name in json.loads(line)]
    return Graph(
        identity=text("identity"),
        generation=text("generation"),
        paused=text("paused") == "1",
        epoch=int(text("epoch") or 0),
        rows=tuple(_row(name, fields, now) for name in names),
    )


def _row(name: str, fields: Mapping[bytes, bytes], now: float) -> Row:
    def raw(field: str) -> bytes:
        return fields.get(f"{field}:{name}".encode(), b"")

    owner = raw("owner").decode() or None
    return Row(
        shard=name,
        position=raw("position").decode(),
        parents=tuple(json.loads(raw("parents"))),
        ended=raw("ended") == b"1",
        owner=owner,
        epoch=int(raw("epoch") or 0),
        left=(float(raw("expires") or 0) - now) / 1000 if owner else 0.0,
        memo=_read_memo(raw("memo")),
        crashes=int(raw("crashes") or 0),
        mark=_read_mark(raw("mark")),
        asked=raw("asked").decode() or None,
        state=raw("state").decode(),
    )


def _milliseconds(ttl: float) -> int:
    return max(round(ttl * 1000), 1)


def _write_memo(memo: bytes | None) -> bytes:
    """A memo of no bytes is not the same as none."""
    return b"" if memo is None else b"=" + memo


def _read_memo(kept: bytes) -> bytes | None:
    return kept[1:] if kept else None


def _read_mark(kept: bytes) -> Mark | None:
    if not kept:
        return None
    position, attempt = json.loads(kept)
    return Mark(position=position, attempt=attempt)


async def open_redis(opening: LedgerOpening) -> RedisLedger:
    """`redis://…` and its relations; see `place`."""
    found = place(opening.url)
    client = connect(found)
    ledger = RedisLedger(client, service=opening.service, place=found.text)
    try:
        await ledger.rows("")  # does it answer, and does it know us?
        await warn_of_loss(client, found.text, opening.log)
    except BaseException:
        await ledger.close()
        raise
    return ledger
