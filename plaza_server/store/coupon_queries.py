"""What people ask about coupons. Nothing here tells a coupon's text: nobody has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from plaza_server.rules.coupons import CouponState, HeldBy, Hold
from plaza_server.store.coupon_tables import coupon_holds, coupons
from plaza_server.store.coupon_units import hold_of, what_holds
from tolling.coupons import HoldState

_STANDING = (HoldState.RESERVED.value, HoldState.CONSUMED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLine:
    """One reservation that waits for its passage's record."""

    hold: Hold
    held_by: HeldBy
    """Why nobody may let it go by hand yet."""


def held_lines(connection: sa.Connection, *, limit: int) -> list[HeldLine]:
    """Return the reservations that wait, the oldest first."""
    h = coupon_holds.c
    query = (
        sa.select(coupon_holds)
        .where(h.state == HoldState.RESERVED.value)
        .order_by(h.reserved_ms, h.hold_id)
        .limit(limit)
    )
    holds = [hold_of(row) for row in connection.execute(query).mappings()]
    return [HeldLine(hold=hold, held_by=what_holds(connection, hold)) for hold in holds]


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
