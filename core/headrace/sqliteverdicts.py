"""Verdicts in SQLite, inside one transaction."""

from __future__ import annotations

import sqlite3

from headrace.remembering import Entry

_OURS = "service = ? AND mapping = ?"
_GET = f"SELECT holder, done, boot, expires FROM verdicts WHERE {_OURS} AND key = ?"  # noqa: S608 - our own words, here and below
_PUT = (
    "INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (service, mapping, key) DO UPDATE SET "
    "holder = excluded.holder, done = excluded.done, boot = excluded.boot, expires = excluded.expires"
)
_DROP = f"DELETE FROM verdicts WHERE {_OURS} AND key = ?"  # noqa: S608
_EXPIRED = " UNION ALL ".join(
    f"SELECT key FROM verdicts WHERE {_OURS} AND {expired}"  # noqa: S608
    for expired in (
        "done AND expires <= ?",
        "NOT done AND boot = ? AND expires <= ?",
        "NOT done AND boot < ?",
        "NOT done AND boot > ?",
    )
)
"""Holds of another boot too; several questions, since an OR would not be answered from the indexes."""
_FORGET = f"DELETE FROM verdicts WHERE {_OURS} AND key IN ({_EXPIRED} LIMIT ?)"  # noqa: S608


class SqliteVerdictRows:
    """`VerdictRows` of one service, in a transaction that began at `_now` by the clock of `_boot`, and `wall`."""

    _db: sqlite3.Connection
    _service: str
    _boot: str
    _now: float
    wall: float

    def entry(self, mapping: str, key: str) -> Entry | None:
        found = self._db.execute(_GET, (self._service, mapping, key)).fetchone()
        if found is None:
            return None
        holder, done, boot, expires = found
        left = expires - self.wall if done else expires - self._now if boot == self._boot else 0.0
        return Entry(holder=holder, done=bool(done), left=left)

    def put_entry(self, mapping: str, key: str, entry: Entry) -> None:
        begins = self.wall if entry.done else self._now
        expires = (self._boot, begins + entry.left)
        self._db.execute(_PUT, (self._service, mapping, key, entry.holder, entry.done, *expires))

    def drop_entry(self, mapping: str, key: str) -> None:
        self._db.execute(_DROP, (self._service, mapping, key))

    def forget_entries(self, mapping: str, limit: int) -> None:
        ours, boot = (self._service, mapping), self._boot
        expired = (*ours, self.wall, *ours, boot, self._now, *ours, boot, *ours, boot)
        self._db.execute(_FORGET, (*ours, *expired, limit))
