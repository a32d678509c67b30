"""Tables of coupons and their reservations, beside the tables of ``tables.py``.

``coupon_holds`` is history: a row ends once and stays; one that a person ended says who and why.
That a coupon is held or used by one passage at a time is a rule of the database itself.
"""

from __future__ import annotations

import sqlalchemy as sa

from plaza_server.store.tables import metadata

coupons = sa.Table(
    "coupons",
    metadata,
    sa.Column("coupon_no", sa.Text, primary_key=True),
    sa.Column("token_hash", sa.Text, nullable=False),
    sa.Column("issuer", sa.Text, nullable=False),
    sa.Column("terms", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("imported_ms", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("token_hash"),
    sa.Index("ix_coupons_state", "state"),
)
"""``terms`` is the Entitlement as canonical JSON; ``token_hash`` of the text nobody stores."""

coupon_holds = sa.Table(
    "coupon_holds",
    metadata,
    sa.Column("hold_id", sa.Text, primary_key=True),
    sa.Column("passage_id", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("lane_id", sa.Text, nullable=False),
    sa.Column("coupon_no", sa.Text, nullable=True),
    sa.Column("amount_fen", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reserved_ms", sa.BigInteger, nullable=False),
    sa.Column("ended_ms", sa.BigInteger, nullable=True),
    sa.Column("released_by", sa.Text, nullable=True),
    sa.Column("released_why", sa.Text, nullable=True),
    sa.Index("ix_coupon_holds_passage_id", "passage_id"),
    sa.Index(
        "ix_coupon_holds_standing",
        "coupon_no",
        unique=True,
        sqlite_where=sa.text("state IN ('reserved', 'consumed')"),
        postgresql_where=sa.text("state IN ('reserved', 'consumed')"),
    ),
    sa.Index(
        "ix_coupon_holds_waiting",
        "reserved_ms",
        sqlite_where=sa.text("state = 'reserved'"),
        postgresql_where=sa.text("state = 'reserved'"),
    ),
)
