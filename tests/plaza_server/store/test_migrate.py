"""Migrations build the tables that the code expects."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from plaza_server.store import Store, migrate
from plaza_server.store.migrate import MIGRATIONS
from plaza_server.store.tables import metadata


def test_the_migrated_tables_are_those_of_the_code(store: Store) -> None:
    """Autogeneration finds no difference."""
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_migrating_again_changes_nothing(store: Store) -> None:
    """A second start finds everything there."""
    migrate(store.engine)
    with store.engine.connect() as connection:
        version = connection.execute(sa.text("SELECT version_num FROM alembic_version"))
        assert version.scalars().all() == [ScriptDirectory(str(MIGRATIONS)).get_current_head()]


def test_there_is_one_line_of_migrations() -> None:
    """No two heads, and each has its way down."""
    script = ScriptDirectory(str(MIGRATIONS))
    assert len(script.get_heads()) == 1
    assert all(hasattr(each.module, "downgrade") for each in script.walk_revisions())
