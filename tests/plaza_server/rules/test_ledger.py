"""Transfers and what they sum to."""

from __future__ import annotations

import pytest

from plaza_server.rules import ledger
from plaza_server.rules.ledger import Transfer, TransferKind
from tests.plaza_server.rules.values import NUMBER
from tolling.records import Leg, Tender


def test_pending_and_void_rows_move_nothing() -> None:
    """Only posted rows count in balances."""
    pending = ledger.capture_pending(NUMBER, "alipay", 100)
    void = ledger.capture_end(NUMBER, "alipay", 100, post=False)
    assert ledger.balances([pending, void]) == {}
    post = ledger.capture_end(NUMBER, "alipay", 100, post=True)
    assert ledger.balances([pending, post]) == {"clearing:alipay": 100, "suspense": -100}


def test_balances_of_a_whole_refund_are_zero() -> None:
    """Captured, left out, given back: every account is back at zero."""
    rows = [
        ledger.capture_direct(NUMBER, "alipay", 100),
        ledger.to_refund_due(NUMBER, 100),
        ledger.refund_made(NUMBER, "alipay", 100),
    ]
    assert set(ledger.balances(rows).values()) == {0}


def test_cash_and_etc_go_to_revenue_by_leg() -> None:
    """Two legs of one record have two ids; cash lies in the lane's own drawer."""
    legs = (Leg(tender=Tender.CASH, amount_fen=60), Leg(tender=Tender.ETC, amount_fen=40))
    one, two = (
        ledger.leg_to_revenue("001/001/7", number, leg, lane="001", payee="p")
        for number, leg in enumerate(legs, start=1)
    )
    assert (one.transfer_id, two.transfer_id) == ("001/001/7/leg/1", "001/001/7/leg/2")
    assert ledger.balances([one, two]) == {
        "cash_lane:001": 60,
        "revenue:cash:p": -60,
        "etc": 40,
        "revenue:etc:p": -40,
    }


def test_to_revenue_takes_from_suspense() -> None:
    """A record's leg turns a capture into revenue of its tender and payee."""
    row = ledger.to_revenue(NUMBER, "wechat", "north", 5)
    assert (row.debit, row.credit, row.amount_fen) == ("suspense", "revenue:wechat:north", 5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount_fen": 0},
        {"debit": "pocket"},
        {"credit": "clearing:"},
        {"credit": "suspense", "debit": "suspense"},
        {"debit": "cash_lane:001", "credit": "clearing:alipay"},
        {"pending_id": "x"},
        {"kind": TransferKind.POST},
    ],
)
def test_a_transfer_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    """Amount, accounts and kind are asserted where the row is made."""
    good: dict[str, object] = {
        "transfer_id": "t",
        "kind": TransferKind.POSTED,
        "debit": "cash_lane:001",
        "credit": "revenue:cash:330101",
        "amount_fen": 1,
        "out_trade_no": None,
    }
    Transfer(**good)  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        Transfer(**{**good, **wrong})  # type: ignore[arg-type]
