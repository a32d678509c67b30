"""Streams and hashes of the ledger, its chart of accounts, and whose toll an order is.

Transfers that are there already become one stream of their own, in the order of their ids, with
the names their accounts have now: ``revenue`` was one account, ``cash`` was all drawers.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_OLD_STREAM = "before-0002"
_BATCH = 1_000
_FIELDS = (
    "stream",
    "stream_no",
    "transfer_id",
    "kind",
    "debit",
    "credit",
    "amount_fen",
    "out_trade_no",
    "pending_id",
    "at_ns",
    "wall_ms",
)


def upgrade() -> None:
    """Build it."""
    op.create_table(
        "ledger_streams",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("next_no", sa.BigInteger(), nullable=False),
        sa.Column("head_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("stream", name=op.f("pk_ledger_streams")),
    )
    _add("orders", sa.Column("payee", sa.Text(), server_default="", nullable=False))
    op.execute("UPDATE orders SET payee = substr(passage_id, 1, 6) WHERE request_digest <> ''")
    _open("transfers")
    _add("transfers", sa.Column("stream", sa.Text(), server_default="", nullable=False))
    _add("transfers", sa.Column("stream_no", sa.BigInteger(), server_default="0", nullable=False))
    _add("transfers", sa.Column("chain_hash", sa.Text(), server_default="", nullable=False))
    _name_accounts()
    _chain_rows()
    _fix("transfers")
    op.create_index("ix_transfers_stream", "transfers", ["stream", "stream_no"], unique=True)


def _add(table: str, column: sa.Column[Any]) -> None:
    """Add a column that every later row fills; the default only serves the rows that are there."""
    op.add_column(table, column)
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column(table, column.name, server_default=None)


def _open(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP TRIGGER {table}_fixed ON {table}")
        return
    for verb in ("update", "delete"):
        op.execute(f"DROP TRIGGER {table}_no_{verb}")


def _fix(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_fixed BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} BEGIN"
            f" SELECT RAISE(ABORT, 'rows of {table} are never changed'); END"
        )


def _name_accounts() -> None:
    """Give the accounts of earlier rows their new names: ids begin with plaza or lane."""
    op.execute(
        "UPDATE transfers SET credit = 'revenue:' || (SELECT o.platform"
        " || ':' || o.payee FROM orders o WHERE o.out_trade_no = transfers.out_trade_no)"
        " WHERE credit = 'revenue' AND out_trade_no IS NOT NULL"
    )
    op.execute(
        "UPDATE transfers SET credit = 'revenue:' || debit || ':' || (SELECT l.plaza_id FROM"
        " lanes l WHERE l.lane_id = substr(transfers.transfer_id, 1, 3))"
        " WHERE credit = 'revenue' AND out_trade_no IS NULL"
    )
    op.execute(
        "UPDATE transfers SET debit = 'cash_lane:' || substr(transfer_id, 1, 3)"
        " WHERE debit = 'cash'"
    )


def _chain_rows() -> None:
    """Number and hash the rows that are there, with the head of their stream."""
    from plaza_server.rules.ledger_chain import link, stream_start

    connection = op.get_bind()
    head = stream_start(_OLD_STREAM)
    keep = sa.text(
        "UPDATE transfers SET stream = :stream, stream_no = :stream_no, chain_hash = :chain_hash"
        " WHERE transfer_id = :transfer_id"
    )
    for batch in _rows(connection):
        for row in batch:
            head = link(head, _OLD_STREAM, row)
        connection.execute(keep, batch)
    if head.next_no > 1:
        connection.execute(
            sa.text("INSERT INTO ledger_streams VALUES (:stream, :next_no, :head_hash)"),
            {"stream": _OLD_STREAM, "next_no": head.next_no, "head_hash": head.head_hash},
        )


def _rows(connection: sa.Connection) -> Iterator[list[dict[str, Any]]]:
    names = ", ".join(_FIELDS)
    query = sa.text(
        f"SELECT {names} FROM transfers WHERE transfer_id > :after"  # noqa: S608
        " ORDER BY transfer_id LIMIT :most"
    )
    after = ""
    while True:
        found = connection.execute(query, {"after": after, "most": _BATCH}).mappings().all()
        if not found:
            return
        yield [dict(row) for row in found]
        after = found[-1]["transfer_id"]


def downgrade() -> None:
    """Take streams, hashes and payees away; accounts keep their new names."""
    op.drop_index("ix_transfers_stream", table_name="transfers")
    for name in ("chain_hash", "stream_no", "stream"):
        op.drop_column("transfers", name)
    op.drop_column("orders", "payee")
    op.drop_table("ledger_streams")
