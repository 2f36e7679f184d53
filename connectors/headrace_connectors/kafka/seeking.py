"""`headrace seek` of a Kafka source: its group's offsets are moved, by who owns them where the group is at work."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from kafka.errors import KafkaError

from headrace.clock import SYSTEM
from headrace.errors import SourceUnavailable
from headrace.ownthread import OwnThread
from headrace.plugins import Opening
from headrace.seeking import At, Edge, Moved, Target
from headrace_connectors.kafka.client import Offset, TopicPartition
from headrace_connectors.kafka.clients import of_kafka_python
from headrace_connectors.kafka.note import Note
from headrace_connectors.kafka.options import KafkaOptions
from headrace_connectors.kafka.refusals import sentence
from headrace_connectors.kafka.requests import EARLIEST, LATEST, Request, Requests

SETTLING: Final = 10.0
"""Seconds for which it is waited that owners carry it out: it tells what became of it, and changes nothing."""

CALL_SECONDS: Final = 5.0


async def seek(opening: Opening, target: Target, lane: str | None) -> Sequence[Moved]:
    """Have the group read every partition, or the one that *lane* names, from *target* on.

    Raises:
        SourceUnavailable: the cluster does not answer, or refuses; there is no such partition.
    """
    options: KafkaOptions = opening.options
    connection = options.connection(opening)
    group = options.consumer_group_id or str(opening.uuid)
    requests = Requests(of_kafka_python(connection), group, CALL_SECONDS)
    thread = OwnThread("headrace-kafka-seek")
    try:
        return await _move(requests, thread, options.topics, target, lane)
    except (KafkaError, OSError) as error:
        raise SourceUnavailable(sentence(error, connection)) from error
    finally:
        await thread.run(requests.close)
        thread.close()


async def _move(
    requests: Requests, thread: OwnThread, topics: Sequence[str], target: Target, lane: str | None
) -> Sequence[Moved]:
    parts = _chosen(await thread.run(partial(requests.partitions, topics)), lane)
    to = await thread.run(lambda: _offsets(requests, parts, target))
    before = await thread.run(partial(requests.committed, parts))
    name = secrets.token_hex(8)
    asked = {part: Request(name, offset) for part, offset in to.items()}
    offsets = {part: _sought(before.get(part), one) for part, one in asked.items()}
    done = await thread.run(partial(requests.commit, offsets))
    if not done:
        await thread.run(partial(requests.write, asked))
    after = before
    give_up = SYSTEM.boot() + SETTLING
    while not done and SYSTEM.boot() < give_up:
        await asyncio.sleep(0.2)
        after = await thread.run(partial(requests.committed, parts))
        done = all(_carried_out(after.get(part), name) for part in parts)
    return [
        Moved(
            lane=part.name,
            was=str(before[part].next) if part in before else "nowhere",
            to=str(to[part]),
            done=done or _carried_out(after.get(part), name),
        )
        for part in parts
    ]


def _chosen(parts: Sequence[TopicPartition], lane: str | None) -> list[TopicPartition]:
    if lane is None:
        return list(parts)
    found = [part for part in parts if part.name == lane]
    if not found:
        known = ", ".join(part.name for part in parts) or "none, for its topics do not exist"
        raise SourceUnavailable(f"there is no partition {lane!r}; known are {known}")
    return found


def _offsets(requests: Requests, parts: Sequence[TopicPartition], target: Target) -> Mapping[TopicPartition, int]:
    match target:
        case Edge.TRIM_HORIZON:
            return requests.look_up(parts, EARLIEST)
        case Edge.LATEST:
            return requests.look_up(parts, LATEST)
        case At(time):
            found, ends = requests.look_up(parts, int(time * 1000)), requests.look_up(parts, LATEST)
            return {part: offset if offset >= 0 else ends[part] for part, offset in found.items()}
    return dict.fromkeys(parts, int(target.number))


def _sought(before: Offset | None, request: Request) -> Offset:
    """What a group without members is given: nobody's, and not carried out a second time."""
    note = Note.of(before.metadata if before else "")
    return Offset(request.next, note.left().carried_out(request.id).text())


def _carried_out(committed: Offset | None, name: str) -> bool:
    return committed is not None and Note.of(committed.metadata).sought == name
