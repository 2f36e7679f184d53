"""What a change in a Kafka group costs by each protocol: partitions that stopped, and for how long nobody read them.

    PYTHONPATH=tests timeout 600 .venv/bin/python benchmarks/kafka_rebalances.py

Starts Apache Kafka. Two members read 8 partitions that are written all the time; a third joins, leaves, joins again and
is killed (its session is 6 s). A partition stopped if it changed hands, or was taken from its owner and given back. The
seconds are those between its last record read before and its first after.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from typing import Any

from kafka import KafkaProducer

from headrace_connectors.kafka.client import Offset, TopicPartition
from support.kafka import Cluster, apache
from support.kafka_members import Driven, until

PARTITIONS, SESSION = 8, 6000


class Reader(Driven):
    """Reads on from what is committed, as a source does; commits what it read when it lets go."""

    def __init__(self, reads: dict[int, list[float]], *args: Any, **options: Any) -> None:
        self.reads, self.at = reads, {}
        super().__init__(*args, **options)
        threading.Thread(target=self._begin, daemon=True).start()

    def _begin(self) -> None:
        begun: set[TopicPartition] = set()
        while not self.closed.is_set():
            begun &= self.ours
            for part in sorted(self.ours - begun):
                found = self.client.committed([part], 10).get(part, Offset(0))
                self.do(partial(self._begin_at, part, found.next))
                begun.add(part)
            new, self.records = self.records, []
            now = time.monotonic()
            for message in new:
                self.reads[message.partition].append(now)
                self.at[TopicPartition(message.topic, message.partition)] = message.offset + 1
            time.sleep(0.005)

    def _begin_at(self, part: TopicPartition, offset: int) -> None:
        if part in self.ours:
            self.client.seek(part, offset)
            self.client.resume(part)

    def _let_go(self, what: str, parts: Any, done: Any) -> None:
        def commit_first() -> None:
            known = {part: Offset(self.at[part]) for part in parts if part in self.at}
            if known and what == "revoked":
                self.client.commit(known, 10)
            done()

        self.told.append((what, list(parts)))
        self.ours -= set(parts)
        threading.Thread(target=commit_first, daemon=True).start()


def write(servers: str, topic: str, ended: threading.Event) -> None:
    producer = KafkaProducer(bootstrap_servers=servers, linger_ms=0)
    while not ended.is_set():
        for partition in range(PARTITIONS):
            producer.send(topic, b"x", partition=partition)
        producer.flush()
        time.sleep(0.02)
    producer.close()


def gaps(reads: dict[int, list[float]], since: float) -> list[float]:
    """The longest time without a record of each partition since then."""
    found = []
    for times in reads.values():
        recent = [moment for moment in list(times) if moment >= since - 0.5]
        found.append(max((b - a for a, b in pairwise(recent)), default=0.0))
    return found


def measure(servers: str, name: str, options: dict[str, Any]) -> None:
    cluster = Cluster(servers)
    topic, group = cluster.topic(PARTITIONS), cluster.group()
    reads: dict[int, list[float]] = {number: [] for number in range(PARTITIONS)}
    static, ended = options.pop("static", False), threading.Event()
    with ExitStack() as stack:
        stack.callback(ended.set)
        threading.Thread(target=write, args=(servers, topic, ended), daemon=True).start()

        def join(number: int) -> Reader:
            more = {"group_instance_id": f"m{number}"} if static else {}
            one = Reader(reads, servers, group, [topic], **options, **more)
            stack.callback(one.close)
            return one

        members = [join(0), join(1)]
        until(lambda: sum(len(one.ours) for one in members) == PARTITIONS and all(one.ours for one in members))
        time.sleep(3)

        def change(what: str, act: Any, least: float = 8) -> None:
            began = time.monotonic()
            told = {one: len(one.told) for one in members}
            act()
            time.sleep(least)
            stay = [one for one in members if one in told]
            stopped = {
                part for one in stay for kind, parts in one.told[told[one] :] if kind != "assigned" for part in parts
            }
            longest = gaps(reads, began)
            slow = sorted((seconds for seconds in longest if seconds > 0.3), reverse=True)
            print(
                f"{name:28} {what:12} given up by those who stay {len(stopped)}, without a reader {len(slow)}: "
                f"{', '.join(f'{seconds:.1f}' for seconds in slow) or '-'} s",
                flush=True,
            )

        change("joins", lambda: members.append(join(2)))
        change("leaves", lambda: members.pop().close())
        change("comes back", lambda: members.append(join(2)))
        if not static:
            return

        def restart() -> None:
            members.pop().close()
            members.append(join(2))

        change("restarts", restart)


def main() -> None:
    with apache(properties={"group.initial.rebalance.delay.ms": "0"}) as broker:
        for client in ("kafka-python", "confluent"):
            for strategy in ("range", "cooperative-sticky"):
                options = {"client": client, "partition_assignment_strategy": strategy, "session_timeout_ms": SESSION}
                measure(broker.bootstrap_servers, f"{client} {strategy}", dict(options))
                measure(broker.bootstrap_servers, f"{client} {strategy} static", {**options, "static": True})
        measure(broker.bootstrap_servers, "confluent KIP-848", {"client": "confluent", "group_protocol": "consumer"})


if __name__ == "__main__":
    main()
