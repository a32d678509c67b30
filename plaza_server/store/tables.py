"""The plaza's tables, for SQLite and PostgreSQL alike. Money is whole fen, instants are UTC
milliseconds.

Rows of order_events, transfers and records are never changed or deleted. The migrations build what
stands here; a test compares the two.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""SQLite counts rows by itself only in a column of the very type INTEGER."""


def _bigint(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=null)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null)


orders = sa.Table(
    "orders",
    metadata,
    sa.Column("out_trade_no", sa.Text, primary_key=True),
    _text("passage_id"),
    sa.Column("attempt", sa.Integer, nullable=False),
    _text("lane_id"),
    _text("platform"),
    _text("payee"),
    _text("wallet", null=True),
    _bigint("toll_fen"),
    _text("tariff_id"),
    sa.Column("tariff_version", sa.Integer, nullable=False),
    sa.Column("tariff_row", sa.Integer, nullable=False),
    sa.Column("vehicle_class", sa.Integer, nullable=True),
    _text("plate", null=True),
    _text("subject"),
    _text("txn_time"),
    _text("code_hash", null=True),
    _text("request_digest"),
    _bigint("created_at_ns"),
    _bigint("created_ms"),
    _bigint("sent_at_ns", null=True),
    _bigint("sent_ms", null=True),
    _text("state"),
    _text("reason"),
    _text("next"),
    _bigint("captured_fen"),
    _bigint("refunded_fen"),
    _bigint("captured_ms", null=True),
    _bigint("paid_at_ms", null=True),
    _text("provider_txn_id", null=True),
    sa.Column("proven", sa.Boolean, nullable=False),
    sa.Column("pending", sa.Boolean, nullable=False),
    _text("record"),
    _text("out_refund_no", null=True),
    _text("refund_time", null=True),
    _text("owner"),
    _bigint("lease_until_ms"),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("work", sa.Boolean, nullable=False),
    sa.UniqueConstraint("code_hash"),
    sa.Index("ix_orders_passage_id", "passage_id"),
    sa.Index("ix_orders_created_ms", "created_ms"),
    sa.Index(
        "ix_orders_unfinished",
        "owner",
        "lease_until_ms",
        sqlite_where=sa.text("work"),
        postgresql_where=sa.text("work"),
    ),
)

order_events = sa.Table(
    "order_events",
    metadata,
    sa.Column("event_no", _SERIAL, primary_key=True, autoincrement=True),
    _text("out_trade_no"),
    sa.Column("version", sa.Integer, nullable=False),
    _text("event"),
    _text("verdict"),
    _text("from_state"),
    _text("to_state"),
    _text("why"),
    _text("owner"),
    _bigint("at_ns"),
    _bigint("wall_ms"),
    sa.Index("ix_order_events_out_trade_no", "out_trade_no"),
)

transfers = sa.Table(
    "transfers",
    metadata,
    sa.Column("transfer_id", sa.Text, primary_key=True),
    _text("kind"),
    _text("debit"),
    _text("credit"),
    _bigint("amount_fen"),
    _text("out_trade_no", null=True),
    _text("pending_id", null=True),
    _bigint("at_ns"),
    _bigint("wall_ms"),
    _text("stream"),
    _bigint("stream_no"),
    _text("chain_hash"),
    sa.UniqueConstraint("pending_id"),
    sa.CheckConstraint("amount_fen > 0", name="ck_transfers_amount"),
    sa.Index("ix_transfers_out_trade_no", "out_trade_no"),
    sa.Index(
        "ix_transfers_given_back",
        "wall_ms",
        sqlite_where=sa.text("debit = 'refund_due'"),
        postgresql_where=sa.text("debit = 'refund_due'"),
    ),
    sa.Index("ix_transfers_stream", "stream", "stream_no", unique=True),
)

lanes = sa.Table(
    "lanes",
    metadata,
    sa.Column("lane_id", sa.Text, primary_key=True),
    _text("plaza_id"),
    sa.Column("epoch", sa.Integer, nullable=False),
    _bigint("seq"),
    _text("chain_hash"),
    _text("token_hash"),
    _bigint("added_ms"),
    sa.UniqueConstraint("token_hash"),
)

records = sa.Table(
    "records",
    metadata,
    sa.Column("lane_id", sa.Text, primary_key=True),
    sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    _text("passage_id", null=True),
    _text("previous_hash"),
    _text("chain_hash"),
    sa.Column("body", sa.LargeBinary, nullable=False),
    _bigint("received_ms"),
    sa.UniqueConstraint("passage_id"),
)

quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("lane_id", sa.Text, primary_key=True),
    sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    _text("why"),
    _bigint("received_ms"),
    _bigint("released_ms", null=True),
)

entries = sa.Table(
    "entries",
    metadata,
    sa.Column("entry_id", sa.Text, primary_key=True),
    _text("plate", null=True),
    _text("medium_id", null=True),
    _text("entry_station"),
    _bigint("entered_ms"),
    sa.Column("vehicle_class", sa.Integer, nullable=False),
    sa.Index("ix_entries_plate", "plate", "entered_ms"),
    sa.Index("ix_entries_medium", "medium_id", "entered_ms"),
)

signed_sets = sa.Table(
    "signed_sets",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("set_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    _bigint("made_at_ms"),
    _bigint("effective_from_ms"),
    sa.Column("row_count", sa.Integer, nullable=False),
    _text("content"),
    _text("content_hash"),
    _text("key_id"),
    _text("signature"),
    _bigint("stored_ms"),
)

alarms = sa.Table(
    "alarms",
    metadata,
    sa.Column("alarm_no", _SERIAL, primary_key=True, autoincrement=True),
    _text("code"),
    _text("subject"),
    _text("what"),
    _bigint("raised_ms"),
    _bigint("cleared_ms", null=True),
    sa.Index(
        "ix_alarms_standing",
        "code",
        "subject",
        unique=True,
        sqlite_where=sa.text("cleared_ms IS NULL"),
        postgresql_where=sa.text("cleared_ms IS NULL"),
    ),
)

differences = sa.Table(
    "differences",
    metadata,
    sa.Column("difference_no", _SERIAL, primary_key=True, autoincrement=True),
    _text("kind"),
    _text("out_trade_no"),
    _text("place", null=True),
    _bigint("said_fen"),
    _bigint("booked_fen"),
    _bigint("found_ms"),
    _bigint("healed_ms", null=True),
    _text("platform", null=True),
    _text("day", null=True),
    sa.Column("row_key", sa.Text, nullable=False, server_default=""),
    sa.Column("action", sa.Text, nullable=False, server_default=""),
    sa.Index(
        "ix_differences_standing",
        "out_trade_no",
        "kind",
        "row_key",
        unique=True,
        sqlite_where=sa.text("healed_ms IS NULL"),
        postgresql_where=sa.text("healed_ms IS NULL"),
    ),
    sa.Index("ix_differences_day", "platform", "day"),
)

operators = sa.Table(
    "operators",
    metadata,
    sa.Column("operator_id", sa.Text, primary_key=True),
    _text("name"),
    _text("role"),
    _text("token_hash"),
    _bigint("added_ms"),
    sa.UniqueConstraint("token_hash"),
)

commands = sa.Table(
    "commands",
    metadata,
    sa.Column("command_id", sa.Text, primary_key=True),
    _text("lane_id"),
    _text("operator"),
    _text("action"),
    _text("reason"),
    _text("body"),
    _bigint("asked_ms"),
    _text("outcome", null=True),
    _text("outcome_reason", null=True),
    _bigint("ended_ms", null=True),
    sa.Index("ix_commands_lane", "lane_id", "asked_ms"),
)
