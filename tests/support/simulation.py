"""The whole runtime of a fleet on one virtual loop, over a stream and a store that misbehave by script.

What was produced and handled is judged by `headrace.testing.lineage`; a seed replays exactly.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from contextlib import suppress
from functools import partial
from typing import Any

from headrace.testing.history import Attempt
from headrace.testing.lineage import Lineage, Produced, Write, check_stream
from support.fleet import Fleet, Store, Worker

RECORDS = 400


class Watched(Store):
    """Keeps every write that it took."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.writes: list[Write] = []

    def _note(self, verb: str, shard: str, epoch: int, position: str | None = None) -> None:
        number = int(position) if position is not None and position.isdecimal() else None
        self.writes.append(Write(at=self._clock.boot(), verb=verb, shard=shard, epoch=epoch, position=number))

    async def acquire(self, mapping: str, shard: str, owner: str, ttl: float) -> Any:
        lease = await super().acquire(mapping, shard, owner, ttl)
        if lease is not None:
            self._note("acquire", shard, lease.epoch)
        return lease

    async def commit(self, lease: Any, position: str, **more: Any) -> None:
        await super().commit(lease, position, **more)
        self._note("end" if more.get("end") else "commit", lease.shard, lease.epoch, position)

    async def release(self, lease: Any) -> None:
        await super().release(lease)
        self._note("release", lease.shard, lease.epoch)


