"""What is kept of records in SQLite, inside one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from headrace.outcomes import KeptOutcome

_OURS = "service = ? AND mapping = ?"
_LANE = f"{_OURS} AND lane = ?"
_NAME_OF = f"SELECT name FROM outcome_records WHERE {_LANE} AND record = ?"  # noqa: S608 - our own words, here and below
_RECORDS = f"SELECT record FROM outcome_records WHERE {_LANE} AND name = ? ORDER BY rowid"  # noqa: S608
_DROP = (
    f"DELETE FROM outcome_records WHERE {_LANE} AND name = ?",  # noqa: S608
    f"DELETE FROM outcomes WHERE {_LANE} AND name = ?",  # noqa: S608
)


class SqliteOutcomeRows:
    """`OutcomeRows` but for `row`, of one service, in a transaction that began at `wall`."""

    _db: sqlite3.Connection
    _service: str
    wall: float

    def put_outcome(self, mapping: str, lane: str, outcome: KeptOutcome, seconds: float) -> None:
        ours = (self._service, mapping, lane)
        self._drop(mapping, lane, outcome.name)
        self.drop_outcomes(mapping, lane, outcome.records)
        rows = [(*ours, record, outcome.name) for record in outcome.records]
        self._db.executemany("INSERT INTO outcome_records VALUES (?, ?, ?, ?, ?)", rows)
        values = (*ours, outcome.name, outcome.text, self.wall + seconds)
        self._db.execute("INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, ?)", values)

    def outcomes(self, mapping: str, lane: str, records: Sequence[str] | None) -> Sequence[KeptOutcome]:
        ours, db = (self._service, mapping, lane), self._db
        if records is None:
            query = f"SELECT name FROM outcomes WHERE {_LANE} ORDER BY rowid"  # noqa: S608
            names = [name for (name,) in db.execute(query, ours).fetchall()]
        else:
            names = [name for record in records for (name,) in db.execute(_NAME_OF, (*ours, record)).fetchall()]
        query = f"SELECT name, text FROM outcomes WHERE {_LANE} AND name = ? AND expires > ?"  # noqa: S608
        found = [db.execute(query, (*ours, name, self.wall)).fetchone() for name in dict.fromkeys(names)]
        return [
            KeptOutcome(name=one[0], records=self._records(mapping, lane, one[0]), text=one[1]) for one in found if one
        ]

    def drop_outcomes(self, mapping: str, lane: str, records: Sequence[str]) -> None:
        ours = (self._service, mapping, lane)
        names = {name for record in records for (name,) in self._db.execute(_NAME_OF, (*ours, record)).fetchall()}
        query = f"DELETE FROM outcome_records WHERE {_LANE} AND record = ?"  # noqa: S608
        self._db.executemany(query, [(*ours, record) for record in records])
        for name in names:
            if not self._records(mapping, lane, name):
                self._drop(mapping, lane, name)

    def clear_outcomes(self, mapping: str, lane: str | None = None) -> None:
        where, values = (_OURS, ()) if lane is None else (_LANE, (lane,))
        for table in ("outcome_records", "outcomes"):
            self._db.execute(f"DELETE FROM {table} WHERE {where}", (self._service, mapping, *values))  # noqa: S608

    def forget_outcomes(self, mapping: str, limit: int) -> None:
        query = f"SELECT lane, name FROM outcomes WHERE {_OURS} AND expires <= ? LIMIT ?"  # noqa: S608
        for lane, name in self._db.execute(query, (self._service, mapping, self.wall, limit)).fetchall():
            self._drop(mapping, lane, name)

    def _drop(self, mapping: str, lane: str, name: str) -> None:
        for query in _DROP:
            self._db.execute(query, (self._service, mapping, lane, name))

    def _records(self, mapping: str, lane: str, name: str) -> list[str]:
        return [record for (record,) in self._db.execute(_RECORDS, (self._service, mapping, lane, name)).fetchall()]
