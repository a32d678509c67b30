"""Opens the plaza's store: SQLite in a file or in memory, or PostgreSQL.

Strategy. On SQLite every transaction begins with BEGIN IMMEDIATE, because the driver's own deferred
transactions read outside of them and lost a paid state in a trial; WAL with synchronous FULL makes
a commit durable in one fsync. A lock on a file beside the database makes sure that one plaza
process has it: several need PostgreSQL.
"""

from __future__ import annotations

import fcntl
import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pysqlite3.dbapi2 as sqlite
import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from plaza_server.store.migrate import migrate, newest_version
from tolling.errors import BadInputError, RefusedError

BUSY_TIMEOUT_MS = 5_000
"""How long a connection waits for another one's write; a group of commits takes some
milliseconds."""
WAL_RESET_BUG = ((3, 7, 0), (3, 51, 2))
"""SQLite versions, first and last, whose WAL can lose commits when it is reset (fixed in
3.51.3)."""
_READING = "plaza_reading"


@dataclass(slots=True, kw_only=True)
class Store:
    """An open, migrated store."""

    engine: sa.Engine
    exclusive: bool
    """No other process can have it."""
    warnings: tuple[str, ...] = ()
    """What a person should know about it, one sentence each."""
    _lock_fd: int | None = field(default=None, repr=False)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection for queries; it never holds up a commit."""
        engine = self.engine.execution_options(**{_READING: True})
        with engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections and give the file back."""
        self.engine.dispose()
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None


def open_store(url: str) -> Store:
    """Open the store at *url* and bring its tables up to date.

    Args:   url: ``sqlite:///path``, ``sqlite://`` (memory) or ``postgresql+psycopg://...``.
    Raises: BadInputError: no such kind of store, or it cannot be opened.
            RefusedError: another plaza process has this file.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise BadInputError(where="store url", what="not a database URL", do=_KINDS) from None
    if parsed.drivername == "sqlite":
        store = _open_sqlite(parsed)
    elif parsed.drivername == "postgresql+psycopg":
        store = Store(engine=sa.create_engine(parsed, pool_pre_ping=True), exclusive=False)
    else:
        raise BadInputError(where="store url", what=f"no store kind {parsed.drivername}", do=_KINDS)
    try:
        if parsed.drivername == "sqlite" and _in_memory(parsed):
            _run_script(store.engine, _memory_tables())
        else:
            migrate(store.engine)
    except SQLAlchemyError as error:
        store.close()
        where = f"store {parsed.render_as_string(hide_password=True)}"
        cause = type(getattr(error, "orig", None) or error).__name__
        raise BadInputError(where=where, what=f"cannot be opened ({cause})", do=_CHECK) from error
    return store


def open_for_reading(url: str) -> Store:
    """Open the store at *url* beside whatever runs on it: nothing is written, nothing is locked.

    Raises: BadInputError: no such store, or its tables are not those of this version.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise BadInputError(where="store url", what="not a database URL", do=_KINDS) from None
    if parsed.drivername == "sqlite" and not _in_memory(parsed):
        path = f"file:{quote(str(parsed.database))}?mode=ro"
        engine = sa.create_engine(
            "sqlite://",
            module=sqlite,
            creator=lambda: sqlite.connect(path, uri=True, isolation_level=None),
            poolclass=StaticPool,
        )
        sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    elif parsed.drivername == "postgresql+psycopg":
        engine = sa.create_engine(parsed).execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
    else:
        raise BadInputError(where="store url", what=f"no store kind {parsed.drivername}", do=_KINDS)
    store = Store(engine=engine, exclusive=False)
    where = f"store {parsed.render_as_string(hide_password=True)}"
    try:
        with store.reading() as connection:
            found = connection.exec_driver_sql("SELECT version_num FROM alembic_version")
            version = found.scalar_one_or_none()
    except SQLAlchemyError as error:
        store.close()
        cause = type(getattr(error, "orig", None) or error).__name__
        raise BadInputError(where=where, what=f"cannot be read ({cause})", do=_CHECK) from error
    if version != newest_version():
        store.close()
        what = f"its tables are of version {version}, not {newest_version()}"
        raise BadInputError(where=where, what=what, do="Start a plaza of this version on it once")
    return store


def _in_memory(url: URL) -> bool:
    return url.database in {None, "", ":memory:"}


@functools.cache
def _memory_tables() -> str:
    """Return what the migrations make of an empty database, as one script.

    Found once by running them: a simulated plaza opens a store in memory for every seed, and
    alembic takes fifty times as long as the statements themselves.
    """
    engine = _open_sqlite(make_url("sqlite://")).engine
    try:
        migrate(engine)
        with engine.connect() as connection:
            found = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
            made = connection.exec_driver_sql(found).scalars().all()
            version = connection.exec_driver_sql("SELECT version_num FROM alembic_version")
            head = version.scalar_one()
    finally:
        engine.dispose()
    # A version is made of letters and digits of our own.
    return ";\n".join([*made, f"INSERT INTO alembic_version VALUES ('{head}')", ""])  # noqa: S608


def _run_script(engine: sa.Engine, script: str) -> None:
    raw = engine.raw_connection()
    try:
        raw.cursor().executescript(script)
    finally:
        raw.close()


_KINDS = "Use sqlite:///path, sqlite:// or postgresql+psycopg://..."
_CHECK = "Check path, rights, server and password"


def journal_mode(version: tuple[int, int, int]) -> tuple[str, str | None]:
    """Return the journal mode for an SQLite *version*, and a warning where it is not the wanted
    one."""
    first, last = WAL_RESET_BUG
    if not first <= version <= last:
        return "WAL", None
    text = ".".join(str(part) for part in version)
    return "TRUNCATE", (
        f"SQLite {text} can lose commits in WAL mode: journal_mode TRUNCATE is used, commits are"
        " slower. Install pysqlite3 with SQLite 3.51.3 or newer"
    )


def _open_sqlite(url: URL) -> Store:
    path = url.database
    memory = _in_memory(url)
    mode, warning = journal_mode(sqlite.sqlite_version_info)
    options: dict[str, Any] = {"poolclass": StaticPool} if memory else {}
    lock = None if memory or path is None else _lock(path)
    engine = sa.create_engine(
        url,
        module=sqlite,
        connect_args={"isolation_level": None, "check_same_thread": False},
        **options,
    )

    def prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        if not memory:
            cursor.execute(f"PRAGMA journal_mode = {mode}")
            cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    def begin(connection: sa.Connection) -> None:
        reading = connection.get_execution_options().get(_READING, False)
        how = "BEGIN" if reading else "BEGIN IMMEDIATE"
        try:
            # To the driver itself: SQLAlchemy's way takes longer than a small transaction.
            connection.connection.cursor().execute(how)
        except sqlite.Error as error:
            raise sa.exc.DBAPIError.instance(how, None, error, sqlite.Error) from None

    sa.event.listen(engine, "connect", prepare)
    sa.event.listen(engine, "begin", begin)
    warnings = () if warning is None or memory else (warning,)
    return Store(engine=engine, exclusive=True, warnings=warnings, _lock_fd=lock)


def _lock(path: str) -> int:
    """Take the lock beside the database; it is given back with the process, whatever ends that."""
    name = f"{path}.lock"
    try:
        fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        what = f"cannot be made ({error.strerror})"
        raise BadInputError(where=f"store lock {name}", what=what, do=_CHECK) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise RefusedError(
            where=f"store {path}",
            what="another plaza process has it",
            do="Stop that process, or use PostgreSQL for several",
        ) from error
    return fd
