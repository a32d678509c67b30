"""Runs migrations on the connection that store/migrate.py gives, inside its transaction."""

from alembic import context

from plaza_server.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=metadata, transactional_ddl=True, compare_type=True
)
context.run_migrations()
