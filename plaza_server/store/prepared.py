"""Statements of every payment, as the database's own text: made once, run many times.

SQLAlchemy makes a statement's text once and keeps it too, but finds out at each run which one it
is, which takes longer than SQLite takes to run it. Types are those of the driver: a column of
truth values comes from SQLite as 0 or 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.sql.dml import Insert

_Values = Mapping[str, Any]


class Prepared:
    """One statement with named values."""

    def __init__(self, statement: sa.Executable) -> None:
        """Prepare *statement*; an insert fills exactly the columns its first row names."""
        self._statement: Any = statement
        self._texts: dict[tuple[str, tuple[str, ...]], tuple[str, dict[str, Any]]] = {}

    def run(self, connection: sa.Connection, values: _Values) -> sa.CursorResult[Any]:
        """Run it once."""
        text, fixed = self._text(connection, values)
        return connection.exec_driver_sql(text, {**fixed, **values})

    def run_many(self, connection: sa.Connection, rows: Sequence[_Values]) -> None:
        """Run it for every row; all name the same columns."""
        text, fixed = self._text(connection, rows[0])
        connection.exec_driver_sql(text, [{**fixed, **row} for row in rows])

    def _text(self, connection: sa.Connection, values: _Values) -> tuple[str, dict[str, Any]]:
        columns = tuple(values) if isinstance(self._statement, Insert) else ()
        key = (connection.dialect.name, columns)
        known = self._texts.get(key)
        if known is None:
            known = self._texts[key] = self._make(connection.dialect, columns)
        return known

    def _make(self, dialect: sa.Dialect, columns: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
        if dialect.name == "sqlite":
            dialect = sqlite_dialect(paramstyle="named")
        options: dict[str, Any] = {"column_keys": list(columns)} if columns else {}
        made = self._statement.compile(dialect=dialect, for_executemany=bool(columns), **options)
        # What the statement says itself, as its LIMIT; the rest is named at each run.
        fixed = {name: value for name, value in made.params.items() if value is not None}
        return str(made), fixed
