"""Opening the plaza's store."""

from __future__ import annotations

import os
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest
import sqlalchemy as sa

from plaza_server.store import new_token, open_for_reading, open_store, token_hash
from plaza_server.store.opening import journal_mode
from tolling.errors import BadInputError, RefusedError


def test_a_file_is_durable_and_immediate(tmp_path: Path) -> None:
    """WAL, synchronous FULL, a busy timeout, and the write lock from the first statement on."""
    subject = open_store(f"sqlite:///{tmp_path}/plaza.db")
    with subject.engine.connect() as connection:
        pragma = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        }
    assert pragma == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 5_000}
    with subject.engine.begin(), subject.reading() as reader:
        assert reader.exec_driver_sql("SELECT count(*) FROM orders").scalar_one() == 0
        other = sqlite.connect(f"{tmp_path}/plaza.db", timeout=0, isolation_level=None)
        with pytest.raises(sqlite.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
    assert subject.warnings == ()
    subject.close()


def test_a_file_belongs_to_one_process(tmp_path: Path) -> None:
    """A second plaza on the same file is refused with what to do; closing gives it back."""
    url = f"sqlite:///{tmp_path}/plaza.db"
    first = open_store(url)
    with pytest.raises(RefusedError, match="PostgreSQL"):
        open_store(url)
    first.close()
    again = open_store(url)
    assert again.exclusive
    again.close()


def test_what_was_committed_is_there_after_reopening(tmp_path: Path) -> None:
    """The tables are built once and kept."""
    url = f"sqlite:///{tmp_path}/plaza.db"
    first = open_store(url)
    with first.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO operators VALUES ('li', 'Li', 'attendant', 'hash', 1)"
        )
    first.close()
    second = open_store(url)
    with second.reading() as connection:
        assert connection.exec_driver_sql("SELECT name FROM operators").scalar_one() == "Li"
    second.close()


@pytest.mark.parametrize(
    ("version", "mode"),
    [
        ((3, 6, 23), "WAL"),
        ((3, 7, 0), "TRUNCATE"),
        ((3, 40, 1), "TRUNCATE"),
        ((3, 51, 2), "TRUNCATE"),
        ((3, 51, 3), "WAL"),
        ((3, 53, 4), "WAL"),
    ],
)
def test_versions_with_the_wal_bug_do_without_wal(version: tuple[int, int, int], mode: str) -> None:
    """Slower, safe, and said so."""
    wanted, warning = journal_mode(version)
    assert wanted == mode
    assert (warning is None) is (mode == "WAL")


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "mysql://x/y",
        "sqlite:////no/such/folder/plaza.db",
        "postgresql+psycopg://plaza:geheim@127.0.0.1:1/plaza",
    ],
)
def test_a_wrong_store_is_one_clear_error(url: str) -> None:
    """Named without its password, with what to do."""
    with pytest.raises(BadInputError) as caught:
        open_store(url)
    assert caught.value.do
    assert "geheim" not in str(caught.value)


def test_a_folder_without_rights_is_one_clear_error(tmp_path: Path) -> None:
    """A path that is a folder cannot be a database."""
    os.mkdir(tmp_path / "plaza.db")
    with pytest.raises(BadInputError):
        open_store(f"sqlite:///{tmp_path}/plaza.db")


@pytest.mark.postgres
def test_postgresql_may_have_several_processes(fresh_postgres: str) -> None:
    """Not exclusive: leases are needed; migrating twice is harmless."""
    first, second = open_store(fresh_postgres), open_store(fresh_postgres)
    assert not first.exclusive
    with second.reading() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM orders")).scalar_one() == 0
    first.close()
    second.close()


def test_a_token_is_random_and_kept_as_a_hash() -> None:
    """256 bits; the hash is what the tables hold."""
    one, two = new_token(bytes(32)), new_token(bytes(range(32)))
    assert len({one, two}) == 2
    assert len(one) == 43
    assert len(token_hash(one)) == 64
    with pytest.raises(AssertionError):
        new_token(b"short")


def test_a_reader_beside_a_plaza_writes_and_locks_nothing(tmp_path: Path) -> None:
    """It sees what is committed, and every write of it is refused."""
    url = f"sqlite:///{tmp_path}/pl%az a.db"
    plaza = open_store(url)
    row = "INSERT INTO operators VALUES ('li', 'Li', 'attendant', 'hash', 1)"
    with plaza.engine.begin() as connection:
        connection.exec_driver_sql(row)
    subject = open_for_reading(url)
    with subject.reading() as reader:
        assert reader.exec_driver_sql("SELECT name FROM operators").scalar_one() == "Li"
        with plaza.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM operators")
        assert reader.exec_driver_sql("SELECT count(*) FROM operators").scalar_one() == 1
        with pytest.raises(sa.exc.OperationalError, match="readonly"):
            reader.exec_driver_sql(row)
    subject.close()
    plaza.close()
    again = open_for_reading(url)
    with again.reading() as reader:
        assert reader.exec_driver_sql("SELECT count(*) FROM operators").scalar_one() == 0
    again.close()


@pytest.mark.postgres
def test_a_reader_on_postgresql_sees_one_moment(fresh_postgres: str) -> None:
    """Commits of running plazas do not change what is walked; nothing can be written."""
    plaza = open_store(fresh_postgres)
    row = "INSERT INTO operators VALUES ('li', 'Li', 'attendant', 'hash', 1)"
    subject = open_for_reading(fresh_postgres)
    with subject.reading() as reader:
        count = "SELECT count(*) FROM operators"
        assert reader.exec_driver_sql(count).scalar_one() == 0
        with plaza.engine.begin() as connection:
            connection.exec_driver_sql(row)
        assert reader.exec_driver_sql(count).scalar_one() == 0
        with pytest.raises(sa.exc.DBAPIError, match="read-only"):
            reader.exec_driver_sql(row)
        reader.rollback()
    subject.close()
    plaza.close()


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    """No file (and none is made), no store, another version, another kind."""
    missing = tmp_path / "missing.db"
    with pytest.raises(BadInputError, match="cannot be read"):
        open_for_reading(f"sqlite:///{missing}")
    assert not missing.exists()
    old = sqlite.connect(f"{tmp_path}/old.db")
    old.execute("CREATE TABLE alembic_version (version_num)")
    old.execute("INSERT INTO alembic_version VALUES ('0001')")
    old.commit()
    old.close()
    with pytest.raises(BadInputError, match="of version 0001, not"):
        open_for_reading(f"sqlite:///{tmp_path}/old.db")
    for url in ("sqlite://", "mysql://x", "no url"):
        with pytest.raises(BadInputError):
            open_for_reading(url)
