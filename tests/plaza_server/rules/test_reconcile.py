"""One order number of a bill against our books: what agrees, what heals, what a person must do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from plaza_server.rules.bills import BillKind, BillRow, BillStatus, window_of
from plaza_server.rules.facts import BillLacks, BillShows
from plaza_server.rules.orders import Order, RecordMark, Verdict, apply
from plaza_server.rules.outcomes import Paid
from plaza_server.rules.reconcile import EDGE_MS, PAY_LATEST_MS, look
from plaza_server.rules.reconcile_values import (
    DifferenceClass,
    Finding,
    Frame,
    Known,
    Look,
    OurRefund,
    Posting,
    Sighting,
)
from tests.plaza_server.plaza_bench import TOLL
from tests.plaza_server.rules.values import AT, NUMBER, order_in
from tolling.orders import OrderState

S, C = OrderState, DifferenceClass
DAY, BEFORE, AFTER = "2026-11-21", "2026-11-20", "2026-11-22"
START, END = window_of("alipay", DAY)
NOON = START + 43_200_000
FRAME = Frame(platform="alipay", day=DAY, imported=frozenset({DAY}))
ALL = replace(FRAME, imported=frozenset({BEFORE, DAY, AFTER}))
REFUND_NO = f"{NUMBER}R01"


def pay(**changes: Any) -> BillRow:
    """Return the row of this order's payment."""
    row = BillRow(
        line=6,
        kind=BillKind.PAY,
        out_trade_no=NUMBER,
        out_refund_no=None,
        provider_txn_id="T1",
        amount_fen=TOLL,
        fee_fen=0,
        paid_at_ms=NOON,
        status=BillStatus.DONE,
    )
    return replace(row, **changes)


def back(**changes: Any) -> BillRow:
    """Return the row of its refund."""
    return replace(pay(line=7, kind=BillKind.REFUND, out_refund_no=REFUND_NO), **changes)


def paid_order(state: OrderState = S.PAID, **changes: Any) -> Order:
    """Return an order captured at noon and proven."""
    known = {"paid_at_ms": NOON, "provider_txn_id": "T1", "proven": True}
    if state is not S.PAID:
        known["out_refund_no"] = REFUND_NO
    return order_in(state, **{**known, **changes})


def sent_order(state: OrderState, **changes: Any) -> Order:
    """Return an order nobody knows the end of, sent at noon."""
    return order_in(state, **{"sent_ms": NOON, **changes})


def seen(*rows: BillRow, order: Order | None, frame: Frame = FRAME, **changes: Any) -> Look:
    """Look at one number."""
    return look(Known(number=NUMBER, rows=rows, order=order, **changes), frame)


def one(subject: Look) -> Finding:
    """Return the only finding."""
    (finding,) = subject.findings
    return finding


def clearing(subject: Look) -> int:
    """Return by how much the unexplained rows move the clearing account."""
    return sum(each.clearing_fen for each in subject.postings if not each.fee)


def test_a_payment_both_sides_have_matches() -> None:
    """Same number, trade, amount and day: nothing to do."""
    subject = seen(pay(), order=paid_order())
    assert [each.key for each in subject.matches] == ["pay/T1"]
    assert (subject.findings, subject.postings, subject.fact) == ((), (), None)


def test_fees_are_booked_as_billed_and_compared_with_the_contract() -> None:
    """FEE heals by the bill; a fee that agrees is no finding."""
    rated = replace(FRAME, fee_rate_bp=60)
    due = (TOLL * 60 + 5_000) // 10_000
    agreed = seen(pay(fee_fen=due), order=paid_order(), frame=rated)
    assert agreed.findings == ()
    assert agreed.postings == (Posting(key="fee/pay/T1", fee=True, clearing_fen=-due),)
    other = seen(pay(fee_fen=due + 1), order=paid_order(), frame=rated)
    assert (one(other).what, one(other).action) == (C.FEE, "")
    assert (one(other).bill_fen, one(other).ours_fen) == (due + 1, due)


