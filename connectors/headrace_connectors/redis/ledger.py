"""The ledger in Redis: every verb is one call of one script, which judges by Redis' own time."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections.abc import Callable, Mapping, Sequence

from redis.asyncio import Redis

from headrace.calls import Call
from headrace.errors import UnknownShards
from headrace.ledger import Graph, Lease, LedgerOpening, Mark, Renewal, Row, Shard
from headrace.model import KEEP, Position, Unchanged
from headrace.observe import Log
from headrace.stored import generation_changed, graph_changed, lane_lost
from headrace_connectors.redis import callscripts, outcomescripts, verdictscripts
from headrace_connectors.redis.calls import RedisCalls, written
from headrace_connectors.redis.connecting import Client, connect, warn_of_loss
from headrace_connectors.redis.outcomes import RedisOutcomes, beginning
from headrace_connectors.redis.place import place
from headrace_connectors.redis.running import Argument, Running
from headrace_connectors.redis.scripts import SCRIPTS
from headrace_connectors.redis.sessions import Sessions
from headrace_connectors.redis.verdicts import RedisVerdicts


class RedisLedger(RedisCalls, RedisVerdicts, RedisOutcomes):
    """A `Ledger`. What a primary acknowledged may be lost by a failover: then records come again, none is lost."""

    def __init__(self, client: Client, sessions: Sessions, *, service: str, place: str, log: Log) -> None:
        scripts = callscripts.SCRIPTS | verdictscripts.SCRIPTS | outcomescripts.SCRIPTS | SCRIPTS
        super().__init__(Running(client, scripts, service=service, place=place))
        self._client, self._sessions, self._log = client, sessions, log
        self._serials = itertools.count(1)

    async def watch(self, changed: Callable[[], object]) -> None:
        """As `Watched`. In a cluster a failover is noticed with the next call."""
        self._sessions.changed = changed
        if isinstance(self._client, Redis):
            await self._sessions.watch(self._client, self._log)
        await asyncio.Event().wait()

    async def plan(self, mapping: str, identity: str, shards: Sequence[Shard]) -> bool:
        generation = secrets.token_hex(8)
        return bool(await self._running.call("plan", mapping, identity, generation, *_written(shards)))

    async def add(self, mapping: str, identity: str, shards: Sequence[Shard]) -> frozenset[str]:
        answer = await self._running.call("add", mapping, identity, *_written(shards))
        if isinstance(answer, bytes):
            raise graph_changed(mapping, identity, answer.decode() or None)
        return _names(answer)

    async def forget(self, mapping: str, shards: Sequence[str]) -> frozenset[str]:
        return _names(await self._running.call("forget", mapping, *shards))

    async def replan(self, mapping: str, generation: str, identity: str, shards: Sequence[Shard]) -> bool:
        new = secrets.token_hex(8)
        return bool(await self._running.call("replan", mapping, generation, identity, new, *_written(shards)))

    async def restore(self, mapping: str, identity: str, generation: str, rows: Sequence[Row]) -> frozenset[str]:
        answer = await self._running.call("restore", mapping, identity, generation, *_known(rows))
        if isinstance(answer, bytes):
            raise generation_changed(mapping, generation, answer.decode())
        return _names(answer)

    async def rows(self, mapping: str) -> Graph:
        now, flat = await self._running.call("rows", mapping)
        return _graph(dict(zip(flat[::2], flat[1::2], strict=True)), float(now))

    async def acquire(self, mapping: str, shard: str, owner: str, ttl: float) -> Lease | None:
        answer = await self._running.call("acquire", mapping, shard, owner, _milliseconds(ttl))
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
                self._running.call("renew", mapping, _milliseconds(ttl), *_named(held, leases))
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
        self,
        lease: Lease,
        position: Position,
        *,
        memo: bytes | Unchanged | None = KEEP,
        end: bool = False,
        calls: Sequence[Call] = (),
        after: Position | None = None,
    ) -> None:
        kept = ("keep", b"") if isinstance(memo, Unchanged) else ("memo", _write_memo(memo))
        follows = "" if after is None else f"={after}"
        await self._if_ours("commit", lease, next(self._serials), position, int(end), *kept, follows, *written(calls))

    async def mark(self, lease: Lease, mark: Mark) -> None:
        await self._if_ours("mark", lease, next(self._serials), json.dumps([mark.position, mark.attempt]))

    async def release(self, lease: Lease) -> None:
        await self._if_ours("release", lease)

    async def ask(self, mapping: str, shard: str, by: str) -> bool:
        return bool(await self._running.call("ask", mapping, shard, by))

    async def seek(self, mapping: str, positions: Mapping[str, Position]) -> None:
        written = ((shard, position, beginning(shard)) for shard, position in positions.items())
        unknown = await self._running.call("seek", mapping, *itertools.chain.from_iterable(written))
        if unknown:
            raise UnknownShards(mapping, sorted(name.decode() for name in unknown))

    async def pause(self, mapping: str, *, paused: bool) -> None:
        await self._running.call("pause", mapping, int(paused))

    async def close(self) -> None:
        await self._running.close()

    async def _if_ours(self, verb: str, lease: Lease, *arguments: Argument) -> None:
        if not await self._running.call(verb, lease.mapping, lease.shard, lease.owner, lease.epoch, *arguments):
            raise lane_lost(lease)


def _written(shards: Sequence[Shard]) -> list[Argument]:
    return [
        part for shard in shards for part in (shard.name, shard.position, json.dumps(shard.parents), int(shard.ended))
    ]


def _known(rows: Sequence[Row]) -> list[Argument]:
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


def _named(held: Sequence[Lease], states: Mapping[Lease, str]) -> list[Argument]:
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
        idle=max(now - float(since), 0.0) / 1000 if (since := raw("since")) else None,
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
    sessions = Sessions(by_node=found.kind == "cluster")
    client = connect(found, sessions.made)
    ledger = RedisLedger(client, sessions, service=opening.service, place=found.text, log=opening.log)
    try:
        await ledger.rows("")  # does it answer, and does it know us?
        await warn_of_loss(client, found.text, opening.log)
    except BaseException:
        await ledger.close()
        raise
    return ledger
