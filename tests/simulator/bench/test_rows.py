"""What a real plaza wrote for two payments becomes rows for any other."""

from __future__ import annotations

from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest

from simulator.bench import rows as subject
from simulator.bench.floor.groups import SQLITE
from simulator.bench.floor.rows import payment_of, plain_of

FIRST, SECOND, THIRD = "330101101001000000001", "330101101001000000002", "330101101001000000777"
TABLES = """
CREATE TABLE orders (out_trade_no TEXT PRIMARY KEY, code TEXT UNIQUE, state TEXT, version INTEGER);
CREATE TABLE events (event_no INTEGER PRIMARY KEY, out_trade_no TEXT, said TEXT);
CREATE TABLE heads (name TEXT PRIMARY KEY, seq INTEGER);
CREATE TABLE lanes (lane_id TEXT PRIMARY KEY);
"""


def pay(connection: sqlite.Connection, passage: str, *, code: str, events: int = 2) -> None:
    number = f"{passage}A01"
    connection.execute("INSERT INTO orders VALUES (?, ?, 'paid', 3)", (number, code))
    for at in range(events):
        connection.execute(
            "INSERT INTO events (out_trade_no, said) VALUES (?, ?)", (number, f"event {at}")
        )
    connection.execute("INSERT OR REPLACE INTO heads VALUES ('h', ?)", (len(code),))
    connection.commit()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a store with one lane and no payment."""
    path = tmp_path / "plaza.db"
    with sqlite.connect(str(path)) as connection:
        connection.executescript(TABLES)
        connection.execute("INSERT INTO lanes VALUES ('101')")
    return path


def test_rows_of_two_payments_serve_a_third(path: Path) -> None:
    """Numbers are its own, counts go on, noise is unique: every insert of it is taken."""
    store = subject.StoreReader(url=f"{SQLITE}{path}")
    before = store.tables()
    with sqlite.connect(str(path)) as connection:
        pay(connection, FIRST, code="a" * 32)
        pay(connection, SECOND, code="b" * 32)
    rows = payment_of(plain_of(subject.rows_of(store, before, first=FIRST, second=SECOND)))
    with sqlite.connect(str(path)) as connection:
        connection.execute("DELETE FROM orders")
        connection.execute("DELETE FROM events")
        for number, passage in enumerate((THIRD, FIRST), start=1):
            for each in (rows.before, rows.after):
                for statement, values in rows.commit(each, passage, number):
                    connection.execute(statement, values)
        orders = connection.execute("SELECT * FROM orders ORDER BY 1").fetchall()
        events = connection.execute("SELECT out_trade_no, said FROM events").fetchall()
    assert [row[0] for row in orders] == [f"{FIRST}A01", f"{THIRD}A01"]
    assert len({row[1] for row in orders}) == 2
    assert {len(row[1]) for row in orders} == {32}
    assert sorted(events) == sorted(
        (f"{passage}A01", f"event {at}") for passage in (FIRST, THIRD) for at in range(2)
    )


def test_the_order_is_there_before_the_call_and_settled_behind_it(path: Path) -> None:
    """Half of the other rows go with each commit, as the plaza writes them."""
    store = subject.StoreReader(url=f"{SQLITE}{path}")
    before = store.tables()
    with sqlite.connect(str(path)) as connection:
        pay(connection, FIRST, code="a" * 32)
        pay(connection, SECOND, code="b" * 32)
    rows = subject.rows_of(store, before, first=FIRST, second=SECOND)
    assert [row.statement.split()[2] for row in rows.before] == ['"orders"', '"events"']
    assert [row.statement.split()[0] for row in rows.after] == ["UPDATE", "INSERT"]


def test_unlike_payments_are_no_measure(path: Path) -> None:
    """One of them was asked about again meanwhile: its rows are not a payment's."""
    store = subject.StoreReader(url=f"{SQLITE}{path}")
    before = store.tables()
    with sqlite.connect(str(path)) as connection:
        pay(connection, FIRST, code="a" * 32, events=3)
        pay(connection, SECOND, code="b" * 32)
    with pytest.raises(subject.RowsUnclearError, match="events: 3 and 2 rows"):
        subject.rows_of(store, before, first=FIRST, second=SECOND)


def test_an_empty_store_is_no_measure(path: Path) -> None:
    """Nothing was paid."""
    store = subject.StoreReader(url=f"{SQLITE}{path}")
    with pytest.raises(subject.RowsUnclearError, match="no rows"):
        subject.rows_of(store, store.tables(), first=FIRST, second=SECOND)
