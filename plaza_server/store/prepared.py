"""Statements of every payment, as the database's own text: made once, run many times.

SQLAlchemy makes a statement's text once and keeps it too, but finds out at each run which one it
is, which takes longer than SQLite takes to run it. The driver itself is asked, in the same
transaction: ten times as fast again, and its errors come as SQLAlchemy's own. Types are those of
the driver: a column of truth values comes from SQLite as 0 or 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.sql.dml import Insert

_Values = Mapping[str, Any]


class Done(IteratorResult[Any]):
    """What a statement gave, as SQLAlchemy's own result has it."""

    def __init__(self, names: SimpleResultMetaData, cursor: Any) -> None:
        """Take what the driver's *cursor* holds; *names* are those of its columns."""
        super().__init__(names, iter(cursor.fetchall() if cursor.description else ()))
        self.rowcount = int(cursor.rowcount)
        """Rows changed; nothing to go by for a query."""


class Prepared:
    """One statement with named values."""

    def __init__(self, statement: sa.Executable) -> None:
        """Prepare *statement*; an insert fills exactly the columns its first row names."""
        self._statement: Any = statement
        self._texts: dict[tuple[str, tuple[str, ...]], tuple[str, dict[str, Any]]] = {}
        self._names: SimpleResultMetaData | None = None
        """Of its columns, found at the first run."""

    def run(self, connection: sa.Connection, values: _Values) -> Done:
        """Run it once.

        Raises: sqlalchemy.exc.DBAPIError: the database failed, or refuses it.
        """
        text, fixed = self._text(connection, values)
        cursor = self._ask(connection, "execute", text, {**fixed, **values})
        if self._names is None:
            self._names = SimpleResultMetaData([each[0] for each in cursor.description or ()])
        return Done(self._names, cursor)

    def write(self, connection: sa.Connection, values: _Values) -> int:
        """Run it once by the driver and return how many rows it changed.

        Raises: sqlalchemy.exc.DBAPIError: as ``run`` does.
        """
        text, fixed = self._text(connection, values)
        return int(self._ask(connection, "execute", text, {**fixed, **values}).rowcount)

    def run_many(self, connection: sa.Connection, rows: Sequence[_Values]) -> int:
        """Run it by the driver for every row, which all name the same columns; return how many rows
        were changed in all."""
        text, fixed = self._text(connection, rows[0])
        cursor = self._ask(connection, "executemany", text, [{**fixed, **row} for row in rows])
        return int(cursor.rowcount)

    def rows(self, connection: sa.Connection, values: _Values) -> list[dict[str, Any]]:
        """Run it once by the driver and return its rows as they come, by column."""
        text, fixed = self._text(connection, values)
        cursor = self._ask(connection, "execute", text, {**fixed, **values})
        names = [each[0] for each in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def first(self, connection: sa.Connection, values: _Values) -> tuple[Any, ...] | None:
        """Run it once by the driver and return its first row as it comes; None: no row."""
        text, fixed = self._text(connection, values)
        row: tuple[Any, ...] | None
        row = self._ask(connection, "execute", text, {**fixed, **values}).fetchone()
        return row

    @staticmethod
    def _ask(connection: sa.Connection, how: str, text: str, values: object) -> Any:
        driver = connection.connection.dbapi_connection
        assert driver is not None, "the transaction has a connection"
        errors = connection.dialect.loaded_dbapi.Error
        cursor = driver.cursor()
        try:
            getattr(cursor, how)(text, values)
        except errors as error:
            # No values: they may be what nobody is to read.
            raise sa.exc.DBAPIError.instance(text, None, error, errors) from error
        return cursor

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