@pytest.mark.parametrize("state", [S.SENT, S.WAITING, S.UNKNOWN, S.CLOSING, S.REFUSED, S.CLOSED])
def test_a_billed_payment_captures_whatever_we_thought(state: OrderState) -> None:
    """LONG of an order of ours heals by the order's own rules, and then agrees."""
    order = sent_order(state)
    first = seen(pay(), order=order)
    assert (one(first).what, one(first).action) == (C.LONG, "")
    assert isinstance(first.fact, BillShows)
    done = apply(order, first.fact, at=AT)
    assert (done.verdict, done.order.state) == (Verdict.MOVED, S.PAID)
    assert done.why == "the platform's bill lists it"
    assert (done.order.proven, done.order.paid_at_ms) == (True, NOON)
    again = seen(pay(), order=done.order)
    assert [each.key for each in again.matches] == ["pay/T1"]
    assert (again.findings, again.fact) == ((), None)


def test_a_billed_payment_that_the_record_left_out_is_given_back() -> None:
    """It is refund_due in the commit that learns of it."""
    order = sent_order(S.CLOSED, record=RecordMark.OMITTED)
    fact = seen(pay(), order=order).fact
    assert fact is not None
    assert apply(order, fact, at=AT).order.state is S.REFUND_DUE


def test_a_billed_payment_of_another_amount_is_given_back_whole() -> None:
    """As a query that shows another amount: mismatch."""
    order = sent_order(S.UNKNOWN)
    fact = seen(pay(amount_fen=TOLL + 1), order=order).fact
    assert fact is not None
    done = apply(order, fact, at=AT)
    assert (done.order.state, done.order.captured_fen) == (S.MISMATCH, TOLL + 1)


def test_a_billed_payment_and_reversal_end_as_given_back() -> None:
    """Both rows of a cancelled capture: nothing is owed."""
    order = sent_order(S.CLOSED)
    rows = (pay(), back(out_refund_no=None))
    first = seen(*rows, order=order)
    assert first.fact is not None
    done = apply(order, first.fact, at=AT).order
    assert (done.state, done.refunded_fen, done.paid_at_ms) == (S.REFUNDED, TOLL, NOON)
    refunds = (OurRefund(out_refund_no=None, amount_fen=TOLL, at_ms=NOON),)
    again = seen(*rows, order=done, refunds=refunds)
    assert len(again.matches) == 2
    assert (again.findings, clearing(again)) == ((), 0)


@pytest.mark.parametrize("state", [S.SENT, S.WAITING, S.UNKNOWN, S.CLOSING])
def test_an_order_no_bill_lists_is_closed(state: OrderState) -> None:
    """SHORT of an undecided order is final proof that it was never paid."""
    order = sent_order(state)
    subject = seen(order=order)
    assert (one(subject).what, one(subject).action) == (C.SHORT, "")
    assert subject.fact == BillLacks()
    assert apply(order, subject.fact, at=AT).order.state is S.CLOSED
    assert clearing(subject) == 0


def test_absence_proves_a_refusal() -> None:
    """The state stays, and nobody has to ask again."""
    order = sent_order(S.REFUSED, proven=False)
    assert seen(order=order).fact == BillLacks()
    done = apply(order, BillLacks(), at=AT).order
    assert (done.state, done.proven) == (S.REFUSED, True)
    assert seen(order=done).fact is None


def test_absence_at_midnight_needs_both_bills() -> None:
    """An order sent just before the cut may be paid behind it."""
    late = sent_order(S.UNKNOWN, sent_ms=END - 1_000)
    assert seen(order=late).fact is None
    next_day = replace(FRAME, day=AFTER, imported=frozenset({AFTER}))
    assert seen(order=late, frame=next_day).fact is None
    both = replace(next_day, imported=frozenset({DAY, AFTER}))
    assert seen(order=late, frame=both).fact == BillLacks()
    early = sent_order(S.UNKNOWN, sent_ms=END - PAY_LATEST_MS - 1)
    assert seen(order=early).fact == BillLacks()


