"""Who let a coupon's reservation go by hand, and why."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Build it; what a record or a lane ended names nobody."""
    op.add_column("coupon_holds", sa.Column("released_by", sa.Text(), nullable=True))
    op.add_column("coupon_holds", sa.Column("released_why", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("coupon_holds", "released_why")
    op.drop_column("coupon_holds", "released_by")
