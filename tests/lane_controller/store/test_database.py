"""How SQLite is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from lane_controller.store.database import connect, has_wal_reset_bug, journal_path
from tolling.errors import JournalError


@pytest.mark.parametrize(
    ("version", "bad"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 4), False),
    ],
)
def test_wal_reset_bug_is_known_by_version(version: tuple[int, ...], bad: bool) -> None:
    """SQLite 3.7.0 to 3.51.2 can damage a WAL file when it is reset."""
    assert has_wal_reset_bug(version) is bad


def test_commits_are_durable_and_begun_by_us(tmp_path: Path) -> None:
    """The journal is in WAL mode with synchronous FULL, and a transaction is immediate."""
    subject = connect(tmp_path / "lane.db")
    with subject.connect() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar()
        raw = connection.connection.driver_connection
        assert raw is not None
        assert (mode, synchronous) == ("wal", 2)
        assert raw.in_transaction
    assert not raw.in_transaction
    subject.dispose()


@pytest.mark.parametrize("url", ["", "lane.db", "sqlite:///", "postgresql://host/db", "sqlite:/x"])
def test_url_that_is_no_journal_is_refused(url: str) -> None:
    """Only a file's URL or memory is a journal."""
    with pytest.raises(JournalError, match="neither"):
        journal_path(url)
