"""The ledger of one machine: an SQLite file that any number of its processes share.

Every verb is one IMMEDIATE transaction. `synchronous` is FULL: in WAL mode NORMAL does not sync the log at a commit, so
that a power cut could take back a position that was reported as written (https://www.sqlite.org/wal.html, 3.3).
Expiry is judged by CLOCK_BOOTTIME under the machine's boot id: after a boot every lease has expired. The file is no
place to share between machines: WAL needs shared memory, and another machine's boot id expires what is held here.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from headrace.clock import Clock, boot_id
from headrace.errors import ConfigError, Fault, LedgerError, LedgerUnavailable
from headrace.ledger import Graph, LedgerOpening, Mark, Row
from headrace.ownthread import OwnThread
from headrace.retry import while_busy
from headrace.sqlitecalls import SqliteCallRows
from headrace.sqliteformat import prepare
from headrace.sqliteoutcomes import SqliteOutcomeRows
from headrace.sqliteverdicts import SqliteVerdictRows
from headrace.stored import Rows, StoredLedger

T = TypeVar("T")

_COLUMNS = (
    "shard, parents, position, ended, owner, epoch, boot, expires, memo, crashes, mark_position, mark_attempt,"
    " asked, state, since"
)
_PUT = (
    f"INSERT INTO shards (service, mapping, {_COLUMNS}) VALUES ({', '.join('?' * 17)})"  # noqa: S608 - our own words
    " ON CONFLICT (service, mapping, shard) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.split(", ") if name != "shard")
)
_GET = f"SELECT {_COLUMNS} FROM shards WHERE service = ? AND mapping = ?"  # noqa: S608 - as above


class SqliteLedger(StoredLedger):
    """One file, one connection, one daemon thread: a store that hangs never holds the exit of the process."""

    def __init__(self, path: Path, *, service: str, clock: Clock) -> None:
        self._path, self._service, self._clock = path, service, clock
        self._thread = OwnThread(f"ledger {path.name}")
        self._connection: sqlite3.Connection | None = None
        self._boot = ""

    async def open(self) -> None:
        """Make the file, or see that it is ours."""
        await self._thread.run(self._opened)

    async def _run(self, work: Callable[[Rows], T]) -> T:
        # A deferred one would be refused at its first write if others wrote meanwhile, and be tried again from its
        # beginning: as right, but it would never wait for the lock.
        return await self._thread.run(lambda: self._transaction("BEGIN IMMEDIATE", work))

    async def _look(self, work: Callable[[Rows], T]) -> T:
        return await self._thread.run(lambda: self._transaction("BEGIN DEFERRED", work))

    async def close(self) -> None:
        await self._thread.end(self._close)

    def _transaction(self, begin: str, work: Callable[[Rows], T]) -> T:
        def once() -> T:
            connection = self._connection or self._opened()
            connection.execute(begin)
            try:
                now, wall = self._clock.boot(), self._clock.wall()  # behind the wait for the lock
                result = work(_SqliteRows(connection, self._service, self._boot, now, wall))
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            return result

        return self._told(once, writes=begin == "BEGIN IMMEDIATE")

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._told(self._connect, writes=False)
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        self._boot = boot_id()
        connection = sqlite3.connect(self._path, timeout=1.0, isolation_level=None)
        try:
            prepare(connection, self._path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _told(self, work: Callable[[], T], *, writes: bool) -> T:
        """Carry *work* out, again while others have the file locked; say what is the matter in our words."""
        try:
            return while_busy(work, is_busy)
        except sqlite3.Error as error:
            raise self._error(error, writes=writes) from error
        except OSError as error:
            raise LedgerError(f"{self._path}: {error}") from error

    def _error(self, error: sqlite3.Error, *, writes: bool) -> LedgerError:
        """A transaction that failed was rolled back, or will be by whoever opens the file next."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        nothing, perhaps = (False, True) if writes else (None, None)
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return LedgerUnavailable(f"{self._path} is locked by another process", written=nothing)
        if code == sqlite3.SQLITE_FULL:
            return LedgerUnavailable(f"{self._path}: the disk is full; make room", written=nothing)
        if code == sqlite3.SQLITE_IOERR:
            return LedgerUnavailable(f"{self._path}: {error} (a full or failing disk)", written=perhaps)
        mends = {
            sqlite3.SQLITE_READONLY: "may not be written; give this user the right to write the file and its folder",
            sqlite3.SQLITE_CANTOPEN: "cannot be opened; is its folder there, and may this user write in it?",
            sqlite3.SQLITE_NOTADB: "is not an SQLite database; name another file",
            sqlite3.SQLITE_CORRUPT: "is damaged; put it aside, or restore it from a copy",
        }
        return LedgerError(f"{self._path} {mends.get(code, f'cannot be used: {error}')}")

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _SqliteRows(SqliteCallRows, SqliteVerdictRows, SqliteOutcomeRows):
    """The rows of one service inside one transaction."""

    def head(self, mapping: str) -> Graph:
        query = "SELECT identity, generation, paused, epoch FROM graphs WHERE service = ? AND mapping = ?"
        found = self._db.execute(query, (self._service, mapping)).fetchone()
        if found is None:
            return Graph()
        identity, generation, paused, epoch = found
        return Graph(identity=identity, generation=generation, paused=bool(paused), epoch=epoch)

    def set_head(self, mapping: str, head: Graph) -> None:
        values = (self._service, mapping, head.identity, head.generation, head.paused, head.epoch)
        self._db.execute("INSERT OR REPLACE INTO graphs VALUES (?, ?, ?, ?, ?, ?)", values)

    def row(self, mapping: str, shard: str) -> Row | None:
        found = self._db.execute(f"{_GET} AND shard = ?", (self._service, mapping, shard)).fetchone()
        return self._read(found) if found else None

    def rows(self, mapping: str) -> Iterable[Row]:
        return map(self._read, self._db.execute(f"{_GET} ORDER BY rowid", (self._service, mapping)).fetchall())

    def put(self, mapping: str, row: Row) -> None:
        lease = (row.owner, row.epoch, self._boot, self._now + row.left) if row.owner else (None, row.epoch, None, None)
        mark = (row.mark.position, row.mark.attempt) if row.mark else (None, None)
        self._db.execute(
            _PUT,
            (
                *(self._service, mapping, row.shard, json.dumps(row.parents), row.position, row.ended),
                *(*lease, row.memo, row.crashes, *mark, row.asked, row.state),
                None if row.idle is None else self.wall - row.idle,
            ),
        )

    def drop(self, mapping: str, shard: str) -> None:
        self._db.execute(
            "DELETE FROM shards WHERE service = ? AND mapping = ? AND shard = ?", (self._service, mapping, shard)
        )

    def _read(self, found: tuple[Any, ...]) -> Row:
        shard, parents, position, ended, owner, epoch, boot, expires, memo, crashes, *more = found
        marked, attempt, asked, state, since = more
        return Row(
            shard=shard,
            position=position,
            parents=tuple(json.loads(parents)),
            ended=bool(ended),
            owner=owner,
            epoch=epoch,
            left=expires - self._now if boot == self._boot else 0.0,
            memo=memo,
            crashes=crashes,
            mark=Mark(position=marked, attempt=attempt) if marked is not None else None,
            asked=asked,
            state=state,
            idle=None if since is None else max(self.wall - since, 0.0),
        )


def is_busy(error: BaseException) -> bool:
    """Whether another process has the file locked for the moment."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def path_of(url: str) -> Path:
    """The file of `sqlite:PATH`; a relative path is from the working directory.

    Raises:
        ConfigError: it names none.
    """
    path = url.removeprefix("sqlite:")
    if not path or path.startswith("//"):
        raise ConfigError([Fault("service.state", f"{url!r} names no file; write sqlite:PATH")])
    return Path(path)


async def open_sqlite(opening: LedgerOpening) -> SqliteLedger:
    """The ledger in the file that `path_of` names."""
    ledger = SqliteLedger(path_of(opening.url), service=opening.service, clock=opening.clock)
    try:
        await ledger.open()
    except BaseException:
        await ledger.close()
        raise
    return ledger
