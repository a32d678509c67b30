"""The table of debits of tags that settled nothing, beside the tables of ``tables.py``."""

from __future__ import annotations

import sqlalchemy as sa

from plaza_server.store.tables import metadata

etc_dues = sa.Table(
    "etc_dues",
    metadata,
    sa.Column("passage_id", sa.Text, primary_key=True),
    sa.Column("lane_id", sa.Text, nullable=False),
    sa.Column("tag_id", sa.Text, nullable=False),
    sa.Column("amount_fen", sa.BigInteger, nullable=False),
    sa.Column("txn_id", sa.Text, nullable=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("noted_ms", sa.BigInteger, nullable=False),
    sa.Column("said_by", sa.Text, nullable=True),
    sa.Column("said_ms", sa.BigInteger, nullable=True),
    sa.Column("issuer_ref", sa.Text, nullable=False),
    sa.Index("ix_etc_dues_state", "state", "noted_ms"),
)
"""``txn_id`` is the reader's word that it took the money; without it the debit began in doubt."""
