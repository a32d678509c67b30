"""Part of M1: nobody pays twice. By the drivers' own memories and the platforms' books: a vehicle
passes once in a run, so one tender of it is kept at rest, and no second one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from simulator.auditor.alike import alike
from simulator.auditor.evidence import Evidence

STUCK = "refund_stuck"
DOUBTED = "left_during_outage"


def m1_twice(seen: Evidence, by_tag: set[int]) -> Iterator[str]:
    """Yield every driver of whom two tenders are kept.

    Args:   by_tag: the vehicles whose tag paid by itself; a part of a toll is no second tender.

    Not held against a lane: a code of another's wallet, a refund the platform refuses for good, and
    a vehicle nobody could prove to be the one from before an outage (design.md section 4: its
    passage ends as left_during_outage, and whoever stands there is new).
    """
    if not seen.at_rest:
        return
    stuck = {order.out_trade_no for order in seen.orders if order.state == STUCK}
    kept: Counter[int] = Counter()
    for trade in seen.trades:
        held = trade.captured_fen > trade.refunded_fen and trade.out_trade_no not in stuck
        if held and trade.payer is not None:
            kept[trade.payer] += 1
    mixed = {vehicle for pair in (*seen.borrowed, *alike(seen)) for vehicle in pair}
    doubtful = set(_doubtful_lanes(seen))
    for driver in seen.drivers:
        tenders = kept[driver.vehicle_id] + (driver.cash_fen > 0)
        tenders += driver.vehicle_id in by_tag
        if tenders > 1 and driver.vehicle_id not in mixed and driver.lane_id not in doubtful:
            paid = (
                f"{driver.phone_fen} by phone, {driver.cash_fen} in cash, {driver.etc_fen} by tag"
            )
            yield f"vehicle {driver.vehicle_id} paid {tenders} times: {paid}"


def _doubtful_lanes(seen: Evidence) -> Iterator[str]:
    """Yield the lanes that gave a vehicle up after an outage."""
    for record in seen.lane_records:
        try:
            body = json.loads(record.body)
        except ValueError:
            continue
        if isinstance(body, dict) and body.get("end") == DOUBTED:
            yield record.lane_id
