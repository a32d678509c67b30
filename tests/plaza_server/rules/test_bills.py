"""A bill's words: days, windows, sums and exact fees."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plaza_server.rules.bills import (
    DAY_MS,
    BillKind,
    BillRow,
    BillStatus,
    BillTotals,
    day_of,
    expected_fee_fen,
    is_day,
    shift_day,
    totals_of,
    whole_fen,
    window_of,
)

ROW = BillRow(
    line=6,
    kind=BillKind.PAY,
    out_trade_no="N1",
    out_refund_no=None,
    provider_txn_id="T1",
    amount_fen=1000,
    fee_fen=6,
    paid_at_ms=1_795_219_202_000,
    status=BillStatus.DONE,
)
BACK = replace(ROW, line=7, kind=BillKind.REFUND, out_refund_no="R1", amount_fen=400, fee_fen=-2)


def test_windows_are_beijing_days_and_unionpay_begins_an_hour_earlier() -> None:
    """Midnight in Beijing is 16:00 UTC; UnionPay's day ends at 23:00."""
    start, end = window_of("alipay", "2026-11-21")
    assert (start, end - start) == (1_795_190_400_000, DAY_MS)
    assert window_of("unionpay", "2026-11-21")[0] == start - 3_600_000
    assert day_of("wechat", start) == "2026-11-21"
    assert day_of("wechat", start - 1) == "2026-11-20"
    assert day_of("unionpay", start - 1) == "2026-11-21"


def test_days_are_written_in_one_way() -> None:
    """yyyy-MM-dd and nothing else."""
    assert is_day("2026-11-21")
    assert not any(is_day(text) for text in ("20261121", "2026-11-31", "2026-W47-6", ""))
    assert (shift_day("2026-12-31", 1), shift_day("2026-03-01", -1)) == ("2027-01-01", "2026-02-28")


@pytest.mark.parametrize(
    ("parts", "fen"), [(0, 0), (499, 0), (500, 1), (1499, 1), (-499, 0), (-500, -1), (5940, 6)]
)
def test_fees_round_halves_away_from_zero(parts: int, fen: int) -> None:
    """As the platform's page says of its fee column."""
    assert whole_fen(parts) == fen


def test_the_contract_fee_counts_halves_up() -> None:
    """60 hundredths of a percent of 25.50 yuan are 15.3 fen."""
    assert expected_fee_fen(2550, 60) == 15
    assert expected_fee_fen(250, 60) == 2


def test_totals_leave_failed_refunds_out() -> None:
    """A refund that failed moved no money."""
    failed = replace(BACK, line=8, out_refund_no="R2", status=BillStatus.FAILED)
    subject = totals_of([ROW, BACK, failed])
    assert subject == BillTotals(
        pay_count=1, pay_fen=1000, refund_count=1, refund_fen=400, fee_fen=4
    )
    assert subject.net_fen == 596


def test_keys_name_movements() -> None:
    """A payment by its trade, a refund by its number, a reversal by its instant."""
    assert ROW.key == "pay/T1"
    assert BACK.key == "refund/T1/R1"
    assert replace(BACK, out_refund_no=None).key == "refund/T1/@1795219202000"
