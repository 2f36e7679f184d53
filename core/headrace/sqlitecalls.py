"""Queues of calls in SQLite, inside one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from headrace.calling import Kept
from headrace.calls import Call, Waiting

_OURS = "service = ? AND mapping = ?"
_COLUMNS = 'id, event, put_due, "group", alone, accepted, due, attempt, number, owner, boot, expires, was_alone'
_CHANGE = ("due", "attempt", "number", "owner", "boot", "expires", "was_alone")
_GET = f"SELECT {_COLUMNS} FROM calls WHERE {_OURS}"  # noqa: S608 - our own words, here and below
_PUT = (
    f"INSERT INTO calls (service, mapping, {_COLUMNS}) VALUES ({', '.join('?' * 15)})"  # noqa: S608
    " ON CONFLICT (service, mapping, id) DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in _CHANGE)
)
_DUE = f"{_GET} AND owner IS NULL AND due <= ? ORDER BY due, id"
_EXPIRED = " UNION ALL ".join(
    f"{_GET} AND owner IS NOT NULL AND {expired}" for expired in ("boot = ? AND expires <= ?", "boot < ?", "boot > ?")
)
"""Those of another boot too; three questions, since an OR would not be answered from the index."""
_WAITING = f"""SELECT
    (SELECT count(*) FROM calls WHERE {_OURS} AND owner IS NULL AND due <= ?),
    (SELECT count(*) FROM calls WHERE {_OURS} AND owner IS NULL AND due > ?),
    (SELECT count(*) FROM calls WHERE {_OURS} AND owner IS NOT NULL AND boot = ? AND expires > ?),
    (SELECT count(*) FROM calls WHERE {_OURS} AND owner IS NOT NULL AND boot >= '')"""  # noqa: S608


class SqliteCallRows:
    """`CallRows` but for the head, of one service, in a transaction that began at *now* by the clock of *boot*."""

    def __init__(self, connection: sqlite3.Connection, service: str, boot: str, now: float, wall: float) -> None:
        self._db, self._service, self._boot, self._now = connection, service, boot, now
        self.wall = wall

    def call(self, mapping: str, id_: str) -> Kept | None:
        found = self._db.execute(f"{_GET} AND id = ?", (self._service, mapping, id_)).fetchone()
        return self._kept(found) if found else None

    def due(self, mapping: str) -> Iterable[Kept]:
        return map(self._kept, self._db.execute(_DUE, (self._service, mapping, self.wall)))

    def expired(self, mapping: str) -> Sequence[Kept]:
        ours, boot = (self._service, mapping), self._boot
        found = self._db.execute(_EXPIRED, (*ours, boot, self._now, *ours, boot, *ours, boot)).fetchall()
        return [self._kept(one) for one in found]

    def busy(self, mapping: str, group: str) -> bool:
        query = f"SELECT 1 FROM calls WHERE {_OURS} AND \"group\" = ? AND owner >= '' LIMIT 1"  # noqa: S608
        return self._db.execute(query, (self._service, mapping, group)).fetchone() is not None

    def begun(self, mapping: str, group: str) -> bool:
        query = (  # by its name: SQLite would look through all that wait in the group
            "SELECT 1 FROM calls INDEXED BY calls_that_were_begun"  # noqa: S608
            f' WHERE {_OURS} AND "group" = ? AND owner IS NULL AND attempt > 0 LIMIT 1'
        )
        return self._db.execute(query, (self._service, mapping, group)).fetchone() is not None

    def put_call(self, mapping: str, kept: Kept) -> None:
        call = kept.call
        taking = (None, None, None) if kept.owner is None else (kept.owner, self._boot, self._now + kept.left)
        self._db.execute(
            _PUT,
            (
                *(self._service, mapping, call.id, call.event, call.due, call.group, call.alone),
                *(kept.accepted, kept.due, kept.attempt, kept.number, *taking, kept.was_alone),
            ),
        )

    def drop_call(self, mapping: str, id_: str) -> None:
        self._db.execute(f"DELETE FROM calls WHERE {_OURS} AND id = ?", (self._service, mapping, id_))  # noqa: S608

    def waiting(self, mapping: str) -> Waiting:
        ours, wall = (self._service, mapping), self.wall
        due, later, held, taken = self._db.execute(
            _WAITING, (*ours, wall, *ours, wall, *ours, self._boot, self._now, *ours)
        ).fetchone()
        return Waiting(due=due + taken - held, later=later, taken=held)

    def unfinished(self, mapping: str, group: str) -> int:
        query = f'SELECT count(*) FROM calls WHERE {_OURS} AND "group" = ?'  # noqa: S608
        count: int = self._db.execute(query, (self._service, mapping, group)).fetchone()[0]
        return count

    def notes(self, mapping: str) -> Mapping[str, str]:
        query = f'SELECT "group", note FROM notes WHERE {_OURS}'  # noqa: S608
        return dict(self._db.execute(query, (self._service, mapping)).fetchall())

    def set_note(self, mapping: str, group: str, note: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?, ?, ?)", (self._service, mapping, group, note))

    def _kept(self, found: tuple[Any, ...]) -> Kept:
        id_, event, put_due, group, alone, accepted, due, attempt, number, owner, boot, expires, was_alone = found
        return Kept(
            call=Call(id=id_, event=event, due=put_due, group=group, alone=bool(alone)),
            due=due,
            accepted=accepted,
            attempt=attempt,
            number=number,
            owner=owner,
            left=expires - self._now if owner is not None and boot == self._boot else 0.0,
            was_alone=bool(was_alone),
        )