def test_a_row_in_another_bill_is_no_absence() -> None:
    """Then that bill's own look captures it."""
    elsewhere = (Sighting(day=AFTER, row=pay(paid_at_ms=END + 1_000)),)
    assert seen(order=sent_order(S.UNKNOWN), frame=ALL, elsewhere=elsewhere).fact is None


def test_money_without_an_order_is_left_for_a_person() -> None:
    """LONG: it stands in differences, one action names the trade."""
    subject = seen(pay(), back(amount_fen=100), order=None)
    assert [each.what for each in subject.findings] == [C.LONG, C.LONG]
    assert all("merchant pages" in each.action for each in subject.findings)
    assert clearing(subject) == TOLL - 100
    foreign = seen(pay(), order=replace(paid_order(), platform="wechat"))
    assert one(foreign).what is C.LONG


def test_money_the_bill_lacks_is_left_for_a_person() -> None:
    """SHORT of a captured order: our claim on the platform shrinks until it is explained."""
    subject = seen(order=paid_order(), frame=ALL)
    assert one(subject).what is C.SHORT
    assert "ask the platform" in one(subject).action
    assert clearing(subject) == -TOLL
    assert subject.fact is None


def test_captured_and_given_back_and_in_no_bill_is_even() -> None:
    """Nothing is missing on either side."""
    subject = seen(order=paid_order(S.REFUNDED), frame=ALL)
    assert (one(subject).what, one(subject).action, clearing(subject)) == (C.SHORT, "", 0)


def test_another_amount_of_a_captured_order_is_left_for_a_person() -> None:
    """AMOUNT: the difference stands in differences."""
    subject = seen(pay(amount_fen=TOLL + 7), order=paid_order())
    assert (one(subject).what, clearing(subject)) == (C.AMOUNT, 7)
    assert subject.matches == ()


def test_a_second_trade_under_one_number_is_left_for_a_person() -> None:
    """DUP: the first is ours, the second one must be given back."""
    subject = seen(pay(), pay(line=9, provider_txn_id="T2"), order=paid_order())
    assert [each.key for each in subject.matches] == ["pay/T1"]
    assert (one(subject).what, one(subject).key, clearing(subject)) == (C.DUP, "pay/T2", TOLL)
    elsewhere = (Sighting(day=BEFORE, row=pay()),)
    later = seen(pay(line=9, provider_txn_id="T2"), order=paid_order(), elsewhere=elsewhere)
    assert one(later).what is C.DUP
    unknown = seen(
        pay(line=9, provider_txn_id="T2"),
        order=paid_order(provider_txn_id=None),
        elsewhere=(Sighting(day=BEFORE, row=pay(paid_at_ms=START - 1)),),
    )
    assert one(unknown).what is C.DUP


def test_another_trade_than_ours_is_left_for_a_person() -> None:
    """STATUS: one of two signed statements is wrong; the sum agrees."""
    subject = seen(pay(provider_txn_id="T2"), order=paid_order())
    assert (one(subject).what, clearing(subject)) == (C.STATUS, 0)


def test_a_payment_at_midnight_is_found_in_the_neighbour_bill() -> None:
    """DAY: our clock says one day, the platform's the other; it matches there and heals."""
    ours = paid_order(paid_at_ms=None, captured_ms=START + 2_000, proven=False)
    there = replace(FRAME, day=BEFORE, imported=frozenset({BEFORE, DAY}))
    row = pay(paid_at_ms=START - 1_000)
    first = seen(row, order=ours, frame=there)
    assert [each.key for each in first.matches] == ["pay/T1"]
    assert (one(first).what, one(first).action) == (C.DAY, "")
    assert first.fact is not None
    healed = apply(ours, first.fact, at=AT).order
    assert (healed.paid_at_ms, healed.proven) == (START - 1_000, True)
    here = replace(FRAME, imported=frozenset({BEFORE, DAY}))
    elsewhere = (Sighting(day=BEFORE, row=row),)
    assert seen(order=ours, frame=here, elsewhere=elsewhere) == Look()
    assert seen(order=healed, frame=here, elsewhere=elsewhere) == Look()


