"""What the fakes of Kinesis and DynamoDB Streams share: calls, faults by script, opaque tokens, paged listings.

A fake takes the place of an `AwsClient`. Its answers went through JSON, so they are what the lean client gives: binary
values as base64 text, times as numbers; and they are fresh ones every time.
"""

from __future__ import annotations

import asyncio
import base64
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import formatdate
from typing import Any, ClassVar, TypeAlias

import orjson

from headrace.clock import Clock
from headrace.testing import FakeClock
from headrace_connectors.aws import AwsError, Watch
from support.fake_shards import Shard

ACCOUNT, REGION = "000000000000", "eu-central-1"


@dataclass(frozen=True, slots=True)
class Delay:
    """The call waits this many seconds before it is looked at; without end, if so many."""

    seconds: float


HANG = Delay(math.inf)

Fault: TypeAlias = AwsError | Mapping[str, Any] | Delay | None
"""An error to raise, an answer to give in place of the true one (`{}`: a body that lost its Records), or a delay."""

Faults: TypeAlias = list[tuple[str, Fault]] | Callable[[str, Mapping[str, Any]], Fault]
"""Either (operation, fault), each for the next call of that operation and then gone; or who decides of every call."""


@dataclass(slots=True)
class Call:
    """A call as the fake saw it: `at` is its Unix time, `outcome` `ok`, an error's code, or what was made of it."""

    operation: str
    params: Mapping[str, Any]
    at: float
    outcome: str = "under way"
    answer: Mapping[str, Any] | None = None


class Fake:
    """A service: subclasses name their operations in `operations`, each a method of (params) that answers or raises.

    Attributes:
        clock: the server's own; stepping the caller's does not step it.
        latency: seconds on the way of every call.
        faults: see `Faults`.
        calls: every call, in order of arrival.
        random: of everything that is left to chance; one seed, one history.
    """

    operations: ClassVar[Mapping[str, str]] = {}

    def __init__(self, *, clock: Clock | None, seed: int) -> None:
        self.clock = clock or FakeClock()
        self.random = random.Random(seed)
        self.latency = 0.0
        self.faults: Faults = []
        self.calls: list[Call] = []

    async def call(self, operation: str, watch: Watch | None = None, **params: Any) -> dict[str, Any]:
        """As `AwsClient.call`.

        Raises:
            AwsError: as the service, or the script of faults, would have it.
        """
        call = Call(operation, params, self.clock.wall())
        self.calls.append(call)
        if watch is not None:
            watch.sent()
        try:
            answer = await self._answer(call)
        except AwsError as error:
            call.outcome = error.code
            raise
        except asyncio.CancelledError:
            call.outcome = "cancelled"
            raise
        if watch is not None:
            watch.arriving()
        call.answer = answer
        return answer

    async def _answer(self, call: Call) -> dict[str, Any]:
        fault = self._fault(call)
        await self._wait(self.latency + (fault.seconds if isinstance(fault, Delay) else 0.0))
        if isinstance(fault, AwsError):
            raise fault.with_traceback(None)
        if isinstance(fault, Mapping):
            call.outcome = "faulted"
            answer: Mapping[str, Any] = fault
        else:
            answer = self._operate(call.operation, call.params)
            call.outcome = "ok"
        told: dict[str, Any] = orjson.loads(orjson.dumps(answer, default=base64_text))
        return told

    async def _wait(self, seconds: float) -> None:
        if math.isinf(seconds):
            await asyncio.Event().wait()
        await asyncio.sleep(seconds)

    def _fault(self, call: Call) -> Fault:
        if callable(self.faults):
            return self.faults(call.operation, call.params)
        for index, (operation, fault) in enumerate(self.faults):
            if operation == call.operation:
                del self.faults[index]
                return fault
        return None

    def _operate(self, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        if operation not in self.operations:
            raise AwsError("UnknownOperationException", f"this fake has no {operation}")
        self.age()
        answer: Mapping[str, Any] = getattr(self, self.operations[operation])(params)
        return answer

    def age(self) -> None:
        """Let happen what the time that went by brings about: trimming, rollover."""
        raise NotImplementedError

    def dated(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """With the server's own time, where botocore's answers in full have it: in whole seconds."""
        date = formatdate(int(self.clock.wall()), usegmt=True)
        return {**answer, "ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {"date": date}}}

    def outcomes(self, operation: str) -> list[str]:
        """How the calls of *operation* went, in order."""
        return [call.outcome for call in self.calls if call.operation == operation]

    def times(self, operation: str) -> list[float]:
        """When they arrived, in virtual Unix seconds."""
        return [call.at for call in self.calls if call.operation == operation]


class Numbers:
    """Sequence numbers: integers that only go up, by steps of chance.

    Set `last` to have the next ones just above it, for example where their length in digits changes.
    """

    def __init__(self, first: int, chance: random.Random) -> None:
        self.last = first
        self._chance = chance

    def next(self) -> int:
        self.last += self._chance.randint(1, 1 << 16)
        return self.last


def base64_text(value: object) -> str:
    """What JSON has no form for: bytes go as base64 text."""
    if not isinstance(value, bytes):
        raise TypeError(type(value).__name__)
    return base64.b64encode(value).decode()


def unix(time: object) -> float:
    """A time in a call, which boto3 takes as a datetime and the lean client as a number, in Unix seconds."""
    return time.timestamp() if isinstance(time, datetime) else float(str(time))


def seal(content: Mapping[str, Any]) -> str:
    """An opaque token that carries *content*."""
    return base64.b64encode(orjson.dumps(content)).decode()


def unseal(token: object) -> dict[str, Any] | None:
    """What `seal` put into it; None of any other text."""
    try:
        content = orjson.loads(base64.b64decode(str(token), validate=True))
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def text(number: int | None) -> str | None:
    return None if number is None else str(number)


def told(**fields: Any) -> dict[str, Any]:
    """The fields that are not None, as AWS leaves out what it has nothing to say of."""
    return {name: value for name, value in fields.items() if value is not None}


def trim_before(shards: Iterable[Shard], since: float) -> None:
    """Retention: what arrived before *since* is gone."""
    for shard in shards:
        shard.trim(shard.at_time(since))


def following(shards: Sequence[Shard], name: str | None) -> Sequence[Shard]:
    """The shards of a listing behind the one called *name*."""
    names = [shard.name for shard in shards]
    return shards[names.index(name) + 1 :] if name in names else shards
