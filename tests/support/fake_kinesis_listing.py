"""How the fake of Kinesis lists its shards: filters, pages, and what a listing may be late with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from headrace_connectors.aws import AwsError
from support.fake_shards import Shard
from support.fake_streams import following, seal, text, told, unix, unseal

LISTED_A_PAGE = 1_000
"""ListShards' MaxResults, if none is given: its API reference."""

TOKEN_SECONDS = 300.0
"""A NextToken of ListShards expires: its API reference."""


def passes(shard_filter: Mapping[str, Any], shards: Sequence[Shard]) -> Callable[[Shard], bool]:
    """Which shards a ShardFilter lets through: the types of the API reference, FROM_TRIM_HORIZON if there is none.

    Raises:
        AwsError: InvalidArgumentException, the type is none of them.
    """
    time = unix(shard_filter.get("Timestamp", 0.0))
    after = {shard.name for shard in following(shards, shard_filter.get("ShardId"))}
    kinds: dict[str, Callable[[Shard], bool]] = {
        "AFTER_SHARD_ID": lambda shard: shard.name in after,
        "FROM_TRIM_HORIZON": lambda _: True,
        "AT_TRIM_HORIZON": lambda shard: not shard.parents or not ({s.name for s in shards} & set(shard.parents)),
        "AT_LATEST": lambda shard: shard.closed is None,
        "AT_TIMESTAMP": lambda shard: shard.created <= time and (shard.closed is None or shard.closed >= time),
        "FROM_TIMESTAMP": lambda shard: shard.closed is None or shard.closed >= time,
    }
    kind = str(shard_filter.get("Type", "FROM_TRIM_HORIZON"))
    if kind not in kinds:
        raise AwsError("InvalidArgumentException", f"ShardFilter of unknown type {kind}")
    return kinds[kind]


def described(shard: Shard, *, closed: bool) -> dict[str, Any]:
    """A shard as ListShards says it; *closed*: whether the listing knows already that it is."""
    return told(
        ShardId=shard.name,
        ParentShardId=shard.parents[0] if shard.parents else None,
        AdjacentParentShardId=shard.parents[1] if len(shard.parents) > 1 else None,
        HashKeyRange=hash_keys(shard),
        SequenceNumberRange=told(
            StartingSequenceNumber=str(shard.number),
            EndingSequenceNumber=text(shard.ending) if closed else None,
        ),
    )


def hash_keys(shard: Shard) -> dict[str, str]:
    return {"StartingHashKey": str(shard.low), "EndingHashKey": str(shard.high)}


class Listing:
    """What ListShards answers of shards that its stream still has.

    Attributes:
        page_size: the most shards on a page, whatever was asked for.
        delay: seconds by which a listing is late with children, and with parents being closed: it is only eventually
            consistent.
        repeat_pages: every page comes twice, the second time behind the first one's NextToken.
    """

    def __init__(self) -> None:
        self.page_size = LISTED_A_PAGE
        self.delay = 0.0
        self.repeat_pages = False

    def answer(self, params: Mapping[str, Any], shards: Sequence[Shard], now: float) -> dict[str, Any]:
        """One page.

        Raises:
            AwsError: InvalidArgumentException or ExpiredNextTokenException.
        """
        state = self._begun(params, now) if "NextToken" not in params else self._continued(params, now)
        wanted = passes(state["filter"], shards)
        known = [shard for shard in following(shards, state["after"]) if self._known(shard, now) and wanted(shard)]
        size = min(int(params.get("MaxResults", LISTED_A_PAGE)), self.page_size)
        page, more = known[:size], len(known) > size
        token = None
        if self.repeat_pages and not state["again"]:
            token = seal({**state, "again": True, "born": now})
        elif more:
            token = seal({**state, "after": page[-1].name, "again": False, "born": now})
        return told(Shards=[described(shard, closed=self._known_closed(shard, now)) for shard in page], NextToken=token)

    @staticmethod
    def _begun(params: Mapping[str, Any], now: float) -> dict[str, Any]:
        after = params.get("ExclusiveStartShardId")
        return {"filter": dict(params.get("ShardFilter", {})), "after": after, "again": False, "born": now}

    @staticmethod
    def _continued(params: Mapping[str, Any], now: float) -> dict[str, Any]:
        if params.keys() & {"StreamName", "ExclusiveStartShardId", "ShardFilter"}:
            raise AwsError("InvalidArgumentException", "NextToken and StreamName cannot be provided together")
        state = unseal(params["NextToken"])
        if state is None or "born" not in state:
            raise AwsError("InvalidArgumentException", "NextToken is invalid")
        if now >= state["born"] + TOKEN_SECONDS:
            raise AwsError("ExpiredNextTokenException", "the NextToken has expired")
        return state

    def _known(self, shard: Shard, now: float) -> bool:
        return not shard.parents or now >= shard.created + self.delay

    def _known_closed(self, shard: Shard, now: float) -> bool:
        return shard.closed is not None and now >= shard.closed + self.delay
