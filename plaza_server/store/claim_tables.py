"""The table of claims, beside the tables of ``tables.py``."""

from __future__ import annotations

import sqlalchemy as sa

from plaza_server.store.tables import metadata

claims = sa.Table(
    "claims",
    metadata,
    sa.Column("claim_id", sa.Text, primary_key=True),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("request_digest", sa.Text, nullable=False),
    sa.Column("passage_id", sa.Text, nullable=False),
    sa.Column("lane_id", sa.Text, nullable=False),
    sa.Column("leg", sa.Integer, nullable=False),
    sa.Column("out_trade_no", sa.Text, nullable=True),
    sa.Column("platform", sa.Text, nullable=False),
    sa.Column("revenue", sa.Text, nullable=False),
    sa.Column("amount_fen", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("asked_ms", sa.BigInteger, nullable=False),
    sa.Column("decided_by", sa.Text, nullable=True),
    sa.Column("decided_ms", sa.BigInteger, nullable=True),
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("paid_by", sa.Text, nullable=True),
    sa.Column("ended_ms", sa.BigInteger, nullable=True),
    sa.Column("out_refund_no", sa.Text, nullable=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("lease_until_ms", sa.BigInteger, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("work", sa.Boolean, nullable=False),
    sa.UniqueConstraint("request_id"),
    sa.UniqueConstraint("out_refund_no"),
    sa.CheckConstraint("amount_fen > 0", name="ck_claims_amount"),
    sa.Index("ix_claims_passage_id", "passage_id"),
    sa.Index("ix_claims_state", "state", "asked_ms"),
    sa.Index(
        "ix_claims_unfinished",
        "owner",
        sqlite_where=sa.text("work"),
        postgresql_where=sa.text("work"),
    ),
)
