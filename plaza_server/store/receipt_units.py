"""Units of work about receipts: built with their record, moved through their life."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from plaza_server.rules.claims import ClaimState
from plaza_server.rules.orders import RecordMark
from plaza_server.rules.receipts import (
    MOVES,
    MoveReceipt,
    ReceiptEvent,
    ReceiptMoved,
    ReceiptState,
    ReceiptStep,
    ReceiptVerdict,
    ReceiptView,
    RefundLine,
    RefundProgress,
    verdict_of,
)
from plaza_server.store import tables as t
from plaza_server.store.claim_units import claims_of
from plaza_server.store.receipt_tables import receipt_events, receipts
from plaza_server.store.work import Work
from tolling.canonical import from_canonical
from tolling.chain import SealedRecord
from tolling.ids import PassageId
from tolling.orders import OrderState
from tolling.receipts import Receipt, SignedReceipt, receipt_bytes, receipt_of
from tolling.records import PassageRecord

_UNDER_WAY = frozenset(
    state.value
    for state in (
        OrderState.REFUND_DUE,
        OrderState.REFUNDING,
        OrderState.MISMATCH,
        OrderState.REFUND_STUCK,
    )
)
"""Orders whose capture goes back, sooner or later; a stuck one by hand."""
_REFUND_NOTE = "the whole toll was given back"


def issue(
    work: Work, sealed: SealedRecord, record: PassageRecord, *, payee: str, now_ms: int
) -> None:
    """Keep the receipt of a record that is being taken, where it was paid for.

    Not signed here: a signature is two scalar multiplications for every car, and most receipts are
    never asked for. It is made at the first delivery and then kept.
    """
    receipt = receipt_of(sealed, record, payee=payee, issued_ms=now_ms)
    if receipt is not None:
        row = {
            "receipt_no": receipt.receipt_no,
            "content": receipt_bytes(receipt).decode("utf-8"),
            "issued_ms": now_ms,
        }
        work.add(receipts, row)


def move_receipt(work: Work, unit: MoveReceipt) -> ReceiptMoved | None:
    """Tell a receipt what happened; a refund of the whole toll is noted before it."""
    view = receipt_view(work.connection, unit.receipt_no)
    if view is None:
        return None
    if view.refunded_whole and view.state is not ReceiptState.VOIDED:
        _append(work, view, ReceiptEvent.REFUND, who="", why=_REFUND_NOTE, now_ms=unit.now_ms)
        view = receipt_view(work.connection, unit.receipt_no)
        assert view is not None, "it was there a moment ago"
    verdict = verdict_of(view.state, unit.event)
    # A voided receipt may still be handed out for the first time, as what it is: it is signed too.
    first = unit.event is ReceiptEvent.DELIVER and view.signed is None
    if verdict is ReceiptVerdict.MOVED or first:
        _append(
            work,
            view,
            unit.event,
            who=unit.who,
            why=unit.why,
            now_ms=unit.now_ms,
            signed=unit.signed,
        )
        view = receipt_view(work.connection, unit.receipt_no)
        assert view is not None, "it was there a moment ago"
    return ReceiptMoved(verdict=verdict, view=view)


def _append(
    work: Work,
    view: ReceiptView,
    event: ReceiptEvent,
    *,
    who: str,
    why: str,
    now_ms: int,
    signed: SignedReceipt | None = None,
) -> None:
    """Add one step; the version makes two processes that do it at once meet."""
    work.connection.execute(
        receipt_events.insert(),
        {
            "receipt_no": view.receipt.receipt_no,
            "version": len(view.steps) + 1,
            "event": event.value,
            "from_state": view.state.value,
            "to_state": MOVES.get((view.state, event), view.state).value,
            "who": who,
            "why": why,
            "key_id": None if signed is None else signed.key_id,
            "signature": None if signed is None else signed.signature,
            "wall_ms": now_ms,
        },
    )


# ---- reading ----


def receipt_view(connection: sa.Connection, number: PassageId) -> ReceiptView | None:
    """Return a receipt with its history and what was given back of it."""
    found = connection.execute(
        sa.select(receipts.c.content).where(receipts.c.receipt_no == number)
    ).scalar_one_or_none()
    if found is None:
        return None
    receipt = from_canonical(Receipt, found.encode("utf-8"))
    assert isinstance(receipt, Receipt)
    c = receipt_events.c
    query = sa.select(receipt_events).where(c.receipt_no == number).order_by(c.version)
    rows = connection.execute(query).mappings().all()
    return ReceiptView(
        receipt=receipt,
        content=found,
        state=ReceiptState(rows[-1]["to_state"]) if rows else ReceiptState.ISSUED,
        signed=_signed(found, rows),
        steps=tuple(_step(row) for row in rows),
        refunds=tuple(line for source in REFUND_SOURCES for line in source(connection, number)),
    )


def _step(row: sa.RowMapping) -> ReceiptStep:
    return ReceiptStep(
        event=ReceiptEvent(row["event"]),
        to_state=ReceiptState(row["to_state"]),
        who=row["who"],
        why=row["why"],
        wall_ms=row["wall_ms"],
    )


def _signed(content: str, rows: Sequence[sa.RowMapping]) -> SignedReceipt | None:
    for row in rows:
        if row["signature"] is not None:
            return SignedReceipt(content=content, key_id=row["key_id"], signature=row["signature"])
    return None


def order_refunds(connection: sa.Connection, number: PassageId) -> tuple[RefundLine, ...]:
    """Return the refunds of a passage's orders: of the toll where its record names the order, else
    of a payment that was one too many."""
    c = t.orders.c
    query = sa.select(c.platform, c.state, c.record, c.captured_fen, c.refunded_fen)
    query = query.where(c.passage_id == number, c.captured_fen > 0).order_by(c.out_trade_no)
    lines = []
    for platform, state, record, captured_fen, refunded_fen in connection.execute(query):
        of_toll = record == RecordMark.NAMED.value
        if refunded_fen:
            done = RefundProgress.DONE
            lines.append(_line(platform, refunded_fen, done, of_toll=of_toll))
        if state in _UNDER_WAY and captured_fen > refunded_fen:
            left_fen = captured_fen - refunded_fen
            lines.append(_line(platform, left_fen, RefundProgress.UNDER_WAY, of_toll=of_toll))
    return tuple(lines)


_CLAIMED = {
    ClaimState.ASKED: RefundProgress.ASKED,
    ClaimState.APPROVED: RefundProgress.UNDER_WAY,
    ClaimState.SENDING: RefundProgress.UNDER_WAY,
    ClaimState.STUCK: RefundProgress.UNDER_WAY,
    ClaimState.REFUNDED: RefundProgress.DONE,
    ClaimState.PAID_OUT: RefundProgress.DONE,
    ClaimState.REFUSED: RefundProgress.REFUSED,
}


def claim_refunds(connection: sa.Connection, number: PassageId) -> tuple[RefundLine, ...]:
    """Return the claims of a passage: money given back of its toll because somebody asked."""
    return tuple(
        _line(each.platform or "cash", each.amount_fen, _CLAIMED[each.state], of_toll=True)
        for each in claims_of(connection, number)
    )


def _line(tender: str, amount_fen: int, progress: RefundProgress, *, of_toll: bool) -> RefundLine:
    return RefundLine(tender=tender, amount_fen=amount_fen, progress=progress, of_toll=of_toll)


REFUND_SOURCES: tuple[Callable[[sa.Connection, PassageId], tuple[RefundLine, ...]], ...] = (
    order_refunds,
    claim_refunds,
)
"""Who knows of refunds of a passage. A source tells only of money no other source tells of."""
