"""Bills, their rows and what matched."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Build it."""
    _create_bills()
    _create_rows()
    _create_results()
    _extend_differences()
    op.create_index("ix_orders_created_ms", "orders", ["created_ms"])
    given_back = sa.text("debit = 'refund_due'")
    op.create_index(
        "ix_transfers_given_back",
        "transfers",
        ["wall_ms"],
        sqlite_where=given_back,
        postgresql_where=given_back,
    )


def _create_bills() -> None:
    op.create_table(
        "bills",
        sa.Column("bill_no", _SERIAL, autoincrement=True, nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("pay_count", sa.BigInteger(), nullable=False),
        sa.Column("pay_fen", sa.BigInteger(), nullable=False),
        sa.Column("refund_count", sa.BigInteger(), nullable=False),
        sa.Column("refund_fen", sa.BigInteger(), nullable=False),
        sa.Column("fee_fen", sa.BigInteger(), nullable=False),
        sa.Column("imported_ms", sa.BigInteger(), nullable=False),
        sa.Column("superseded_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("bill_no", name=op.f("pk_bills")),
        sa.UniqueConstraint(
            "platform", "day", "version", name=op.f("uq_bills_platform_day_version")
        ),
    )
    op.create_index(
        "ix_bills_in_force",
        "bills",
        ["platform", "day"],
        unique=True,
        sqlite_where=sa.text("superseded_ms IS NULL"),
        postgresql_where=sa.text("superseded_ms IS NULL"),
    )
    op.create_index("ix_bills_digest", "bills", ["platform", "day", "digest"], unique=True)


def _create_rows() -> None:
    op.create_table(
        "bill_rows",
        sa.Column("bill_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("row_key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("out_trade_no", sa.Text(), nullable=False),
        sa.Column("out_refund_no", sa.Text(), nullable=True),
        sa.Column("provider_txn_id", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("fee_fen", sa.BigInteger(), nullable=False),
        sa.Column("paid_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("bill_no", "line", name=op.f("pk_bill_rows")),
    )
    op.create_index("ix_bill_rows_out_trade_no", "bill_rows", ["out_trade_no", "bill_no"])
    op.create_index("ix_bill_rows_row_key", "bill_rows", ["bill_no", "row_key"], unique=True)


def _create_results() -> None:
    op.create_table(
        "bill_matches",
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("row_key", sa.Text(), nullable=False),
        sa.Column("out_trade_no", sa.Text(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("matched_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "day", "row_key", name=op.f("pk_bill_matches")),
    )
    place = ["platform", "day", "out_trade_no"]
    op.create_index("ix_bill_matches_out_trade_no", "bill_matches", place)
    op.create_table(
        "bill_postings",
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("posting_key", sa.Text(), nullable=False),
        sa.Column("posting_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("out_trade_no", sa.Text(), nullable=False),
        sa.Column("fee", sa.Boolean(), nullable=False),
        sa.Column("clearing_fen", sa.BigInteger(), nullable=False),
        sa.Column("transfer_id", sa.Text(), nullable=False),
        sa.Column("posted_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "platform", "day", "posting_key", "posting_no", name=op.f("pk_bill_postings")
        ),
    )
    op.create_index("ix_bill_postings_out_trade_no", "bill_postings", place)
    op.create_table(
        "reconciliations",
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("bill_no", sa.BigInteger(), nullable=False),
        sa.Column("ran_ms", sa.BigInteger(), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "day", name=op.f("pk_reconciliations")),
    )


def _extend_differences() -> None:
    """Let one number have several differences of one kind: one for each row of a bill."""
    op.add_column("differences", sa.Column("platform", sa.Text(), nullable=True))
    op.add_column("differences", sa.Column("day", sa.Text(), nullable=True))
    op.add_column("differences", sa.Column("row_key", sa.Text(), nullable=False, server_default=""))
    op.add_column("differences", sa.Column("action", sa.Text(), nullable=False, server_default=""))
    standing = sa.text("healed_ms IS NULL")
    op.drop_index("ix_differences_standing", table_name="differences")
    op.create_index(
        "ix_differences_standing",
        "differences",
        ["out_trade_no", "kind", "row_key"],
        unique=True,
        sqlite_where=standing,
        postgresql_where=standing,
    )
    op.create_index("ix_differences_day", "differences", ["platform", "day"])


def downgrade() -> None:
    """Take it away again, with what only it knows."""
    op.drop_index("ix_transfers_given_back", table_name="transfers")
    op.drop_index("ix_orders_created_ms", table_name="orders")
    standing = sa.text("healed_ms IS NULL")
    op.execute("DELETE FROM differences WHERE platform IS NOT NULL")
    op.drop_index("ix_differences_day", table_name="differences")
    op.drop_index("ix_differences_standing", table_name="differences")
    op.create_index(
        "ix_differences_standing",
        "differences",
        ["out_trade_no", "kind"],
        unique=True,
        sqlite_where=standing,
        postgresql_where=standing,
    )
    for column in ("action", "row_key", "day", "platform"):
        op.drop_column("differences", column)
    for table in ("reconciliations", "bill_postings", "bill_matches", "bill_rows", "bills"):
        op.drop_table(table)
