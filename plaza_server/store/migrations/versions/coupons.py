"""Coupons and their reservations."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Build it."""
    op.create_table(
        "coupons",
        sa.Column("coupon_no", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("imported_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("coupon_no", name=op.f("pk_coupons")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_coupons_token_hash")),
    )
    op.create_index("ix_coupons_state", "coupons", ["state"])
    op.create_table(
        "coupon_holds",
        sa.Column("hold_id", sa.Text(), nullable=False),
        sa.Column("passage_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lane_id", sa.Text(), nullable=False),
        sa.Column("coupon_no", sa.Text(), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reserved_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("hold_id", name=op.f("pk_coupon_holds")),
    )
    op.create_index("ix_coupon_holds_passage_id", "coupon_holds", ["passage_id"])
    standing = sa.text("state IN ('reserved', 'consumed')")
    op.create_index(
        "ix_coupon_holds_standing",
        "coupon_holds",
        ["coupon_no"],
        unique=True,
        sqlite_where=standing,
        postgresql_where=standing,
    )
    waiting = sa.text("state = 'reserved'")
    op.create_index(
        "ix_coupon_holds_waiting",
        "coupon_holds",
        ["reserved_ms"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("coupon_holds")
    op.drop_table("coupons")
