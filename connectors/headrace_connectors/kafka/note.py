"""What stands beside a committed offset: whose it is, and what was lost there (design rule 13). Pure.

Kafka keeps a short text with each committed offset. It does for a partition what a ledger's row does for a shard: an
owner that was lost leaves its name there, and one that let go takes it out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Final, Self

from headrace.ledger import Mark

FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """The text as values.

    Attributes:
        owner: who reads on from here; empty: it was let go.
        epoch: raised with every change of owner.
        crashes: how many owners in a row were lost at this offset.
        mark: the record that is being tried alone.
        sought: the last request of an operator's that was carried out.
    """

    owner: str = ""
    epoch: int = 0
    crashes: int = 0
    mark: Mark | None = None
    sought: str = ""

    @classmethod
    def of(cls, text: str) -> Self:
        """What *text* says; nothing, where other tools wrote it or a newer headrace did.

        confluent_kafka 2.16 commits a NUL behind each text: what stands behind the note is left out.
        """
        try:
            match json.JSONDecoder().raw_decode(text or "null")[0]:
                case {"headrace": 1, "owner": str(owner), "epoch": int(epoch), "crashes": int(crashes), **more}:
                    sought = str(more.get("sought", ""))
                    return cls(owner=owner, epoch=epoch, crashes=crashes, mark=_mark(more.get("mark")), sought=sought)
        except ValueError:
            pass
        return cls()

    def text(self) -> str:
        said: dict[str, object] = {
            "headrace": FORMAT,
            "owner": self.owner,
            "epoch": self.epoch,
            "crashes": self.crashes,
        }
        if self.mark is not None:
            said["mark"] = [self.mark.position, self.mark.attempt]
        if self.sought:
            said["sought"] = self.sought
        return json.dumps(said, separators=(",", ":"))

    def taken(self, owner: str) -> Note:
        """As the next owner writes it: one whose name still stands there was lost, unless it is the same."""
        lost = bool(self.owner) and self.owner != owner
        return replace(self, owner=owner, epoch=self.epoch + 1, crashes=self.crashes + lost)

    def carried_out(self, request: str) -> Note:
        """As it stands where an operator wanted it."""
        return replace(self, crashes=0, mark=None, sought=request)

    def moved(self) -> Note:
        """As it stands beside another offset."""
        return replace(self, crashes=0, mark=None)

    def left(self) -> Note:
        """As it is let go: no crash more, and none forgotten. Each of the dead that starts again moves partitions."""
        return replace(self, owner="")


def _mark(said: object) -> Mark | None:
    match said:
        case [str(position), int(attempt)]:
            return Mark(position=position, attempt=attempt)
    return None
