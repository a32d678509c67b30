"""Books of the first version get their chain, their accounts and their payee."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from plaza_server.rules.ledger_chain import row_hash, stream_start
from plaza_server.store import migrate
from plaza_server.store.migrate import MIGRATIONS
from tests.plaza_server.plaza_bench import PLAZA, order_no
from tests.plaza_server.store.conftest import KINDS

NUMBER = order_no(1)
_ROWS = (
    (f"{NUMBER}/capture", "pending", "clearing:alipay", "suspense", NUMBER, None),
    (f"{NUMBER}/capture/end", "post", "clearing:alipay", "suspense", NUMBER, f"{NUMBER}/capture"),
    (f"{NUMBER}/revenue", "posted", "suspense", "revenue", NUMBER, None),
    ("001/001/2/leg/1", "posted", "cash", "revenue", None, None),
    ("001/001/3/leg/1", "posted", "etc", "revenue", None, None),
)
_ORDER = {
    "out_trade_no": NUMBER,
    "passage_id": NUMBER[:21],
    "attempt": 1,
    "lane_id": "001",
    "platform": "alipay",
    "toll_fen": 5,
    "tariff_id": "t",
    "tariff_version": 1,
    "tariff_row": 1,
    "subject": "s",
    "txn_time": "20260101000000",
    "request_digest": "d",
    "created_at_ns": 1,
    "created_ms": 1,
    "state": "paid",
    "reason": "none",
    "next": "wait",
    "captured_fen": 5,
    "refunded_fen": 0,
    "proven": True,
    "pending": False,
    "record": "named",
    "owner": "b",
    "lease_until_ms": 0,
    "version": 1,
    "work": False,
}
_LANE = {
    "lane_id": "001",
    "plaza_id": str(PLAZA),
    "epoch": 1,
    "seq": 0,
    "chain_hash": "h",
    "token_hash": "t",
    "added_ms": 1,
}

Move = Callable[[sa.Engine, str], None]


def to(engine: sa.Engine, version: str) -> None:
    """Bring the tables to *version*, up or down."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        down = version < _version(connection)
        (command.downgrade if down else command.upgrade)(config, version)


def _version(connection: sa.Connection) -> str:
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version")
    return str(found.scalar_one_or_none() or "")


@pytest.fixture(params=KINDS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """A database of the first version with one of each transfer in it."""
    if request.param == "postgres":
        made = sa.create_engine(request.getfixturevalue("fresh_postgres"))
    else:
        made = sa.create_engine(f"sqlite:///{tmp_path}/{request.param}.db", module=sqlite)
    to(made, "0001")
    with made.begin() as connection:
        _insert(connection, "orders", _ORDER)
        _insert(connection, "orders", {**_ORDER, "out_trade_no": "stone", "request_digest": ""})
        _insert(connection, "lanes", _LANE)
        for name, kind, debit, credit, number, pending in _ROWS:
            row = {"transfer_id": name, "kind": kind, "debit": debit, "credit": credit}
            ends = {"out_trade_no": number, "pending_id": pending}
            _insert(connection, "transfers", {**row, **ends, "amount_fen": 5, "at_ns": 1})
    yield made
    made.dispose()


def _insert(connection: sa.Connection, table: str, row: dict[str, object]) -> None:
    row = {"wall_ms": 1, **row} if table == "transfers" else row
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    connection.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)


def test_old_transfers_are_chained_under_their_new_accounts(engine: sa.Engine) -> None:
    """One stream without a gap, amounts and ids as they were, accounts of the new chart."""
    migrate(engine)
    with engine.begin() as connection:
        query = "SELECT * FROM transfers ORDER BY stream_no"
        rows = [dict(row._mapping) for row in connection.execute(sa.text(query))]
        head = connection.execute(sa.text("SELECT * FROM ledger_streams")).one()
        payees = connection.execute(sa.text("SELECT payee FROM orders ORDER BY payee")).scalars()
        assert list(payees) == ["", PLAZA], "a tombstone is nobody's"
    previous = stream_start("before-0002").head_hash
    for number, row in enumerate(rows, start=1):
        assert (row["stream"], row["stream_no"]) == ("before-0002", number)
        assert row["chain_hash"] == row_hash(previous, row)
        previous = row["chain_hash"]
    assert tuple(head) == ("before-0002", len(_ROWS) + 1, previous)
    assert {row["transfer_id"]: (row["debit"], row["credit"]) for row in rows} == {
        f"{NUMBER}/capture": ("clearing:alipay", "suspense"),
        f"{NUMBER}/capture/end": ("clearing:alipay", "suspense"),
        f"{NUMBER}/revenue": ("suspense", f"revenue:alipay:{PLAZA}"),
        "001/001/2/leg/1": ("cash_lane:001", f"revenue:cash:{PLAZA}"),
        "001/001/3/leg/1": ("etc", f"revenue:etc:{PLAZA}"),
    }
    with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match="never changed"):
        connection.execute(sa.text("UPDATE transfers SET amount_fen = 9"))


def test_the_way_down_takes_the_chain_away(engine: sa.Engine) -> None:
    """And up again chains the same rows to the same hashes."""
    query = sa.text("SELECT chain_hash FROM transfers ORDER BY stream_no")
    to(engine, "0002")
    with engine.connect() as connection:
        before = connection.execute(query).scalars().all()
    to(engine, "0001")
    with engine.connect() as connection:
        assert not sa.inspect(connection).has_table("ledger_streams")
        columns = {each["name"] for each in sa.inspect(connection).get_columns("transfers")}
        assert "chain_hash" not in columns
    to(engine, "0002")
    with engine.connect() as connection:
        assert connection.execute(query).scalars().all() == before
