"""The store's file: an append-only log of object versions in SQLite, and who may have it open.

One row a change, keyed by revision. A batch of changes is one transaction with `synchronous=FULL`, so once `append`
returns they survive a crash of the machine. Rows that left the history window are deleted with a later batch; the
`floors` table remembers, for each resource, up to which revision that may have happened.
"""

import contextlib
import dataclasses
import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from dray.store.errors import StoreCorrupt, StoreError, StoreFull, StoreLocked, StoreUnavailable

DATABASE = "state.db"
LOCK = "lock"
LAYOUT = 1
"""Of the tables below; a database with a higher one was written by a newer dray."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
    revision INTEGER PRIMARY KEY,
    resource TEXT NOT NULL,
    path TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS floors (resource TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    revision: int
    resource: str
    path: str
    deleted: bool
    data: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Compaction:
    """Rows that nobody can ask for any more, and the floors that say so."""

    revisions: list[int]
    floors: dict[str, int]


class Log:
    """One open database. `open` it on any thread, then use it from one."""

    def __init__(self, directory: Path, connection: sqlite3.Connection, lock: int) -> None:
        self.directory = directory
        self._connection = connection
        self._lock = lock

    @classmethod
    def open(cls, directory: Path) -> "Log":
        """Raises StoreLocked, StoreCorrupt or StoreUnavailable."""
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = _acquire(directory / LOCK)
        except OSError as error:
            raise StoreUnavailable(f"cannot use the data directory {directory}: {error}") from error
        try:
            return cls(directory, _connect(directory / DATABASE), lock)
        except BaseException:
            os.close(lock)
            raise

    def rows(self) -> Iterator[Row]:
        """Every row, oldest first. Raises StoreCorrupt."""
        query = "SELECT revision, resource, path, deleted, data FROM log ORDER BY revision"
        with self._translated():
            for revision, resource, path, deleted, data in self._connection.execute(query):
                yield Row(revision, resource, path, bool(deleted), data)

    def floors(self) -> dict[str, int]:
        with self._translated():
            return dict(self._connection.execute("SELECT resource, revision FROM floors"))

    def append(self, rows: Iterable[Row], compactions: Iterable[Compaction] = ()) -> None:
        """Store all of it or nothing. Raises StoreFull, StoreUnavailable or StoreCorrupt."""
        with self._translated(), self._transaction() as connection:
            connection.executemany(
                "INSERT INTO log VALUES (?, ?, ?, ?, ?)",
                [(row.revision, row.resource, row.path, row.deleted, row.data) for row in rows],
            )
            for compaction in compactions:
                connection.executemany(
                    "DELETE FROM log WHERE revision = ?", [(revision,) for revision in compaction.revisions]
                )
                connection.executemany(
                    "INSERT OR REPLACE INTO floors VALUES (?, ?)", list(compaction.floors.items())
                )

    def close(self) -> None:
        try:
            self._connection.close()
        finally:
            os.close(self._lock)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _translate(error, self.directory / DATABASE) from error


def _connect(database: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            layout = connection.execute("PRAGMA user_version").fetchone()[0]
            if layout > LAYOUT:
                raise StoreCorrupt(
                    f"{database} has layout {layout}, but this version of dray reads layout {LAYOUT}: "
                    "start the version that wrote it, or another data directory"
                )
            connection.executescript(_SCHEMA)
            connection.execute(f"PRAGMA user_version = {LAYOUT}")
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise _translate(error, database) from error
    return connection


def _acquire(path: Path) -> int:
    """Hold the lock file for as long as the returned descriptor is open. Raises StoreLocked."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode(errors="replace").strip()
        os.close(descriptor)
        raise StoreLocked(
            f"the data directory {path.parent} is in use by process {holder or '(unknown)'}: "
            "stop that process, or choose another directory"
        ) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA, sqlite3.SQLITE_FORMAT}


def _translate(error: sqlite3.Error, database: Path) -> StoreError:
    # The low byte is the primary code; the rest refines it.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StoreFull(f"no room to write {database}: free some space on its disk")
    if code in _CORRUPT or (code == sqlite3.SQLITE_ERROR and "no such" in str(error)):
        return StoreCorrupt(
            f"{database} is damaged ({error}): restore it from a backup, or move it away to start empty"
        )
    return StoreUnavailable(f"cannot write {database}: {error}")
