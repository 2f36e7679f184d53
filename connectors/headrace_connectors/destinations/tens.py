"""Messages by tens, as SQS, SNS and EventBridge take them: within a limit of bytes, confirmed entry by entry."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from headrace.destination import CONFIRMED, PATIENCE, Message, Reply, Said, plain
from headrace.plugins import Limit
from headrace_connectors.aws import AwsError
from headrace_connectors.limits import too_large

MALFORMED: Final = frozenset(
    {
        "BatchRequestTooLong",
        "InvalidMessageContents",
        "InvalidParameter",
        "InvalidParameterValue",
        "MessageTooLong",
        "ParameterValueInvalid",
        "RequestEntityTooLarge",
        "Validation",
    }
)
"""Errors of a whole call that one of its messages has caused, by the last part of their codes."""

CURABLE: Final = re.compile(
    r"(?i)kms|access|denied|auth|security|throttl|nonexistent|notexist|notfound|disabled|overlimit"
)
"""Codes of an entry that call the sender at fault, where it is rights, keys or load: it may be taken later."""

Number: TypeAlias = int
Batch: TypeAlias = Mapping[Number, Message]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tens:
    """Sends messages through *call*, which takes one batch and returns AWS's answer (`Successful`, `Failed`).

    Attributes:
        limit: what one message, and one call, may hold.
        taker: the service's name, for people.
        weight: bytes that a message takes of the limit.
    """

    call: Callable[[Batch], Awaitable[dict[str, Any]]]
    limit: Limit
    taker: str
    weight: Callable[[Message], int]

    async def send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        """A reply for each. A call that failed ends the sending; one that a message has spoilt is taken apart."""
        replies: dict[Number, Reply] = {
            number: refused
            for number, one in enumerate(messages)
            if (refused := too_large(one, self.weight(one), self.limit, self.taker))
        }
        waiting = deque(self._batches({n: one for n, one in enumerate(messages) if n not in replies}))
        while waiting:
            batch = waiting.popleft()
            try:
                replies |= await self._call(batch)
            except (AwsError, TimeoutError) as error:
                if not _is_malformed(error):
                    why = Reply(Said.FAILED, str(error) or f"no answer within {PATIENCE:g} s")
                    replies |= {number: why for rest in (batch, *waiting) for number in rest}
                    break
                if len(batch) == 1:
                    replies |= dict.fromkeys(batch, Reply(Said.REFUSED, str(error)))
                else:  # one of several has spoilt the call: each goes by itself
                    waiting.extendleft({number: one} for number, one in reversed(batch.items()))
        return [replies[number] for number in range(len(messages))]

    async def _call(self, batch: Batch) -> dict[Number, Reply]:
        """Every entry of the answer is read; what it does not name was not taken."""
        async with asyncio.timeout(PATIENCE):
            answer = await self.call(batch)
        replies = dict.fromkeys(batch, Reply(Said.FAILED, "the answer does not name it"))
        for entry in answer.get("Successful") or ():
            replies |= {number: CONFIRMED for number in batch if str(number) == entry.get("Id")}
        for entry in answer.get("Failed") or ():
            replies |= {number: _failed(entry) for number in batch if str(number) == entry.get("Id")}
        return replies

    def _batches(self, messages: Batch) -> Iterator[dict[Number, Message]]:
        """Ten at most, and no more bytes than one call may hold."""
        batch: dict[Number, Message] = {}
        nbytes = 0
        for number, one in messages.items():
            weight = self.weight(one)
            if len(batch) == self.limit.count or nbytes + weight > (self.limit.call or weight):
                yield batch
                batch, nbytes = {}, 0
            batch[number] = one
            nbytes += weight
        if batch:
            yield batch


def of_group(message: Message, mapping: str) -> dict[str, str]:
    """What an entry for a FIFO queue or topic has besides: the source's group, and what tells repeats."""
    return {
        "MessageGroupId": plain(message.key or mapping),
        "MessageDeduplicationId": plain(message.id),
    }


def _is_malformed(error: AwsError | TimeoutError) -> bool:
    return isinstance(error, AwsError) and error.code.rpartition(".")[2].removesuffix("Exception") in MALFORMED


def _failed(entry: Mapping[str, Any]) -> Reply:
    code = str(entry.get("Code"))
    final = entry.get("SenderFault", False) and not CURABLE.search(code)
    return Reply(Said.REFUSED if final else Said.FAILED, f"{code}: {entry.get('Message')}")