def test_a_payment_at_midnight_waits_for_the_neighbour_bill() -> None:
    """Without that bill nothing is missing yet; the action names it."""
    early = paid_order(paid_at_ms=None, captured_ms=START + 2_000)
    subject = seen(order=early)
    assert (one(subject).what, clearing(subject)) == (C.DAY, 0)
    assert BEFORE in one(subject).action
    late = paid_order(paid_at_ms=None, captured_ms=END - EDGE_MS)
    assert AFTER in one(seen(order=late)).action
    assert one(seen(order=early, frame=ALL)).what is C.SHORT


def test_an_order_of_another_day_is_not_looked_for() -> None:
    """Each capture is missed on its own day only."""
    assert seen(order=paid_order(paid_at_ms=START - 1), frame=ALL) == Look()
    assert seen(order=paid_order(paid_at_ms=None, captured_ms=None), frame=ALL) == Look()


# ---- refunds ----

BOOKED = (OurRefund(out_refund_no=REFUND_NO, amount_fen=TOLL, at_ms=NOON),)


def test_a_refund_both_sides_have_matches() -> None:
    """Payment and refund in one bill."""
    subject = seen(pay(), back(), order=paid_order(S.REFUNDED), refunds=BOOKED)
    assert len(subject.matches) == 2
    assert (subject.findings, clearing(subject)) == ((), 0)


@pytest.mark.parametrize("state", [S.REFUND_DUE, S.REFUNDING, S.REFUND_STUCK, S.MISMATCH])
def test_a_billed_refund_proves_it(state: OrderState) -> None:
    """STATUS heals: what was owed is given back, also behind a refund that was called stuck."""
    order = paid_order(state)
    elsewhere = (Sighting(day=BEFORE, row=pay(paid_at_ms=START - 1)),)
    first = seen(back(), order=order, elsewhere=elsewhere)
    assert (one(first).what, one(first).action) == (C.STATUS, "")
    assert isinstance(first.fact, BillShows)
    done = apply(order, first.fact, at=AT).order
    assert (done.state, done.refunded_fen) == (S.REFUNDED, TOLL)


def test_a_refund_on_its_way_matches_and_proves_nothing() -> None:
    """The platform took it from us; that the payer has it is for a query to prove."""
    processing = back(status=BillStatus.PROCESSING)
    subject = seen(pay(), processing, order=paid_order(S.REFUNDING))
    assert len(subject.matches) == 2
    assert (subject.findings, clearing(subject), subject.fact) == ((), 0, None)
    proven = seen(pay(), processing, order=paid_order(S.REFUNDED), refunds=BOOKED)
    assert clearing(proven) == 0


def test_a_refund_nobody_asked_for_is_left_for_a_person() -> None:
    """STATUS: a paid order was given back, in whole or in part."""
    subject = seen(pay(), back(amount_fen=300, out_refund_no="HAND1"), order=paid_order())
    assert (one(subject).what, clearing(subject)) == (C.STATUS, -300)
    assert "nobody here asked" in one(subject).action
    unpaid = seen(back(), order=sent_order(S.CLOSED))
    assert (one(unpaid).what, clearing(unpaid)) == (C.STATUS, -TOLL)


def test_a_failed_refund_that_we_booked_is_left_for_a_person() -> None:
    """The money is still there: our claim on the platform is larger than our books say."""
    failed = back(status=BillStatus.FAILED, fee_fen=-3)
    subject = seen(pay(), failed, order=paid_order(S.REFUNDED), refunds=BOOKED)
    assert (one(subject).what, clearing(subject)) == (C.STATUS, TOLL)
    assert seen(pay(), failed, order=paid_order(S.REFUNDING)).findings == ()


def test_another_refund_amount_is_left_for_a_person() -> None:
    """AMOUNT, as for payments."""
    subject = seen(pay(), back(amount_fen=TOLL - 1), order=paid_order(S.REFUNDED), refunds=BOOKED)
    assert (one(subject).what, clearing(subject)) == (C.AMOUNT, 1)


