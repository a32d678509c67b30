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


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> sa.URL:
    """Give a database of that server whose tables ``open_store`` made; nothing is written there."""
    url = sa.make_url(postgres_url).set(database="template_of_plaza")
    _run_alone(postgres_url, f"CREATE DATABASE {url.database}")
    open_store(url.render_as_string(hide_password=False)).close()
    return url


@pytest.fixture
def migrated_postgres(postgres_url: str, postgres_template: sa.URL) -> Iterator[str]:
    """Give a fresh copy of that database: migrations cost five times as much as a copy."""
    url = postgres_template.set(database="plaza")
    _run_alone(postgres_url, f"CREATE DATABASE plaza TEMPLATE {postgres_template.database}")
    yield url.render_as_string(hide_password=False)
    _run_alone(postgres_url, "DROP DATABASE plaza WITH (FORCE)")


def _run_alone(url: str, statement: str) -> None:
    """Run what PostgreSQL takes in no transaction."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A fresh, migrated store."""
    if request.param == "memory":
        url = "sqlite://"
    elif request.param == "file":
        url = f"sqlite:///{tmp_path}/plaza.db"
    else:
        url = request.getfixturevalue("migrated_postgres")
    opened = open_store(url)
    yield opened
    opened.close()
