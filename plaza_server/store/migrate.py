"""Brings a store's tables up to date, from this process, with alembic."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_TIMEOUT_MS = 5_000
"""A migration that cannot have its locks gives up instead of holding up the running version."""
STATEMENT_TIMEOUT_MS = 60_000
"""No single statement of a migration takes longer on a table anybody is waiting for."""
_LOCK_KEY = 4_711_2026
"""Names the advisory lock that lets one process migrate at a time; any fixed number does."""


def newest_version() -> str:
    """Return the version that ``migrate`` brings tables to."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    head = ScriptDirectory.from_config(config).get_current_head()
    assert head is not None, "there is a first version"
    return head


def migrate(engine: sa.Engine) -> None:
    """Upgrade the tables to the newest version in one transaction; nothing happens where they are.

    Raises: sqlalchemy.exc.SQLAlchemyError: the database refuses; nothing has changed then.
    """
    # Loads as long as the rest of the store together, and a store in memory may need none of it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