def test_a_refund_no_bill_has_is_left_for_a_person() -> None:
    """SHORT, once all bills between payment and booking are here; until then it waits."""
    order = paid_order(S.REFUNDED, paid_at_ms=START - 1)
    elsewhere = (Sighting(day=BEFORE, row=pay(paid_at_ms=START - 1)),)
    waits = seen(order=order, refunds=BOOKED, elsewhere=elsewhere)
    assert (one(waits).what, clearing(waits)) == (C.DAY, 0)
    assert BEFORE in one(waits).action
    missing = seen(order=order, refunds=BOOKED, elsewhere=elsewhere, frame=ALL)
    assert (one(missing).what, clearing(missing)) == (C.SHORT, TOLL)
    listed = (*elsewhere, Sighting(day=BEFORE, row=back()))
    assert seen(order=order, refunds=BOOKED, elsewhere=listed, frame=ALL) == Look()


def test_a_looked_at_number_does_not_change_by_looking_again() -> None:
    """The same input gives the same findings and postings."""
    known = Known(number=NUMBER, rows=(pay(fee_fen=9), back()), order=paid_order())
    assert look(known, ALL) == look(known, ALL)


def test_a_lying_bill_fact_is_an_alarm_not_a_move() -> None:
    """A captured order is never closed for lacking in a bill."""
    done = apply(paid_order(), BillLacks(), at=AT)
    assert (done.verdict, done.order.state) == (Verdict.ILLEGAL, S.PAID)
    assert done.difference is not None
    shown = BillShows(outcome=Paid(captured_fen=TOLL + 1, provider_txn_id="T1", paid_at_ms=NOON))
    said = apply(paid_order(), shown, at=AT)
    assert said.difference is not None
    assert said.difference.said_fen == TOLL + 1


CLAIM = OurRefund(out_refund_no=f"{NUMBER}R02", amount_fen=300, at_ms=NOON)


def test_a_claims_refund_matches_by_its_number() -> None:
    """A paid order given back in part: booked, or approved and under way."""
    row = back(amount_fen=300, out_refund_no=f"{NUMBER}R02")
    for claim in (CLAIM, replace(CLAIM, booked=False)):
        subject = seen(pay(), row, order=paid_order(), refunds=(claim,))
        assert len(subject.matches) == 2
        assert (subject.findings, subject.postings, subject.fact) == ((), (), None)
    other = seen(pay(), replace(row, amount_fen=301), order=paid_order(), refunds=(CLAIM,))
    assert (one(other).what, clearing(other)) == (C.AMOUNT, -1)
    failed = replace(row, status=BillStatus.FAILED)
    under_way = (replace(CLAIM, booked=False),)
    assert seen(pay(), failed, order=paid_order(), refunds=under_way).findings == ()


def test_a_claim_under_way_is_not_missed() -> None:
    """Only what our books hold as given back must be in a bill."""
    under_way = (replace(CLAIM, booked=False),)
    assert seen(pay(), order=paid_order(), refunds=under_way, frame=ALL).findings == ()
    assert one(seen(pay(), order=paid_order(), refunds=(CLAIM,), frame=ALL)).what is C.SHORT


def test_a_movement_in_two_bills_counts_once() -> None:
    """DUP: the later bill's row is set aside, its fee too."""
    elsewhere = (Sighting(day=BEFORE, row=pay()),)
    subject = seen(pay(), order=paid_order(), elsewhere=elsewhere)
    assert (one(subject).what, clearing(subject)) == (C.DUP, TOLL)
    assert BEFORE in one(subject).action
    earlier = (Sighting(day=AFTER, row=pay()),)
    assert seen(pay(), order=paid_order(), elsewhere=earlier).findings == ()


def test_a_row_of_no_money_captures_nothing() -> None:
    """It matches, and proves neither payment nor absence."""
    order = sent_order(S.UNKNOWN)
    subject = seen(pay(amount_fen=0), order=order)
    assert len(subject.matches) == 1
    assert (subject.findings, subject.fact) == ((), None)
    shown = BillShows(outcome=Paid(captured_fen=0, provider_txn_id="T1", paid_at_ms=NOON))
    assert apply(order_in(S.SENT), shown, at=AT).order.state is S.UNKNOWN
