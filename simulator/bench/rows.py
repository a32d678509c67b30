"""Reads what a real plaza wrote for two payments out of its store, by plain SQL, as rows that can
be made anew for any number: the floor writes the same rows as ours, whatever they are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pysqlite3.dbapi2 as sqlite

from simulator.bench.floor.groups import SQLITE
from simulator.bench.floor.rows import MARK, Cell, Payment, Row

ORDERS = "orders"
NUMBER = "out_trade_no"
SETTLED = ("state", "reason", "captured_fen", "captured_ms", "paid_at_ms", "provider_txn_id")
MORE_SETTLED = ("proven", "pending", "version")
"""Columns of an order that the second commit sets."""
Values = tuple[Any, ...]
Tables = dict[str, list[Values]]


class RowsUnclearError(Exception):
    """Two payments of a real plaza left different rows: nothing to measure against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreReader:
    """One store's tables, read whole."""

    url: str
    """``sqlite:///path`` or ``postgresql://...``."""

    @property
    def placeholder(self) -> str:
        """What stands for a value in a statement of this store."""
        return "?" if self.url.startswith(SQLITE) else "%s"

    def tables(self) -> Tables:
        """Return every row of every table, in the order they lie in."""
        order = "rowid" if self.url.startswith(SQLITE) else "ctid"
        with self._connected() as cursor:
            return {
                table: [tuple(row) for row in _all(cursor, _whole(table, order))]
                for table in self._names(cursor)
            }

    def columns(self, table: str) -> list[str]:
        """Return a table's columns in order."""
        with self._connected() as cursor:
            cursor.execute(f'SELECT * FROM "{table}" WHERE 1 = 0')  # noqa: S608 - as in _whole
            return [str(each[0]) for each in cursor.description]

    def _names(self, cursor: Any) -> list[str]:
        query = (
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            if self.url.startswith(SQLITE)
            else "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        )
        return sorted(str(row[0]) for row in _all(cursor, query))

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Any]:
        connection: Any = (
            sqlite.connect(self.url.removeprefix(SQLITE))
            if self.url.startswith(SQLITE)
            else psycopg.connect(self.url, autocommit=True)
        )
        try:
            yield connection.cursor()
        finally:
            connection.close()


def rows_of(store: StoreReader, before: Tables, *, first: str, second: str) -> Payment:
    """Return the rows of a payment, from a store that held *before* and then took two payments.

    Args:   first, second: the passages' numbers, the first paid before the second.
    Raises: RowsUnclearError.
    """
    early: list[Row] = []
    late: list[Row] = []
    for table, rows in sorted(store.tables().items(), key=lambda each: each[0] != ORDERS):
        if len(rows) <= len(before.get(table, [])):
            # What is only kept up to date (heads, counters) the floor is let off.
            continue
        known = set(map(repr, before.get(table, [])))
        ours = [row for row in rows if repr(row) not in known]
        pairs = list(_pairs(table, ours, first, second))
        columns = store.columns(table) if pairs else []
        made = [
            Row(
                statement=_insert(table, columns, store.placeholder),
                cells=tuple(_cell(a, b, first, second) for a, b in zip(one, other, strict=True)),
            )
            for one, other in pairs
        ]
        half = -(-len(made) // 2)
        early += made[:half]
        late += made[half:]
        if table == ORDERS:
            late += [_settles(row, columns, store.placeholder) for row in made]
    if not early or not late:
        raise RowsUnclearError("the plaza's store holds no rows of the two payments")
    return Payment(before=tuple(early), after=tuple(late))


def _pairs(
    table: str, rows: Sequence[Values], first: str, second: str
) -> Iterator[tuple[Values, Values]]:
    """Yield what both payments wrote, side by side. Rows that name neither are shared by halves."""
    ones = [row for row in rows if first in repr(row)]
    others = [row for row in rows if second in repr(row)]
    rest = [row for row in rows if row not in ones and row not in others]
    if len(ones) != len(others):
        raise RowsUnclearError(f"{table}: {len(ones)} and {len(others)} rows of two like payments")
    if len(rest) % 2:
        # A head or a counter, made once: no payment's own row.
        rest = []
    yield from zip(ones, others, strict=True)
    half = len(rest) // 2
    yield from zip(rest[:half], rest[half:], strict=True)


def _cell(one: object, other: object, first: str, second: str) -> Cell:
    if isinstance(one, str) and first in one and one.replace(first, second) == other:
        return Cell("named", one.replace(first, MARK))
    if one == other or type(one) is not type(other):
        return Cell("fixed", one)
    if isinstance(one, int) and isinstance(other, int):
        return Cell("count", (one, other - one))
    if isinstance(one, str):
        return Cell("noise", len(one))
    if isinstance(one, (bytes, memoryview)):
        return Cell("bytes", len(one))
    return Cell("fixed", one)


def _insert(table: str, columns: Sequence[str], placeholder: str) -> str:
    names = ", ".join(f'"{each}"' for each in columns)
    values = ", ".join([placeholder] * len(columns))
    return f'INSERT INTO "{table}" ({names}) VALUES ({values})'  # noqa: S608 - as in _whole


def _settles(order: Row, columns: Sequence[str], placeholder: str) -> Row:
    """Return the second commit's update of the order that *order* has inserted."""
    cells = dict(zip(columns, order.cells, strict=True))
    sets = [each for each in (*SETTLED, *MORE_SETTLED) if each in cells]
    changes = ", ".join(f'"{each}" = {placeholder}' for each in sets)
    where = f'"{NUMBER}" = {placeholder}'
    statement = f'UPDATE "{ORDERS}" SET {changes} WHERE {where}'  # noqa: S608 - as in _whole
    return Row(statement=statement, cells=(*(cells[each] for each in sets), cells[NUMBER]))


def _whole(table: str, order: str) -> str:
    # The name comes out of the store's own list of tables, not from anybody outside.
    return f'SELECT * FROM "{table}" ORDER BY {order}'  # noqa: S608


def _all(cursor: Any, query: str) -> list[Any]:
    cursor.execute(query)
    return list(cursor.fetchall())
