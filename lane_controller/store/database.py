"""Opening SQLite the one way a lane's journal is used.

pysqlite3 brings its own SQLite; transactions are begun by us (BEGIN IMMEDIATE), never by the
driver. A commit is durable when it returns: WAL with synchronous FULL. SQLite 3.7.0 to 3.51.2 can
damage a WAL file when it is reset (fixed in 3.51.3); there the journal mode is TRUNCATE.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

from pysqlite3 import dbapi2
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateTable

from lane_controller.store.errors import journal_error
from lane_controller.store.schema import APPLICATION_ID, SCHEMA_VERSION, metadata
from tolling.errors import JournalError

MEMORY_URL = "sqlite://"
BUSY_TIMEOUT_MS = 2_000
"""Only a reader (replay, a backup) can be in the way; it is gone by then."""
WAL_RESET_BUG = ((3, 7, 0), (3, 51, 2))
"""First and last version with the WAL-reset bug."""


def has_wal_reset_bug(version: tuple[int, ...]) -> bool:
    """Return whether this SQLite may damage a WAL file."""
    first, last = WAL_RESET_BUG
    return first <= version[:3] <= last


def journal_path(url: str) -> Path | None:
    """Return the file of a ``sqlite:///path`` URL, None for one in memory.

    Raises: JournalError: neither of the two.
    """
    if url == MEMORY_URL:
        return None
    head, found, path = url.partition("sqlite:///")
    if head or not found or not path:
        raise JournalError(where="journal", what=f"{url!r} is neither sqlite:///FILE nor sqlite://")
    return Path(path)


def connect(path: Path | None, *, read_only: bool = False) -> Engine:
    """Return an engine with exactly one connection to the journal at *path* (None: in memory).

    Raises: JournalError: the file cannot be opened or is no journal of this program.
    """
    where = str(path) if path is not None else "journal in memory"
    if path is not None and not read_only:
        _make_file(path)

    def open_one() -> Any:
        if path is None:
            name, is_uri = ":memory:", False
        elif read_only:
            name, is_uri = f"{path.absolute().as_uri()}?mode=ro", True
        else:
            name, is_uri = str(path), False
        return dbapi2.connect(name, isolation_level=None, check_same_thread=False, uri=is_uri)

    engine = create_engine(
        "sqlite+pysqlite://", module=dbapi2, creator=open_one, poolclass=StaticPool
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN DEFERRED" if read_only else "BEGIN IMMEDIATE")

    try:
        _prepare(engine, where, read_only=read_only, in_memory=path is None)
    except (DBAPIError, dbapi2.Error) as error:
        engine.dispose()
        # The cause holds the statement's values: it is not carried on.
        raise journal_error(getattr(error, "orig", error), where=where) from None
    except JournalError:
        engine.dispose()
        raise
    return engine


def _make_file(path: Path) -> None:
    """Make the file with mode 0600 and its name durable, where it is not there yet."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        raise JournalError(
            where=str(path), what=f"cannot be made: {error.strerror}", do="Check the folder's owner"
        ) from error


@functools.cache
def _tables() -> tuple[str, ...]:
    """Return what makes every table that is missing, as text: a simulated lane opens a journal in
    memory for every seed."""
    return tuple(
        str(CreateTable(table, if_not_exists=True).compile(dialect=dialect()))
        for table in metadata.sorted_tables
    )


def _prepare(engine: Engine, where: str, *, read_only: bool, in_memory: bool) -> None:
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        version = cursor.execute("PRAGMA user_version").fetchone()[0]
        ours = cursor.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        tables = cursor.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and not ours:
            raise JournalError(where=where, what="is a database of another program")
        if (tables or read_only) and version != SCHEMA_VERSION:
            raise JournalError(
                where=where,
                what=f"has journal schema {version}, this program writes {SCHEMA_VERSION}",
                do="Close the lane with the program that wrote it, then begin a new journal file",
            )
        if read_only:
            return
        if not in_memory:
            bad_wal = has_wal_reset_bug(dbapi2.sqlite_version_info)
            cursor.execute(f"PRAGMA journal_mode = {'TRUNCATE' if bad_wal else 'WAL'}")
            cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
    finally:
        raw.close()
    with engine.begin() as connection:
        for table in _tables():
            connection.exec_driver_sql(table)
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
