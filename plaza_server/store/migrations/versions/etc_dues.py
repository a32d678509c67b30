"""Debits of tags that settled nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Build it."""
    op.create_table(
        "etc_dues",
        sa.Column("passage_id", sa.Text(), nullable=False),
        sa.Column("lane_id", sa.Text(), nullable=False),
        sa.Column("tag_id", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("txn_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("noted_ms", sa.BigInteger(), nullable=False),
        sa.Column("said_by", sa.Text(), nullable=True),
        sa.Column("said_ms", sa.BigInteger(), nullable=True),
        sa.Column("issuer_ref", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("passage_id", name=op.f("pk_etc_dues")),
    )
    op.create_index("ix_etc_dues_state", "etc_dues", ["state", "noted_ms"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("etc_dues")
