"""The life of a receipt, as a table."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from plaza_server.rules.receipts import (
    MOVES,
    SAME,
    MoveReceipt,
    ReceiptEvent,
    ReceiptState,
    ReceiptStep,
    ReceiptVerdict,
    ReceiptView,
    RefundLine,
    RefundProgress,
    verdict_of,
)
from tests.tolling.test_receipts import made, signed

S, E, V = ReceiptState, ReceiptEvent, ReceiptVerdict


def line(
    amount_fen: int, *, progress: RefundProgress = RefundProgress.DONE, of_toll: bool = True
) -> RefundLine:
    """Return one refund."""
    return RefundLine(tender="cash", amount_fen=amount_fen, progress=progress, of_toll=of_toll)


# state, event -> verdict, state after
ROWS = [
    (S.ISSUED, E.DELIVER, V.MOVED, S.DELIVERED),
    (S.ISSUED, E.REIMBURSE, V.REFUSED, None),
    (S.ISSUED, E.VOID, V.MOVED, S.VOIDED),
    (S.ISSUED, E.REFUND, V.MOVED, S.VOIDED),
    (S.DELIVERED, E.DELIVER, V.SAME, None),
    (S.DELIVERED, E.REIMBURSE, V.MOVED, S.REIMBURSED),
    (S.DELIVERED, E.VOID, V.MOVED, S.VOIDED),
    (S.DELIVERED, E.REFUND, V.MOVED, S.VOIDED),
    (S.REIMBURSED, E.DELIVER, V.SAME, None),
    (S.REIMBURSED, E.REIMBURSE, V.REFUSED, None),
    (S.REIMBURSED, E.VOID, V.REFUSED, None),
    (S.REIMBURSED, E.REFUND, V.MOVED, S.VOIDED),
    (S.VOIDED, E.DELIVER, V.SAME, None),
    (S.VOIDED, E.REIMBURSE, V.REFUSED, None),
    (S.VOIDED, E.VOID, V.REFUSED, None),
    (S.VOIDED, E.REFUND, V.SAME, None),
]


@pytest.mark.parametrize(("state", "event", "verdict", "after"), ROWS)
def test_every_pair_has_its_verdict(
    state: ReceiptState, event: ReceiptEvent, verdict: ReceiptVerdict, after: ReceiptState | None
) -> None:
    """Each state with each event."""
    assert verdict_of(state, event) is verdict
    assert MOVES.get((state, event)) is after


def test_the_table_is_whole_and_says_one_thing_of_each_pair() -> None:
    """Every pair is a row above; none both moves and stays."""
    assert {(state, event) for state, event, _, _ in ROWS} == set(itertools.product(S, E))
    assert not SAME & set(MOVES)


def test_a_view_knows_its_last_steps_and_what_is_left() -> None:
    """Of one kind, the newest."""
    steps = tuple(
        ReceiptStep(event=event, to_state=state, who=who, why="", wall_ms=number)
        for number, (event, state, who) in enumerate(
            ((E.DELIVER, S.DELIVERED, ""), (E.REIMBURSE, S.REIMBURSED, "ann"))
        )
    )
    receipt = made()
    view = ReceiptView(
        receipt=receipt,
        content="",
        state=S.REIMBURSED,
        signed=None,
        steps=steps,
        refunds=(
            line(receipt.toll_fen - 1),
            line(500, progress=RefundProgress.UNDER_WAY),
            line(700, of_toll=False),
        ),
    )
    assert view.last(E.REIMBURSE) == steps[1]
    assert view.last(E.VOID) is None
    assert not view.refunded_whole
    assert view.refunded_fen == receipt.toll_fen - 1
    assert replace(view, refunds=(*view.refunds, line(1))).refunded_whole


def test_a_delivery_is_signed_and_nothing_else_is() -> None:
    """By whoever makes the unit, never in the commit."""
    fields = {"receipt_no": made().receipt_no, "who": "", "why": "", "now_ms": 1}
    with pytest.raises(AssertionError):
        MoveReceipt(event=E.DELIVER, **fields)  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        MoveReceipt(event=E.VOID, signed=signed(), **fields)  # type: ignore[arg-type]
