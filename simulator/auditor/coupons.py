"""Part of M1: coupons are applied once, only good ones, for what they are worth, and used up by
nothing but a sealed record.

What a coupon is worth is computed here a second time, from its issuer's copy of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from simulator.auditor.evidence import AuditedCoupon, AuditedRecord, Evidence

COUPON = "coupon"
FULL = 10_000
"""Basis points."""


def m1_coupons(
    seen: Evidence, records: Iterator[tuple[AuditedRecord, dict[str, Any]]]
) -> Iterator[str]:
    """Yield every coupon that was applied twice, wrongly or for nothing, or used up unapplied."""
    named: Counter[str] = Counter()
    applied_fen = 0
    issued = {coupon.coupon_no: coupon for coupon in seen.coupons}
    for record, body in records:
        legs = [leg for leg in body.get("legs", []) if leg["tender"] == COUPON]
        if len(legs) > 1:
            yield f"record {record.lane_id}/{record.seq}: {len(legs)} coupons on one passage"
        for leg in legs:
            named[leg["provider_txn_id"]] += 1
            applied_fen += leg["amount_fen"]
            if issued:
                wrong = _wrong(issued.get(leg["provider_txn_id"]), leg, body)
                if wrong:
                    yield f"record {record.lane_id}/{record.seq}: {wrong}"
    for number, times in sorted(named.items()):
        if times > 1:
            yield f"coupon {number} is applied {times} times"
    yield from _rows(seen, named)
    yield from _earned(seen, applied_fen)


def _wrong(coupon: AuditedCoupon | None, leg: dict[str, Any], body: dict[str, Any]) -> str:
    """Return what is wrong with a coupon leg by its issuer's copy; empty where nothing is."""
    if coupon is None:
        return f"coupon {leg['provider_txn_id']} was issued by nobody"
    if not coupon.good:
        return f"coupon {coupon.coupon_no} was not good"
    due_fen = body["toll_due_fen"]
    worth_fen = min(coupon.fixed_fen, due_fen)
    if coupon.off_rate:
        # The rest is rounded half up to the fen.
        rest, part = divmod(due_fen * (FULL - coupon.off_rate), FULL)
        worth_fen = due_fen - rest - (2 * part >= FULL)
    if leg["amount_fen"] != worth_fen:
        return f"coupon {coupon.coupon_no} takes off {leg['amount_fen']}, it is worth {worth_fen}"
    said = [step["saved_fen"] for step in body.get("why", [])]
    return "" if said == [worth_fen] else f"its explanation says {said}, the coupon {worth_fen}"


def _rows(seen: Evidence, named: Counter[str]) -> Iterator[str]:
    """Yield coupons that are used up and named by no record, named and not used up, or held still
    when all is over."""
    states = {row.coupon_no: row.state for row in seen.coupon_rows}
    for number, state in sorted(states.items()):
        if state == "consumed" and not named[number]:
            yield f"coupon {number} is used up, and no record names it"
        if state != "consumed" and named[number]:
            yield f"coupon {number} is named by a record and rests as {state}"
        if state == "reserved" and seen.at_rest:
            yield f"coupon {number} is still held"
    for number in sorted(set(named) - set(states)):
        yield f"coupon {number} is named by a record, and the plaza never had it"


def _earned(seen: Evidence, applied_fen: int) -> Iterator[str]:
    """Yield where the ledger's coupon revenue is not what the records apply."""
    moving = [t for t in seen.transfers if t.kind in ("posted", "post")]
    earned = sum(t.amount_fen for t in moving if t.credit.startswith("revenue:coupon:"))
    owed = sum(t.amount_fen for t in moving if t.debit == COUPON)
    owed -= sum(t.amount_fen for t in moving if t.credit == COUPON)
    if earned != applied_fen or owed != applied_fen:
        yield (
            f"records apply {applied_fen} fen of coupons, the ledger earned {earned} and is owed"
            f" {owed}"
        )
