"""When an order's refund was numbered: with the number, UnionPay's key of the refund."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Build it; refunds stored before keep the time they were sent with, which rules work out."""
    op.add_column("orders", sa.Column("refund_time", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("orders", "refund_time")
