"""The store's file: an append-only log of object versions in SQLite, and who may have it open.

One row a change, keyed by revision. A batch of changes is one transaction with `synchronous=FULL`, so once `append`
returns they survive a crash of the machine. Each row carries a checksum of all it says, so that a damaged disk is noticed
when the log is read, never served. Rows that left the history window are deleted with a later batch; the
`floors` table remembers, for each resource, up to which revision that may have happened.
"""

import contextlib
import dataclasses
import fcntl
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from dray.store.errors import StoreCorrupt, StoreError, StoreFull, StoreLocked, StoreUnavailable
from dray.store.wal import lost_frame

DATABASE = "state.db"
LOCK = "lock"
LAYOUT = 2
"""Of the tables below; a database with another one was written by another version of dray."""

EVERY_RESOURCE = ""
"""In `floors`: the floor of resources that have none of their own, or a lower one."""

CURE = "restore a copy (dray snapshot restore), or move it away to start empty"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
    revision INTEGER PRIMARY KEY,
    resource TEXT NOT NULL,
    path TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    data BLOB NOT NULL,
    checksum INTEGER NOT NULL
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

    @property
    def checksum(self) -> int:
        head = f"{self.revision}\0{self.resource}\0{self.path}\0{int(self.deleted)}\0".encode()
        return zlib.crc32(self.data, zlib.crc32(head))


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
        query = "SELECT revision, resource, path, deleted, data, checksum FROM log ORDER BY revision"
        with self._translated():
            for revision, resource, path, deleted, data, checksum in self._connection.execute(query):
                row = Row(revision, resource, path, bool(deleted), data)
                if not isinstance(data, bytes) or row.checksum != checksum:
                    raise StoreCorrupt(
                        f"{self.directory / DATABASE} is damaged: {resource} {path} at revision "
                        f"{revision} is not what was written; {CURE}"
                    )
                yield row

    def floors(self) -> dict[str, int]:
        with self._translated():
            return dict(self._connection.execute("SELECT resource, revision FROM floors"))

    def append(self, rows: Iterable[Row], compactions: Iterable[Compaction] = ()) -> None:
        """Store all of it or nothing. Raises StoreFull, StoreUnavailable or StoreCorrupt."""
        with self._translated(), self._transaction() as connection:
            connection.executemany(
                "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)",
                [(row.revision, row.resource, row.path, row.deleted, row.data, row.checksum) for row in rows],
            )
            for compaction in compactions:
                connection.executemany(
                    "DELETE FROM log WHERE revision = ?", [(revision,) for revision in compaction.revisions]
                )
                # Never back: what was forgotten since the compaction was found must not count as held.
                connection.executemany(
                    "INSERT INTO floors VALUES (?, ?) ON CONFLICT(resource) "
                    "DO UPDATE SET revision = max(revision, excluded.revision)",
                    list(compaction.floors.items()),
                )

    def forget_history(self, revision: int) -> None:
        """Keep the present objects only, with a floor for every resource, those that have no objects yet included."""
        with self._translated(), self._transaction() as connection:
            connection.execute(
                "DELETE FROM log WHERE deleted OR revision NOT IN (SELECT max(revision) FROM log GROUP BY resource, path)"
            )
            connection.execute("DELETE FROM floors")
            connection.execute("INSERT INTO floors VALUES (?, ?)", (EVERY_RESOURCE, revision))

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
        except _FAILURES as error:
            raise _translate(error, self.directory / DATABASE) from error


def _connect(database: Path) -> sqlite3.Connection:
    _check_wal(database)
    try:
        connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
        # What is no text any more is noticed by the checksum of its row, which can name the revision.
        connection.text_factory = lambda raw: raw.decode(errors="replace")
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            layout = connection.execute("PRAGMA user_version").fetchone()[0]
            if layout not in (0, LAYOUT):
                raise StoreCorrupt(
                    f"{database} has layout {layout}, but this version of dray reads layout {LAYOUT}: "
                    "start the version that wrote it, or another data directory"
                )
            _check_structure(connection, database)
            connection.executescript(_SCHEMA)
            connection.execute(f"PRAGMA user_version = {LAYOUT}")
        except BaseException:
            connection.close()
            raise
    except _FAILURES as error:
        raise _translate(error, database) from error
    return connection


def _check_wal(database: Path) -> None:
    """Before SQLite looks at it, which would pass over what it cannot read. Raises StoreCorrupt."""
    try:
        # Made here so that nobody but its owner may ever read it.
        os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        frame = lost_frame(database.with_name(f"{database.name}-wal"))
    except OSError as error:
        raise StoreUnavailable(f"cannot use {database}: {error.strerror or error}") from error
    if frame is not None:
        raise StoreCorrupt(
            f"{database}-wal is damaged: frame {frame} is not what was written, and acknowledged writes follow it; {CURE}"
        )


def _check_structure(connection: sqlite3.Connection, database: Path) -> None:
    """Pages that lost rows without a trace in those that are left. Raises StoreCorrupt."""
    finding = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if finding != "ok":
        raise StoreCorrupt(f"{database} is damaged ({finding.splitlines()[-1].strip()}); {CURE}")


def copy_database(directory: Path, target: Path) -> None:
    """Write what is on the disk of `directory` now to the new file `target`, while others may go on writing there.

    Raises StoreUnavailable (also when there is no database), StoreFull or StoreCorrupt.
    """
    source = directory / DATABASE
    try:
        with contextlib.closing(sqlite3.connect(f"{source.as_uri()}?mode=rw", uri=True)) as connection:
            connection.execute("VACUUM INTO ?", (str(target),))
    except _FAILURES as error:
        raise _translate(error, source) from error


def start_above(directory: Path, revision: int) -> None:
    """Let the closed database in `directory` go on above `revision`, with all history up to there forgotten.

    A client that has seen later revisions than a restored copy holds is then told to list anew, instead of waiting for
    revisions that mean something else by now. Raises as `Log.open` does.
    """
    log = Log.open(directory)
    try:
        log.forget_history(revision)
    finally:
        log.close()


def last_revision(directory: Path) -> int:
    """Of the closed database in `directory`, every row of which is read. Raises as `Log.open` and `Log.rows` do."""
    log = Log.open(directory)
    try:
        return max([row.revision for row in log.rows()] + list(log.floors().values()), default=0)
    finally:
        log.close()


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


_FAILURES = (sqlite3.Error, UnicodeDecodeError)
"""The second where SQLite's own message quotes what it cannot read."""


def _translate(error: sqlite3.Error | UnicodeDecodeError, database: Path) -> StoreError:
    # The low byte is the primary code; the rest refines it.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StoreFull(f"no room to write {database}: free some space on its disk")
    if (
        isinstance(error, UnicodeDecodeError)
        or code in _CORRUPT
        or (code == sqlite3.SQLITE_ERROR and "no such" in str(error))
    ):
        return StoreCorrupt(f"{database} is damaged ({error}); {CURE}")
    return StoreUnavailable(f"cannot write {database}: {error}")
