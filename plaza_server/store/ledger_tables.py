"""The heads of the ledger's streams, beside the tables of ``tables.py``."""

from __future__ import annotations

import sqlalchemy as sa

from plaza_server.store.tables import metadata

ledger_streams = sa.Table(
    "ledger_streams",
    metadata,
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("next_no", sa.BigInteger, nullable=False),
    sa.Column("head_hash", sa.Text, nullable=False),
)
"""One row per process boot that wrote a transfer, moved once per commit group."""
