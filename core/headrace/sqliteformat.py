"""The tables of the SQLite ledger: made in a new file, and brought up to date in an older one."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from headrace.errors import LedgerError

APPLICATION = 0x68726163
"""`hrac`, in the file's header (PRAGMA application_id): by it a file of ours is known."""

_STEPS = (
    """
CREATE TABLE graphs (
    service TEXT NOT NULL, mapping TEXT NOT NULL, identity TEXT, generation TEXT, paused INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    PRIMARY KEY (service, mapping)
);
CREATE TABLE shards (
    service TEXT NOT NULL, mapping TEXT NOT NULL, shard TEXT NOT NULL, parents TEXT NOT NULL,
    position TEXT NOT NULL, ended INTEGER NOT NULL, owner TEXT, epoch INTEGER NOT NULL, boot TEXT, expires REAL,
    memo BLOB, crashes INTEGER NOT NULL, mark_position TEXT, mark_attempt INTEGER, asked TEXT, state TEXT NOT NULL,
    UNIQUE (service, mapping, shard)
);
""",
    """
CREATE TABLE calls (
    service TEXT NOT NULL, mapping TEXT NOT NULL, id TEXT NOT NULL, event TEXT NOT NULL, put_due REAL NOT NULL,
    "group" TEXT NOT NULL, alone INTEGER NOT NULL, accepted REAL NOT NULL, due REAL NOT NULL, attempt INTEGER NOT NULL,
    number INTEGER NOT NULL, owner TEXT, boot TEXT, expires REAL,
    UNIQUE (service, mapping, id)
);
CREATE INDEX calls_that_wait ON calls (service, mapping, due, id) WHERE owner IS NULL;
CREATE INDEX calls_that_are_taken ON calls (service, mapping, boot, expires) WHERE owner IS NOT NULL;
CREATE INDEX calls_by_group ON calls (service, mapping, "group", owner);
CREATE INDEX calls_that_were_begun ON calls (service, mapping, "group") WHERE owner IS NULL AND attempt > 0;
CREATE TABLE notes (
    service TEXT NOT NULL, mapping TEXT NOT NULL, "group" TEXT NOT NULL, note TEXT NOT NULL,
    PRIMARY KEY (service, mapping, "group")
);
""",
    """
CREATE TABLE verdicts (
    service TEXT NOT NULL, mapping TEXT NOT NULL, key TEXT NOT NULL, holder TEXT NOT NULL, done INTEGER NOT NULL,
    boot TEXT NOT NULL, expires REAL NOT NULL,
    PRIMARY KEY (service, mapping, key)
);
CREATE INDEX verdicts_that_are_done ON verdicts (service, mapping, expires) WHERE done;
CREATE INDEX verdicts_that_are_held ON verdicts (service, mapping, boot, expires) WHERE NOT done;
""",
    """
ALTER TABLE calls ADD COLUMN was_alone INTEGER NOT NULL DEFAULT 0;
ALTER TABLE shards ADD COLUMN since REAL;
""",
    """
CREATE TABLE outcomes (
    service TEXT NOT NULL, mapping TEXT NOT NULL, lane TEXT NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL,
    expires REAL NOT NULL,
    UNIQUE (service, mapping, lane, name)
);
CREATE INDEX outcomes_by_end ON outcomes (service, mapping, expires);
CREATE TABLE outcome_records (
    service TEXT NOT NULL, mapping TEXT NOT NULL, lane TEXT NOT NULL, record TEXT NOT NULL, name TEXT NOT NULL,
    UNIQUE (service, mapping, lane, record)
);
CREATE INDEX outcome_records_by_name ON outcome_records (service, mapping, lane, name);
""",
)
"""What each format adds to the one before it.

`calls` has in `due` from when on one may be taken now; `verdicts` has in `expires` Unix time where it is done, else
time of the boot clock; `outcomes` has Unix time."""

FORMAT = len(_STEPS)
"""Of the tables, in PRAGMA user_version."""


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make what is missing, all of it or nothing.

    Raises:
        LedgerError: the file is not ours, or of a format that we do not know.
    """
    connection.execute("BEGIN IMMEDIATE")  # of several that find no file one makes the tables; fails if read-only
    try:
        _write(connection, _format(connection, path))
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _format(connection: sqlite3.Connection, path: Path) -> int:
    """The file's; 0 for an empty one."""
    application, version, tables = (
        connection.execute(query).fetchone()[0]
        for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    if not application and not tables:
        return 0
    if application != APPLICATION:
        raise LedgerError(f"{path} is a database of something else; name another file")
    if version > FORMAT:
        raise LedgerError(
            f"{path} is of format {version}, written by a newer headrace; this one knows {FORMAT}:"
            " run the newer one, or name another file"
        )
    return int(version)


def _write(connection: sqlite3.Connection, found: int) -> None:
    if found == FORMAT:
        return
    for step in _STEPS[found:]:
        for statement in step.split(";")[:-1]:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")