class Simulation:
    """One seed: a fleet over a stream in memory, its misfortunes, and the books.

    Subclasses bring another stream: `make_fleet` and what follows it.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        random.seed(seed)
        rng = self.rng
        self.fleet = self.make_fleet(
            rng.choice([1, 2, 4]),
            ttl=rng.choice([2.0, 10.0]),
            batch_size=rng.choice([1, 3, 10]),
            capacity=rng.choice([40, 100]),
            parallelization_factor=rng.choice([1, 1, 3]),
            bisect_batch_on_function_error=rng.random() < 0.3,
            maximum_batching_window_in_seconds=rng.choice([0, 0, 1]),
            function_response_types=["ReportBatchItemFailures"],
            retry_backoff={"initial": 0.1, "maximum": 2},
        )
        self.fleet.ledger = Watched(self.fleet.clock)
        self.failing = rng.choice([0.0, 0.1])
        self.produced: list[Produced] = []
        self.history: list[Attempt] = []
        self.workers: list[Worker] = []
        self.names = itertools.count()
        self.calls = itertools.count()
        self.troubles: list[tuple[float, str]] = []
        self.killed: dict[str, float] = {}

    def make_fleet(self, shards: int, **settings: Any) -> Fleet:
        fleet = Fleet(shards, **settings)
        fleet.stream.page = self.rng.choice([3, 20])
        fleet.stream.silent = self.rng.random() < 0.3
        fleet.stream.delay = self.rng.choice([0.01, 0.2])
        return fleet

    def put(self, name: str, key: str) -> tuple[str, int]:
        """The shard and the sequence number that it came to have."""
        stream = self.fleet.stream
        shard = stream.put([name], key=key)
        return shard, stream.shards[shard].entries[-1][2]

    def open_shards(self) -> list[str]:
        """By the keys that they have."""
        stream = self.fleet.stream
        return [name for _, name in sorted((stream.shards[name].span, name) for name in stream.open_shards())]

    def split(self, shard: str) -> None:
        self.fleet.stream.split(shard)

    def merge(self, shard: str, adjacent: str) -> None:
        self.fleet.stream.merge(shard, adjacent)

    def parents(self) -> dict[str, tuple[str, ...]]:
        return {shard.name: shard.parents for shard in self.fleet.stream.shards.values()}

    def set_away(self, away: bool) -> None:
        self.fleet.stream.away = away

    def identifier(self, name: str) -> str:
        """What a handler lists to name a record as failed."""
        return name

    async def handle(self, worker: int, names: list[str], context: Any) -> Any:
        rng, call = self.rng, str(next(self.calls))
        now = asyncio.get_running_loop().time
        lane, epoch, began = context.headrace.lane, context.headrace.epoch, now()
        attempts = [
            Attempt(
                number=int(name),
                message_id=name,
                count=0,
                pid=worker,
                call=call,
                begun=began,
                group="",
                lane=lane,
                epoch=epoch,
            )
            for name in names
        ]
        self.history += attempts
        await asyncio.sleep(rng.choice([0.0, 0.01, 0.3]))
        failed = len(names)
        raised = rng.random() < self.failing
        if rng.random() < self.failing:
            failed = rng.randrange(len(names))
        for index, attempt in enumerate(attempts):
            attempt.end, attempt.ended = ("raised" if raised else "done" if index < failed else "listed"), now()
        if raised:
            raise RuntimeError("a bad day")
        listed = [{"itemIdentifier": self.identifier(names[failed])}] if failed < len(names) else []
        return {"batchItemFailures": listed}

    async def produce(self) -> None:
        rng = self.rng
        for number in range(RECORDS):
            key = f"k{rng.randrange(12)}"
            shard, sequence = self.put(str(number), key)
            self.produced.append(Produced(number=number, key=key, shard=shard, sequence=sequence))
            await asyncio.sleep(rng.choice([0, 0, 0.05, 0.5]))
            if rng.random() < 0.02:
                self.reshard()

    def reshard(self) -> None:
        rng, names = self.rng, self.open_shards()
        if len(names) > 1 and rng.random() < 0.5:
            index = rng.randrange(len(names) - 1)
            self.merge(names[index], names[index + 1])
        elif len(names) < 6:
            self.split(rng.choice(names))

    async def trouble(self) -> None:
        while True:
            await asyncio.sleep(self.rng.uniform(1, 20))
            await self.rng.choice([self.kill, self.start, self.stop, self.lose_store, self.lose_stream, self.flush])()

    def start_one(self) -> None:
        number = next(self.names)
        self.workers.append(self.fleet.worker(f"w{number}", behave=partial(self.handle, number)).start())

    async def start(self) -> None:
        if len(self.workers) < 4:
            self.start_one()

    async def kill(self) -> None:
        if self.workers:
            worker = self.workers.pop(self.rng.randrange(len(self.workers)))
            self.happened("kill")
            await worker.kill()
        if not self.workers or self.rng.random() < 0.5:
            self.start_one()

    async def stop(self) -> None:
        if len(self.workers) > 1:
            worker = self.workers.pop(self.rng.randrange(len(self.workers)))
            self.happened("stop")
            await worker.stop(self.rng.choice([0.01, 30]))

    async def lose_store(self) -> None:
        self.happened("store away")
        self.fleet.ledger.away = True
        await asyncio.sleep(self.rng.choice([0.5, 2 * self.fleet.ttl]))
        self.fleet.ledger.away = False
        self.happened("store away")

    async def lose_stream(self) -> None:
        self.set_away(True)
        await asyncio.sleep(self.rng.choice([0.5, 10]))
        self.set_away(False)

    async def flush(self) -> None:
        if self.rng.random() < 0.3 and any(worker.shards for worker in self.workers):
            self.happened("store emptied")
            self.fleet.ledger.flush()
            await asyncio.sleep(10)  # with nobody alive who knew it, an emptied store looks like a new one

    def happened(self, what: str) -> None:
        self.troubles.append((asyncio.get_running_loop().time(), what))

    async def run(self) -> Lineage:
        self.start_one()
        troubled = asyncio.ensure_future(self.trouble())
        await self.produce()
        await asyncio.sleep(30)
        troubled.cancel()
        await asyncio.gather(troubled, return_exceptions=True)
        self.fleet.ledger.away = False
        self.set_away(False)
        if not self.workers:
            self.start_one()
        done = {attempt.number for attempt in self.history if attempt.end == "done"}
        with suppress(TimeoutError):
            async with asyncio.timeout(900):
                while len(done) < RECORDS:
                    await asyncio.sleep(1)
                    done = {attempt.number for attempt in self.history if attempt.end == "done"}
        for worker in self.workers:
            await worker.stop()
        return check_stream(
            self.history,
            self.produced,
            parents=self.parents(),
            broken=self.broken(),
            writes=self.writes(),
            taken=self.fleet.ledger.writes,
        )

    def writes(self) -> list[Write]:
        """What the ledger took; of one that was emptied only who let go: its positions went back."""
        emptied = any(what == "store emptied" for _, what in self.troubles)
        return [one for one in self.fleet.ledger.writes if not emptied or one.verb == "release"]

    def broken(self) -> dict[tuple[str, int], str]:
        """What befell the leases that were not let go of: the trouble that came within them."""
        writes = self.fleet.ledger.writes
        clean = {(one.shard, one.epoch) for one in writes if one.verb in {"release", "end"}}
        ends = {}
        for one in writes:
            if one.verb == "acquire":
                later = [
                    other.at
                    for other in writes
                    if other.verb == "acquire" and other.shard == one.shard and other.epoch > one.epoch
                ]
                ends[one.shard, one.epoch] = (one.at, min(later, default=float("inf")))
        named = {}
        for lease, (begun, ended) in ends.items():
            within = [what for at, what in self.troubles if begun - 2 * self.fleet.ttl <= at <= ended]
            if lease not in clean or "stop" in within or "store emptied" in within:
                for what in within[-1:]:
                    named[lease] = what
        return named
