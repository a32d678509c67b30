"""Tables of bills, of what matched, and of what the ledger holds because of them.

A bill is never changed: another file for the same platform and day is another version, and the
older one is only marked. Days are yyyy-MM-dd in Beijing.
"""

from __future__ import annotations

import sqlalchemy as sa

from plaza_server.store.tables import metadata

_SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _bigint(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=null)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null)


bills = sa.Table(
    "bills",
    metadata,
    sa.Column("bill_no", _SERIAL, primary_key=True, autoincrement=True),
    _text("platform"),
    _text("day"),
    sa.Column("version", sa.Integer, nullable=False),
    _text("digest"),
    _text("merchant"),
    _text("source"),
    sa.Column("content", sa.LargeBinary, nullable=False),
    _bigint("pay_count"),
    _bigint("pay_fen"),
    _bigint("refund_count"),
    _bigint("refund_fen"),
    _bigint("fee_fen"),
    _bigint("imported_ms"),
    _bigint("superseded_ms", null=True),
    sa.UniqueConstraint("platform", "day", "version"),
    sa.Index(
        "ix_bills_in_force",
        "platform",
        "day",
        unique=True,
        sqlite_where=sa.text("superseded_ms IS NULL"),
        postgresql_where=sa.text("superseded_ms IS NULL"),
    ),
    sa.Index("ix_bills_digest", "platform", "day", "digest", unique=True),
)

bill_rows = sa.Table(
    "bill_rows",
    metadata,
    sa.Column("bill_no", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("line", sa.BigInteger, primary_key=True, autoincrement=False),
    _text("row_key"),
    _text("kind"),
    _text("out_trade_no"),
    _text("out_refund_no", null=True),
    _text("provider_txn_id"),
    _bigint("amount_fen"),
    _bigint("fee_fen"),
    _bigint("paid_at_ms"),
    _text("status"),
    sa.Index("ix_bill_rows_out_trade_no", "out_trade_no", "bill_no"),
    sa.Index("ix_bill_rows_row_key", "bill_no", "row_key", unique=True),
)

bill_matches = sa.Table(
    "bill_matches",
    metadata,
    sa.Column("platform", sa.Text, primary_key=True),
    sa.Column("day", sa.Text, primary_key=True),
    sa.Column("row_key", sa.Text, primary_key=True),
    _text("out_trade_no"),
    _bigint("line"),
    _bigint("matched_ms"),
    sa.Index("ix_bill_matches_out_trade_no", "platform", "day", "out_trade_no"),
)
"""Rows of bills in force that our books agree with."""

bill_postings = sa.Table(
    "bill_postings",
    metadata,
    sa.Column("platform", sa.Text, primary_key=True),
    sa.Column("day", sa.Text, primary_key=True),
    sa.Column("posting_key", sa.Text, primary_key=True),
    sa.Column("posting_no", sa.Integer, primary_key=True, autoincrement=False),
    _text("out_trade_no"),
    sa.Column("fee", sa.Boolean, nullable=False),
    _bigint("clearing_fen"),
    _text("transfer_id"),
    _bigint("posted_ms"),
    sa.Index("ix_bill_postings_out_trade_no", "platform", "day", "out_trade_no"),
)
"""By how much each transfer of a bill moved the clearing account: the sum over a key is what it
holds now."""

reconciliations = sa.Table(
    "reconciliations",
    metadata,
    sa.Column("platform", sa.Text, primary_key=True),
    sa.Column("day", sa.Text, primary_key=True),
    _bigint("bill_no"),
    _bigint("ran_ms"),
    sa.Column("runs", sa.Integer, nullable=False),
)
"""The last whole run of each platform and day, and against which bill."""
