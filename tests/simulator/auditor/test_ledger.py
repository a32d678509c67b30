"""M5: where money rests when all is over, against records and platforms' books."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simulator.auditor import AuditedOrder, AuditedTransfer, audit
from tests.simulator.auditor.runs import ORDER, body, chain, clean_run

BASE = clean_run()
PENDING, CAPTURE, EARNED = BASE.transfers
PASSAGE = ORDER[:21]
GIVEN_BACK = ORDER[:-2] + "02"


def move(number: str, debit: str, credit: str, order: str | None = ORDER) -> AuditedTransfer:
    """Return one posted transfer of the whole toll."""
    return AuditedTransfer(
        transfer_id=number,
        debit=debit,
        credit=credit,
        amount_fen=2500,
        kind="posted",
        pending_id=None,
        out_trade_no=order,
    )


def found(**changes: Any) -> list[str]:
    """Return what M5 says of the clean run with *changes*."""
    return [each.what for each in audit(clean_run(**changes)).findings if each.rule == "M5"]


def sealed(*plains: dict[str, Any]) -> dict[str, Any]:
    """Return both stores holding those records."""
    records = chain(*plains)
    return {"lane_records": records, "plaza_records": records}


def test_money_of_a_settled_passage_that_stays_in_suspense_is_found() -> None:
    """Its record names the capture, and the way from suspense to revenue was never booked."""
    assert found(transfers=(PENDING, CAPTURE)) == [
        f"order {ORDER}: records name 2500 fen of alipay, the ledger earned 0",
        f"order {ORDER}: 2500 fen rest in suspense, and its passage is settled",
    ]


def test_money_a_record_leaves_out_and_nobody_gives_back_is_found() -> None:
    """The passage has its record, which names cash; the capture is neither due nor given back."""
    cash = {"tender": "cash", "amount_fen": 2500, "out_trade_no": None}
    drawer = move("1/leg/1", "cash_lane:001", "revenue:cash:330101", None)
    told = sealed(body(passage_id=PASSAGE, legs=[cash]))
    suspended = f"order {ORDER}: 2500 fen rest in suspense, and its passage is settled"
    assert found(**told, transfers=(PENDING, CAPTURE, drawer)) == [suspended]


@pytest.mark.parametrize(
    ("transfers", "what"),
    [
        ((PENDING, CAPTURE, replace(EARNED, amount_fen=2400)), "the ledger earned 2400"),
        ((PENDING, CAPTURE, replace(EARNED, credit="revenue:wechat:1")), "2500 fen of alipay"),
        ((PENDING, CAPTURE, replace(EARNED, out_trade_no=GIVEN_BACK)), "of alipay, the ledger ear"),
        ((PENDING, EARNED), "-2500 fen rest in suspense"),
        ((PENDING, CAPTURE, EARNED, move("x", "clearing:wechat", "suspense", None)), "of no order"),
        ((PENDING, CAPTURE, EARNED, move("x", "refund_due", "clearing:alipay")), "ledger says 0"),
        ((PENDING, replace(CAPTURE, debit="clearing:wechat"), EARNED), "alipay holds 2500"),
    ],
)
def test_everything_else_is_told(transfers: tuple[AuditedTransfer, ...], what: str) -> None:
    """Another sum, tender or order, a revenue without a capture, another platform's account."""
    said = found(transfers=transfers)
    assert any(what in each for each in said), said


def test_cash_a_record_names_is_in_its_lanes_drawer() -> None:
    """Booked as revenue into another lane's drawer, or not at all, it is found."""
    cash = {"tender": "cash", "amount_fen": 2500, "out_trade_no": None}
    told = sealed(body(), body(legs=[cash], plate=None))
    drawer = move("2/leg/1", "cash_lane:001", "revenue:cash:330101", None)
    assert found(**told, transfers=(*BASE.transfers, drawer)) == []
    assert len(found(**told)) == 1
    other = replace(drawer, debit="cash_lane:002")
    assert len(found(**told, transfers=(*BASE.transfers, other))) == 2


def test_money_whose_record_nobody_has_read_waits_in_suspense() -> None:
    """It is not at the plaza, or is kept there unread: no rule of the ledger's is broken."""
    waits = (PENDING, CAPTURE)
    assert found(plaza_records=(), transfers=waits) == []
    assert found(plaza_records=()) != [], "earned, and no record says so"
    quarantined = frozenset({("001", 1, 1)})
    assert found(unread=quarantined, transfers=waits) == []
    assert found(unread=frozenset({("001", 1, 2)}), transfers=waits) != []


def test_money_that_is_given_back_or_cannot_be_is_no_finding() -> None:
    """Taken besides the order the record names: the one is due and given back, the other is due
    for as long as the platform refuses it. Bills are booked in accounts of their own."""
    told = sealed(body(passage_id=PASSAGE))
    trade = replace(BASE.trades[0], out_trade_no=GIVEN_BACK)
    taken = (
        move("4", "clearing:alipay", "suspense", GIVEN_BACK),
        move("5", "suspense", "refund_due", GIVEN_BACK),
    )
    back = move("6", "refund_due", "clearing:alipay", GIVEN_BACK)
    fee = replace(move("bill/1", "fees:alipay", "clearing:alipay"), amount_fen=15)
    transfers = (*BASE.transfers, *taken, fee)
    refunded = (*BASE.trades, replace(trade, refunded_fen=2500))
    assert found(**told, trades=refunded, transfers=(*transfers, back)) == []
    stuck = AuditedOrder(
        out_trade_no=GIVEN_BACK,
        state="refund_stuck",
        toll_fen=2500,
        captured_fen=2500,
        refunded_fen=0,
    )
    kept = {"trades": (*BASE.trades, trade), "orders": (*BASE.orders, stuck)}
    assert found(**told, **kept, transfers=transfers) == []


def test_a_run_that_is_not_at_rest_is_not_asked_where_its_money_is() -> None:
    """A record may be on its way, and its capture too."""
    assert found(at_rest=False, transfers=(PENDING, CAPTURE)) == []


def test_a_decided_order_leaves_no_capture_pending() -> None:
    """Neither posted nor voided, though the order is closed; one still open is M2's."""
    closed = replace(BASE.orders[0], out_trade_no=GIVEN_BACK, state="closed", captured_fen=0)
    waits = replace(PENDING, transfer_id="9", out_trade_no=GIVEN_BACK)
    void = replace(waits, transfer_id="10", kind="void", pending_id="9")
    orders, transfers = (*BASE.orders, closed), (*BASE.transfers, waits)
    said = f"order {GIVEN_BACK}: its capture is pending still, and it is closed"
    assert found(orders=orders, transfers=transfers) == [said]
    assert found(orders=orders, transfers=(*transfers, void)) == []
    still_open = (*BASE.orders, replace(closed, state="closing"))
    assert found(orders=still_open, transfers=transfers) == []
    assert len(found(transfers=transfers)) == 1, "of no order at all"
    tag = replace(waits, out_trade_no=None, debit="etc")
    assert found(transfers=(*BASE.transfers, tag)) == []


def test_one_plazas_tolls_are_one_payees() -> None:
    """The order's revenue, and cash that went to another."""
    cash = {"tender": "cash", "amount_fen": 2500, "out_trade_no": None}
    told = sealed(body(), body(legs=[cash], plate=None))
    drawer = move("2/leg/1", "cash_lane:001", "revenue:cash:999999", None)
    said = "revenue is booked to several payees: 330101, 999999"
    assert found(**told, transfers=(*BASE.transfers, drawer)) == [said]
