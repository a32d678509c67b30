"""Tables of receipts and of the log of all records with its signed roots.

Every row here is history: the database itself refuses to change or delete any of them. Hashes are
64 hex digits.
"""

from __future__ import annotations

import sqlalchemy as sa

from plaza_server.store.tables import metadata

_SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")

receipts = sa.Table(
    "receipts",
    metadata,
    sa.Column("receipt_no", sa.Text, primary_key=True),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("issued_ms", sa.BigInteger, nullable=False),
)
"""One per paid passage, as it was built from the record; ``content`` is canonical JSON."""

receipt_events = sa.Table(
    "receipt_events",
    metadata,
    sa.Column("event_no", _SERIAL, primary_key=True, autoincrement=True),
    sa.Column("receipt_no", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("from_state", sa.Text, nullable=False),
    sa.Column("to_state", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, nullable=True),
    sa.Column("signature", sa.Text, nullable=True),
    sa.Column("wall_ms", sa.BigInteger, nullable=False),
    sa.Index("ix_receipt_events_version", "receipt_no", "version", unique=True),
)
"""What became of receipts; one without a row is issued. The first delivery holds the signature."""

log_roots = sa.Table(
    "log_roots",
    metadata,
    sa.Column("root_no", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("day", sa.Text, nullable=False),
    sa.Column("until_ms", sa.BigInteger, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("closed_ms", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("until_ms"),
)
"""Signed roots; ``content`` is the SignedRoot as canonical JSON."""

log_runs = sa.Table(
    "log_runs",
    metadata,
    sa.Column("first_index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("root_no", sa.BigInteger, nullable=False),
    sa.Column("lane_id", sa.Text, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("first_seq", sa.BigInteger, nullable=False),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Index("ix_log_runs_place", "lane_id", "epoch", "last_seq", unique=True),
)
"""Which records are which leaves: neighbours of one lane and epoch, from ``first_index`` on."""

log_nodes = sa.Table(
    "log_nodes",
    metadata,
    sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("node_hash", sa.Text, nullable=False),
)
"""Hashes over 256, 65,536, ... leaves, so that a proof reads few rows of a log of any size."""

log_streams = sa.Table(
    "log_streams",
    metadata,
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("root_no", sa.BigInteger, nullable=False),
)
"""How far each chain of the ledger was when a root named its end."""
