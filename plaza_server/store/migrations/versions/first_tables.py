"""The first tables.

Rows of transfers, order_events and records are history: the database itself refuses to
change or delete them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_FIXED = ("transfers", "order_events", "records")


def upgrade() -> None:
    """Build everything."""
    _create_alarms()
    _create_commands()
    _create_differences()
    _create_entries()
    _create_lanes()
    _create_operators()
    _create_order_events()
    _create_orders()
    _create_quarantine()
    _create_records()
    _create_signed_sets()
    _create_transfers()
    if op.get_bind().dialect.name == "postgresql":
        _fix_on_postgresql()
    else:
        _fix_on_sqlite()


def _create_alarms() -> None:
    op.create_table(
        "alarms",
        sa.Column(
            "alarm_no",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("raised_ms", sa.BigInteger(), nullable=False),
        sa.Column("cleared_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("alarm_no", name=op.f("pk_alarms")),
    )
    op.create_index(
        "ix_alarms_standing",
        "alarms",
        ["code", "subject"],
        unique=True,
        sqlite_where=sa.text("cleared_ms IS NULL"),
        postgresql_where=sa.text("cleared_ms IS NULL"),
    )


def _create_commands() -> None:
    op.create_table(
        "commands",
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("lane_id", sa.Text(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("asked_ms", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("outcome_reason", sa.Text(), nullable=True),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("command_id", name=op.f("pk_commands")),
    )
    op.create_index("ix_commands_lane", "commands", ["lane_id", "asked_ms"], unique=False)


def _create_differences() -> None:
    op.create_table(
        "differences",
        sa.Column(
            "difference_no",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("out_trade_no", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("said_fen", sa.BigInteger(), nullable=False),
        sa.Column("booked_fen", sa.BigInteger(), nullable=False),
        sa.Column("found_ms", sa.BigInteger(), nullable=False),
        sa.Column("healed_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("difference_no", name=op.f("pk_differences")),
    )
    op.create_index(
        "ix_differences_standing",
        "differences",
        ["out_trade_no", "kind"],
        unique=True,
        sqlite_where=sa.text("healed_ms IS NULL"),
        postgresql_where=sa.text("healed_ms IS NULL"),
    )


def _create_entries() -> None:
    op.create_table(
        "entries",
        sa.Column("entry_id", sa.Text(), nullable=False),
        sa.Column("plate", sa.Text(), nullable=True),
        sa.Column("medium_id", sa.Text(), nullable=True),
        sa.Column("entry_station", sa.Text(), nullable=False),
        sa.Column("entered_ms", sa.BigInteger(), nullable=False),
        sa.Column("vehicle_class", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_entries")),
    )
    op.create_index("ix_entries_medium", "entries", ["medium_id", "entered_ms"], unique=False)
    op.create_index("ix_entries_plate", "entries", ["plate", "entered_ms"], unique=False)


def _create_lanes() -> None:
    op.create_table(
        "lanes",
        sa.Column("lane_id", sa.Text(), nullable=False),
        sa.Column("plaza_id", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("chain_hash", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("added_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("lane_id", name=op.f("pk_lanes")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_lanes_token_hash")),
    )


def _create_operators() -> None:
    op.create_table(
        "operators",
        sa.Column("operator_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("added_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", name=op.f("pk_operators")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_operators_token_hash")),
    )


def _create_order_events() -> None:
    op.create_table(
        "order_events",
        sa.Column(
            "event_no",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("out_trade_no", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("wall_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event_no", name=op.f("pk_order_events")),
    )
    op.create_index("ix_order_events_out_trade_no", "order_events", ["out_trade_no"], unique=False)


def _create_orders() -> None:
    op.create_table(
        "orders",
        sa.Column("out_trade_no", sa.Text(), nullable=False),
        sa.Column("passage_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lane_id", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("wallet", sa.Text(), nullable=True),
        sa.Column("toll_fen", sa.BigInteger(), nullable=False),
        sa.Column("tariff_id", sa.Text(), nullable=False),
        sa.Column("tariff_version", sa.Integer(), nullable=False),
        sa.Column("tariff_row", sa.Integer(), nullable=False),
        sa.Column("vehicle_class", sa.Integer(), nullable=True),
        sa.Column("plate", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("txn_time", sa.Text(), nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=True),
        sa.Column("request_digest", sa.Text(), nullable=False),
        sa.Column("created_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("sent_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("sent_ms", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("next", sa.Text(), nullable=False),
        sa.Column("captured_fen", sa.BigInteger(), nullable=False),
        sa.Column("refunded_fen", sa.BigInteger(), nullable=False),
        sa.Column("captured_ms", sa.BigInteger(), nullable=True),
        sa.Column("paid_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("provider_txn_id", sa.Text(), nullable=True),
        sa.Column("proven", sa.Boolean(), nullable=False),
        sa.Column("pending", sa.Boolean(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("out_refund_no", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("lease_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("work", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("out_trade_no", name=op.f("pk_orders")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_orders_code_hash")),
    )
    op.create_index("ix_orders_passage_id", "orders", ["passage_id"], unique=False)
    op.create_index(
        "ix_orders_unfinished",
        "orders",
        ["owner", "lease_until_ms"],
        unique=False,
        sqlite_where=sa.text("work"),
        postgresql_where=sa.text("work"),
    )


def _create_quarantine() -> None:
    op.create_table(
        "quarantine",
        sa.Column("lane_id", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("released_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("lane_id", "epoch", "seq", name=op.f("pk_quarantine")),
    )


def _create_records() -> None:
    op.create_table(
        "records",
        sa.Column("lane_id", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("passage_id", sa.Text(), nullable=True),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("chain_hash", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("lane_id", "epoch", "seq", name=op.f("pk_records")),
        sa.UniqueConstraint("passage_id", name=op.f("uq_records_passage_id")),
    )


def _create_signed_sets() -> None:
    op.create_table(
        "signed_sets",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("set_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("made_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("effective_from_ms", sa.BigInteger(), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("stored_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "set_id", "version", name=op.f("pk_signed_sets")),
    )


def _create_transfers() -> None:
    op.create_table(
        "transfers",
        sa.Column("transfer_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("debit", sa.Text(), nullable=False),
        sa.Column("credit", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("out_trade_no", sa.Text(), nullable=True),
        sa.Column("pending_id", sa.Text(), nullable=True),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("wall_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name="ck_transfers_amount"),
        sa.PrimaryKeyConstraint("transfer_id", name=op.f("pk_transfers")),
        sa.UniqueConstraint("pending_id", name=op.f("uq_transfers_pending_id")),
    )
    op.create_index("ix_transfers_out_trade_no", "transfers", ["out_trade_no"], unique=False)


def _fix_on_sqlite() -> None:
    for table in _FIXED:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} BEGIN"
                f" SELECT RAISE(ABORT, 'rows of {table} are never changed'); END"
            )


def _fix_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME; END $$"
    )
    for table in _FIXED:
        op.execute(
            f"CREATE TRIGGER {table}_fixed BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    """Drop everything."""
    op.drop_index("ix_transfers_out_trade_no", table_name="transfers")
    op.drop_table("transfers")
    op.drop_table("signed_sets")
    op.drop_table("records")
    op.drop_table("quarantine")
    op.drop_index(
        "ix_orders_unfinished",
        table_name="orders",
        sqlite_where=sa.text("work"),
        postgresql_where=sa.text("work"),
    )
    op.drop_index("ix_orders_passage_id", table_name="orders")
    op.drop_table("orders")
    op.drop_index("ix_order_events_out_trade_no", table_name="order_events")
    op.drop_table("order_events")
    op.drop_table("operators")
    op.drop_table("lanes")
    op.drop_index("ix_entries_plate", table_name="entries")
    op.drop_index("ix_entries_medium", table_name="entries")
    op.drop_table("entries")
    op.drop_index(
        "ix_differences_standing",
        table_name="differences",
        sqlite_where=sa.text("healed_ms IS NULL"),
        postgresql_where=sa.text("healed_ms IS NULL"),
    )
    op.drop_table("differences")
    op.drop_index("ix_commands_lane", table_name="commands")
    op.drop_table("commands")
    op.drop_index(
        "ix_alarms_standing",
        table_name="alarms",
        sqlite_where=sa.text("cleared_ms IS NULL"),
        postgresql_where=sa.text("cleared_ms IS NULL"),
    )
    op.drop_table("alarms")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")
