"""Stores of all three kinds for the store's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from plaza_server.store import Store, open_store
from tests.plaza_server.store.postgres import server

KINDS = (
    "memory",
    pytest.param("file", marks=pytest.mark.slow),
    pytest.param("postgres", marks=pytest.mark.postgres),
)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """One server for all tests of a run."""
    with server() as url:
        yield url


@pytest.fixture
def fresh_postgres(postgres_url: str) -> str:
    """Empty that server's database."""
    engine = sa.create_engine(postgres_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()
    return postgres_url


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A fresh, migrated store."""
    if request.param == "memory":
        url = "sqlite://"
    elif request.param == "file":
        url = f"sqlite:///{tmp_path}/plaza.db"
    else:
        url = request.getfixturevalue("fresh_postgres")
    opened = open_store(url)
    yield opened
    opened.close()
