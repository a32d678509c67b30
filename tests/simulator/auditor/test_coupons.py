"""M1: coupons are applied once, only good ones, for their worth, and used up by records alone."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.auditor import AuditedCoupon, AuditedTransfer, CouponRow, audit
from tests.simulator.auditor.runs import ORDER, body, chain, clean_run

FIXED = AuditedCoupon(coupon_no="K-1", fixed_fen=500, off_rate=0, good=True)
RATE = AuditedCoupon(coupon_no="K-2", fixed_fen=0, off_rate=1_000, good=True)
OLD = AuditedCoupon(coupon_no="K-3", fixed_fen=500, off_rate=0, good=False)


def applied(number: str = "K-1", fen: int = 500, *, said: int | None = None) -> dict[str, Any]:
    """Return a record of 25 yuan that applies a coupon; the phone paid the rest."""
    legs = [
        {"tender": "coupon", "amount_fen": fen, "provider_txn_id": number, "out_trade_no": None},
        {"tender": "alipay", "amount_fen": 2500, "out_trade_no": ORDER},
    ]
    why = [{"code": "coupon_fixed", "saved_fen": fen if said is None else said}]
    return body(toll_due_fen=2500 + fen, legs=legs, why=why)


def moves(fen: int) -> tuple[AuditedTransfer, ...]:
    """Return what a plaza books for a coupon that was used up."""
    rows = (("coupon", "suspense", "post"), ("suspense", "revenue:coupon:330101", "posted"))
    hold = AuditedTransfer(
        transfer_id="coupon/h/hold",
        debit="coupon",
        credit="suspense",
        amount_fen=fen,
        kind="pending",
        pending_id=None,
    )
    return (
        hold,
        *(
            AuditedTransfer(
                transfer_id=f"coupon/{debit}",
                debit=debit,
                credit=credit,
                amount_fen=fen,
                kind=kind,
                pending_id="coupon/h/hold" if kind == "post" else None,
            )
            for debit, credit, kind in rows
        ),
    )


def found(record: dict[str, Any] | None = None, **changes: Any) -> list[str]:
    """Return what M1 says of a run with that record."""
    records = chain(record if record is not None else body())
    usual: dict[str, Any] = {
        "lane_records": records,
        "plaza_records": records,
        "coupons": (FIXED, RATE, OLD),
        "coupon_rows": (CouponRow(coupon_no="K-1", state="offered"),),
    }
    seen = clean_run()
    transfers = (*seen.transfers, *changes.pop("moved", ()))
    run = clean_run(**(usual | {"transfers": transfers} | changes))
    return [each.what for each in audit(run).findings if each.rule == "M1"]


USED = (CouponRow(coupon_no="K-1", state="consumed"),)


def test_a_coupon_applied_for_its_worth_is_no_finding() -> None:
    """Issuer's copy, plaza's row, record and ledger agree."""
    assert found() == []
    assert found(applied(), coupon_rows=USED, moved=moves(500)) == []


def test_a_share_is_computed_again() -> None:
    """A tenth of 27.78 yuan: the rest is rounded half up to the fen."""
    used = (CouponRow(coupon_no="K-2", state="consumed"),)
    good = applied("K-2", 278)
    assert found(good, coupon_rows=used, moved=moves(278)) == []
    bad = applied("K-2", 277)
    assert "it is worth 278" in found(bad, coupon_rows=used, moved=moves(277))[0]


@pytest.mark.parametrize(
    ("record", "changes", "what"),
    [
        (applied(fen=400), {"coupon_rows": USED, "moved": moves(400)}, "worth 500"),
        (applied(said=1), {"coupon_rows": USED, "moved": moves(500)}, "explanation"),
        (applied("K-9"), {"moved": moves(500)}, "issued by nobody"),
        (applied("K-3"), {"moved": moves(500)}, "was not good"),
        (applied(), {"moved": moves(500)}, "rests as offered"),
        (applied(), {"coupon_rows": (), "moved": moves(500)}, "never had it"),
        (applied(), {"coupon_rows": USED}, "the ledger earned 0"),
        (None, {"coupon_rows": USED}, "no record names it"),
        (
            None,
            {"coupon_rows": (CouponRow(coupon_no="K-1", state="reserved"),), "at_rest": True},
            "still held",
        ),
    ],
)
def test_everything_else_is_told(
    record: dict[str, Any] | None, changes: dict[str, Any], what: str
) -> None:
    """Applied for too much or nothing, used up unapplied, held for ever, booked otherwise."""
    assert any(what in said for said in found(record, **changes))


def test_two_vehicles_with_one_coupon_are_told() -> None:
    """Whoever named it second paid too little."""
    twice = chain(applied(), applied())
    said = found(lane_records=twice, plaza_records=twice, coupon_rows=USED, moved=moves(1000))
    assert any("applied 2 times" in each for each in said)
