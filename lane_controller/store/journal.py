"""The lane's journal as an object: one process, one connection, synchronous.

The same class serves a lane (a file, held by a lock) and the simulated world (``sqlite://``, held
by the world; a killed lane is dropped and the next one opens the same object). All calls come from
one thread at a time.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pysqlite3 import dbapi2
from sqlalchemy import Connection, Engine, PoolProxiedConnection
from sqlalchemy.exc import DBAPIError

from lane_controller.core.journalled import AppendEvent, JournalImage, OpenSegment, Unit
from lane_controller.store import reading, units
from lane_controller.store.ballast import BALLAST_BYTES, Ballast
from lane_controller.store.database import connect, has_wal_reset_bug, journal_path
from lane_controller.store.errors import journal_error
from tolling.chain import SealedRecord
from tolling.errors import JournalError

NO_LIMIT_PAGES = 0x7FFFFFFF
"""More than any disk: SQLite's own highest max_page_count is 4,294,967,294."""


class LaneStore:
    """The journal of one lane."""

    def __init__(
        self, engine: Engine, *, where: str, ballast: Ballast | None, lock: int | None
    ) -> None:
        self._engine = engine
        self._where = where
        self._lock = lock
        self._writing: PoolProxiedConnection | None = None
        """Kept from commit to commit: taking a connection costs more than the commit's statements.
        One that has failed is not used again."""
        self.ballast = ballast
        """None in memory."""

    def commit(self, given: Iterable[Unit]) -> None:
        """Make *given* durable in one transaction, in order.

        Raises: StoreFullError: no space. JournalError: anything else. Nothing of it is in the
                journal then, as far as the database can tell.
        """
        with self._errors():
            connection = self._writing or self._engine.raw_connection()
            self._writing = None
            try:
                cursor = connection.cursor()
                cursor.execute("BEGIN IMMEDIATE")
                units.apply(cursor, given)
                cursor.execute("COMMIT")
            except BaseException:
                connection.close()  # Its pool rolls back.
                raise
            self._writing = connection

    def image(self) -> JournalImage:
        """Return what a start recovers from. Raises: JournalError, BadInputError."""
        with self._reading() as connection:
            return reading.read_image(connection)

    def records_after(self, epoch: int, after_seq: int, limit: int) -> tuple[SealedRecord, ...]:
        """Return at most *limit* sealed records of *epoch* behind *after_seq*, in order.

        Raises: JournalError.
        """
        with self._reading() as connection:
            return reading.records_after(connection, epoch, after_seq, limit)

    def last_at_ns(self) -> int:
        """Return the moment of the last event; 0 in an empty journal. Raises: JournalError."""
        with self._reading() as connection:
            return reading.last_at_ns(connection)

    def segments(self) -> tuple[int, ...]:
        """Return the numbers of the segments held, oldest first. Raises: JournalError."""
        with self._reading() as connection:
            return reading.read_segments(connection)

    def segment(self, number: int) -> tuple[OpenSegment, tuple[AppendEvent, ...]]:
        """Return a segment and its events. Raises: JournalError: it is not there."""
        with self._reading() as connection:
            found = reading.read_segment(connection, number)
            if found is None:
                raise JournalError(where=self._where, what=f"holds no segment {number}")
            return found, reading.read_events(connection, number)

    def set_max_pages(self, pages: int = NO_LIMIT_PAGES) -> None:
        """Bound the journal to *pages* of 4 KiB: a full disk of the simulated world, where there is
        no disk, and of tests. Without: no bound."""
        assert pages > 0
        with self._errors(), self._engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    def pages(self) -> int:
        """Return how many pages the journal has now."""
        with self._errors(), self._engine.connect() as connection:
            return int(connection.exec_driver_sql("PRAGMA page_count").scalar_one())

    def close(self) -> None:
        """Close the journal and give its lock back."""
        if self._writing is not None:
            self._writing.close()
            self._writing = None
        self._engine.dispose()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, dbapi2.Error) as error:
            # Without its cause: that one repeats the statement's values.
            raise journal_error(getattr(error, "orig", error), where=self._where) from None


def open_journal(
    url: str, *, read_only: bool = False, ballast_bytes: int = BALLAST_BYTES
) -> LaneStore:
    """Return the lane's journal, made where it is not there yet.

    Args:   url: ``sqlite:///FILE`` or, in memory, ``sqlite://``.
            read_only: for replay; takes no lock and writes nothing.
            ballast_bytes: space kept for a full disk.
    Raises: JournalError: no journal, not writable, or held by another process.
    """
    path = journal_path(url)
    if path is None:
        return LaneStore(connect(None), where="journal in memory", ballast=None, lock=None)
    if read_only:
        if not path.is_file():
            raise JournalError(where=str(path), what="there is no such journal")
        return LaneStore(connect(path, read_only=True), where=str(path), ballast=None, lock=None)
    lock = _take_lock(path)
    try:
        engine = connect(path)
    except BaseException:
        os.close(lock)
        raise
    ballast = Ballast(beside(path, "ballast"), ballast_bytes)
    ballast.make()
    return LaneStore(engine, where=str(path), ballast=ballast, lock=lock)


def store_warnings() -> tuple[str, ...]:
    """Return what people should know of this machine's SQLite; usually nothing."""
    from pysqlite3 import dbapi2

    if has_wal_reset_bug(dbapi2.sqlite_version_info):
        what = (
            f"SQLite {dbapi2.sqlite_version} has the WAL-reset bug: journal_mode TRUNCATE is used"
        )
        return (f"{what}; install pysqlite3 with SQLite 3.51.3 or newer",)
    return ()


def beside(path: Path, kind: str) -> Path:
    """Return the file of *kind* (lock, ballast, key, ...) that belongs to the journal at *path*."""
    return path.with_name(f"{path.name}.{kind}")


def _take_lock(path: Path) -> int:
    """Return the open lock file; the lock ends with this process, however it ends."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(beside(path, "lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JournalError(
            where=str(path), what=f"cannot be opened: {error.strerror}", do="Check the path"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise JournalError(
            where=str(path), what="another process holds it", do="A lane has one controller only"
        ) from None
    return lock
