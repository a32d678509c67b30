"""Receipts, what became of them, and the log of all records with its roots.

All rows are history: the database itself refuses to change or delete them. Records that are there
already get their receipts here.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_FIXED = ("receipts", "receipt_events", "log_roots", "log_runs", "log_nodes", "log_streams")
_BATCH = 500


def upgrade() -> None:
    """Build it."""
    _create_receipts()
    _create_log()
    _issue_receipts()
    for table in _FIXED:
        _fix(table)


def _create_receipts() -> None:
    op.create_table(
        "receipts",
        sa.Column("receipt_no", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("issued_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("receipt_no", name=op.f("pk_receipts")),
    )
    op.create_table(
        "receipt_events",
        sa.Column(
            "event_no",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("receipt_no", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=True),
        sa.Column("signature", sa.Text(), nullable=True),
        sa.Column("wall_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event_no", name=op.f("pk_receipt_events")),
    )
    op.create_index(
        "ix_receipt_events_version", "receipt_events", ["receipt_no", "version"], unique=True
    )


def _create_log() -> None:
    op.create_table(
        "log_roots",
        sa.Column("root_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("closed_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("root_no", name=op.f("pk_log_roots")),
        sa.UniqueConstraint("until_ms", name=op.f("uq_log_roots_until_ms")),
    )
    op.create_table(
        "log_runs",
        sa.Column("first_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root_no", sa.BigInteger(), nullable=False),
        sa.Column("lane_id", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("first_index", name=op.f("pk_log_runs")),
    )
    op.create_index("ix_log_runs_place", "log_runs", ["lane_id", "epoch", "last_seq"], unique=True)
    op.create_table(
        "log_nodes",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("node_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name=op.f("pk_log_nodes")),
    )
    op.create_table(
        "log_streams",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root_no", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "position", name=op.f("pk_log_streams")),
    )


def _issue_receipts() -> None:
    """Make the receipts of records that were taken before."""
    connection = op.get_bind()
    query = sa.text(
        "SELECT r.*, l.plaza_id FROM records r JOIN lanes l ON l.lane_id = r.lane_id"
        " WHERE r.passage_id > :after ORDER BY r.passage_id LIMIT :most"
    )
    add = sa.text("INSERT INTO receipts VALUES (:receipt_no, :content, :issued_ms)")
    after = ""
    while True:
        found = connection.execute(query, {"after": after, "most": _BATCH}).mappings().all()
        if not found:
            return
        rows = [row for row in map(_receipt_row, found) if row is not None]
        if rows:
            connection.execute(add, rows)
        after = found[-1]["passage_id"]


def _receipt_row(row: sa.RowMapping) -> dict[str, str | int] | None:
    from plaza_server.rules.records import open_record
    from tolling.chain import SealedRecord
    from tolling.receipts import receipt_bytes, receipt_of

    sealed = SealedRecord(
        plaza_id=row["plaza_id"],
        lane_id=row["lane_id"],
        epoch=row["epoch"],
        seq=row["seq"],
        previous_hash=row["previous_hash"],
        chain_hash=row["chain_hash"],
        body=bytes(row["body"]).decode("utf-8"),
    )
    receipt = receipt_of(
        sealed, open_record(sealed), payee=row["plaza_id"], issued_ms=row["received_ms"]
    )
    if receipt is None:
        return None
    content = receipt_bytes(receipt).decode("utf-8")
    issued_ms = row["received_ms"]
    return {"receipt_no": receipt.receipt_no, "content": content, "issued_ms": issued_ms}


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


def downgrade() -> None:
    """Drop it."""
    for table in reversed(_FIXED):
        op.drop_table(table)
