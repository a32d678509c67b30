"""Units of a reconciliation, and the transfer of one of its postings."""

from __future__ import annotations

import pytest

from plaza_server.rules.bill_units import NUMBERS_PER_UNIT, posting_transfer, reconcile_units
from plaza_server.rules.reconcile_values import Posting
from tests.plaza_server.rules.values import AT, NUMBER
from tolling.ids import BootId


def test_a_run_is_cut_into_short_units() -> None:
    """Every number once, in order."""
    numbers = [f"{count:04d}" for count in range(2 * NUMBERS_PER_UNIT + 1)]
    subject = list(
        reconcile_units("alipay", "2026-11-21", numbers, fee_rate_bp=60, owner=BootId("b"), at=AT)
    )
    assert [len(unit.numbers) for unit in subject] == [NUMBERS_PER_UNIT, NUMBERS_PER_UNIT, 1]
    assert [number for unit in subject for number in unit.numbers] == numbers


@pytest.mark.parametrize(
    ("fee", "delta", "debit", "credit"),
    [
        (True, -15, "fees:alipay", "clearing:alipay"),
        (True, 6, "clearing:alipay", "fees:alipay"),
        (False, 2550, "clearing:alipay", "differences:alipay"),
        (False, -2550, "differences:alipay", "clearing:alipay"),
    ],
)
def test_a_posting_moves_the_clearing_account(
    fee: bool,
    delta: int,
    debit: str,
    credit: str,
) -> None:
    """By its own delta, under an id no other transfer has."""
    posting = Posting(key="fee/pay/T1", fee=fee, clearing_fen=delta)
    subject = posting_transfer(
        posting, delta, platform="alipay", day="2026-11-21", number=2, order=NUMBER
    )
    assert (subject.debit, subject.credit, subject.amount_fen) == (debit, credit, abs(delta))
    assert subject.transfer_id == "bill/alipay/2026-11-21/fee/pay/T1/2"
    assert subject.out_trade_no == NUMBER
