"""What people ask about coupons. Nothing here tells a coupon's text: nobody has it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from plaza_server.rules.coupons import CouponState
from plaza_server.store.coupon_tables import coupon_holds, coupons
from tolling.coupons import HoldState

_STANDING = (HoldState.RESERVED.value, HoldState.CONSUMED.value)


def coupon_lines(
    connection: sa.Connection, *, state: CouponState | None, limit: int
) -> list[dict[str, Any]]:
    """Return coupons by number: coupon_no, issuer, state, and passage_id and amount_fen of the
    passage that holds or used one (None, None where none does)."""
    c, h = coupons.c, coupon_holds.c
    standing = sa.and_(h.coupon_no == c.coupon_no, h.state.in_(_STANDING))
    query = (
        sa.select(c.coupon_no, c.issuer, c.state, h.passage_id, h.amount_fen)
        .select_from(coupons.outerjoin(coupon_holds, standing))
        .order_by(c.coupon_no)
        .limit(limit)
    )
    if state is not None:
        query = query.where(c.state == state.value)
    return [dict(row._mapping) for row in connection.execute(query)]
