"""Helper of the tests of coupons in the store: coupons, requests and units of the bench's lane."""

from __future__ import annotations

from typing import Any

from plaza_server.rules.coupon_file import made_coupon
from plaza_server.rules.coupons import (
    Coupon,
    ImportCoupons,
    ReleaseCoupon,
    ReserveCoupon,
)
from plaza_server.rules.orders import Moment
from plaza_server.store import Store
from tests.plaza_server.bench_platform import EPOCH_MS
from tests.plaza_server.plaza_bench import LANE, TOLL, passage, record
from tests.plaza_server.rules.values import AT
from tests.plaza_server.store.test_units import ME, do
from tolling.best_price import Entitlement, EntitlementKind
from tolling.coupons import CouponAnswer, CouponCode, CouponRelease, CouponRequest, read_coupon
from tolling.ids import LaneId


def code(number: int) -> CouponCode:
    """Return the text of the bench's coupon *number*."""
    found = read_coupon("TLC1" + "A" * 26 + "ABCDEFGH"[number // 8] + "ABCDEFGH"[number % 8])
    assert found is not None
    return found


def coupon(number: int, amount_fen: int = 500) -> Coupon:
    """Return a coupon that takes *amount_fen* off."""
    terms = Entitlement(
        kind=EntitlementKind.COUPON_FIXED,
        name="券",
        amount_fen=amount_fen,
        valid_from_ms=EPOCH_MS - 1_000,
        valid_until_ms=EPOCH_MS + 10**9,
    )
    return made_coupon(
        coupon_no=f"K-{number}", code=code(number), issuer="issuer", entitlement=terms
    )


def bring(store: Store, *coupons: Coupon) -> int:
    """Import coupons."""
    lines = tuple(range(2, 2 + len(coupons)))
    unit = ImportCoupons(coupons=coupons, lines=lines, file="c.csv", now_ms=EPOCH_MS)
    taken: int = do(store, unit)
    return taken


def reserve(
    number: int,
    attempt: int = 1,
    *,
    of: int = 1,
    toll_fen: int = TOLL,
    lane: LaneId = LANE,
    at: Moment = AT,
) -> ReserveCoupon:
    """Return the unit that holds coupon *of* for a passage."""
    quote = record(number, toll_fen=toll_fen).quote
    assert quote is not None
    request = CouponRequest(passage_id=passage(number), attempt=attempt, lane_id=lane, quote=quote)
    return ReserveCoupon(request=request, token_hash=code(of).token_hash(), owner=ME, at=at)


def release(number: int, attempt: int = 1, *, at: Moment = AT) -> ReleaseCoupon:
    """Return the unit that lets it go."""
    asked = CouponRelease(passage_id=passage(number), attempt=attempt, lane_id=LANE)
    return ReleaseCoupon(release=asked, owner=ME, at=at)


def ask(store: Store, unit: Any) -> CouponAnswer:
    """Run one of those units."""
    answer = do(store, unit)
    assert isinstance(answer, CouponAnswer)
    return answer
