"""Part of M5: where every fen rests when all is over, by the sums of what was posted.

A sealed record alone says how a passage was settled (design.md section 4): what it names is
revenue, every other capture is due or given back. Money stays in suspense for one reason only, that
nobody has read the record of its passage: it is not at the plaza, or is kept there unread. The sums
are made here, from the platforms' books, the records' bytes and the transfers' rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from simulator.auditor.evidence import AuditedRecord, AuditedTransfer, Evidence

PENDING = "pending"
OPEN = frozenset({"created", "sent", "waiting", "unknown", "closing"})
"""States of an order that M2 does not let rest."""
MOVING = frozenset({"posted", "post"})
"""Kinds of transfers that move their amount."""
SUSPENSE = "suspense"
REFUND_DUE = "refund_due"
PASSAGE_DIGITS = 21
"""An order's number begins with its passage's."""
Bodies = Sequence[tuple[AuditedRecord, dict[str, Any]]]


def m5_rest(
    seen: Evidence, records: Iterator[tuple[AuditedRecord, dict[str, Any]]]
) -> Iterator[str]:
    """Yield every sum of money that rests where no record and no book of a platform puts it."""
    if not seen.at_rest:
        return
    read = [
        (record, body)
        for record, body in records
        if (record.lane_id, record.epoch, record.seq) not in seen.unread
    ]
    moved = [transfer for transfer in seen.transfers if transfer.kind in MOVING]
    yield from _undecided(seen)
    yield from _payees(moved)
    yield from _earned(read, moved)
    yield from _suspended(read, moved)
    yield from _drawers(read, moved)
    yield from _platforms(seen, moved)


def _undecided(seen: Evidence) -> Iterator[str]:
    """Yield captures that are still pending though their order is decided. A tag's or a coupon's
    may wait for a person: those are of no order."""
    ended = {transfer.pending_id for transfer in seen.transfers}
    states = {order.out_trade_no: order.state for order in seen.orders}
    for transfer in seen.transfers:
        number, waits = transfer.out_trade_no, transfer.kind == PENDING
        if waits and number is not None and transfer.transfer_id not in ended:
            state = states.get(number, "no order at all")
            if state not in OPEN:
                yield f"order {number}: its capture is pending still, and it is {state}"


def _payees(moved: Sequence[AuditedTransfer]) -> Iterator[str]:
    """Yield where one plaza's tolls were earned by more than one payee."""
    revenue = [t.credit for t in moved if t.credit.startswith("revenue:")]
    payees = sorted({account.rpartition(":")[2] for account in revenue})
    if len(payees) > 1:
        yield f"revenue is booked to several payees: {', '.join(payees)}"


def _legs(read: Bodies) -> Iterator[tuple[str, str, int]]:
    """Yield order, tender and fen of every leg an order stands for."""
    for _, body in read:
        for leg in body.get("legs", []):
            if leg.get("out_trade_no") is not None:
                yield leg["out_trade_no"], leg["tender"], leg["amount_fen"]


def _earned(read: Bodies, moved: Sequence[AuditedTransfer]) -> Iterator[str]:
    """Yield orders whose revenue is not what the record of their passage names."""
    named: Counter[tuple[str, str]] = Counter()
    for number, tender, fen in _legs(read):
        named[number, tender] += fen
    earned: Counter[tuple[str, str]] = Counter()
    for transfer in moved:
        kind, _, rest = transfer.credit.partition(":")
        if kind == "revenue" and transfer.debit == SUSPENSE and transfer.out_trade_no is not None:
            earned[transfer.out_trade_no, rest.partition(":")[0]] += transfer.amount_fen
    for number, tender in sorted(named.keys() | earned.keys()):
        said, booked = named[number, tender], earned[number, tender]
        if said != booked:
            yield f"order {number}: records name {said} fen of {tender}, the ledger earned {booked}"


def _suspended(read: Bodies, moved: Sequence[AuditedTransfer]) -> Iterator[str]:
    """Yield orders with money in suspense though the record of their passage is read, and money
    there that no order stands for."""
    held: Counter[str | None] = Counter()
    for transfer in moved:
        if transfer.credit == SUSPENSE:
            held[transfer.out_trade_no] += transfer.amount_fen
        elif transfer.debit == SUSPENSE:
            held[transfer.out_trade_no] -= transfer.amount_fen
    settled = {number for number, _, _ in _legs(read)}
    passages = {str(body.get("passage_id")) for _, body in read}
    if held.pop(None, 0):
        yield "suspense holds money of no order"
    for number, fen in held.items():
        assert number is not None
        awaited = number not in settled and number[:PASSAGE_DIGITS] not in passages
        if fen and (fen < 0 or not awaited):
            yield f"order {number}: {fen} fen rest in suspense, and its passage is settled"


def _drawers(read: Bodies, moved: Sequence[AuditedTransfer]) -> Iterator[str]:
    """Yield lanes whose records name other cash than was booked into their drawer as revenue."""
    named: Counter[str] = Counter()
    for record, body in read:
        cash = (leg for leg in body.get("legs", []) if leg["tender"] == "cash")
        named[record.lane_id] += sum(leg["amount_fen"] for leg in cash)
    booked: Counter[str] = Counter()
    for transfer in moved:
        account, _, lane = transfer.debit.partition(":")
        if account == "cash_lane" and transfer.credit.startswith("revenue:cash:"):
            booked[lane] += transfer.amount_fen
    for lane in sorted(named.keys() | booked.keys()):
        if named[lane] != booked[lane]:
            yield f"lane {lane}: records name {named[lane]} fen of cash, booked are {booked[lane]}"


def _platforms(seen: Evidence, moved: Sequence[AuditedTransfer]) -> Iterator[str]:
    """Yield platforms that hold another sum for us than captures and refunds were booked. What a
    bill makes of it stands in accounts of its own."""
    books: Counter[str] = Counter()
    for trade in seen.trades:
        books[trade.platform] += trade.captured_fen - trade.refunded_fen
    booked: Counter[str] = Counter()
    for transfer in moved:
        if transfer.credit == SUSPENSE and transfer.debit.startswith("clearing:"):
            booked[transfer.debit.partition(":")[2]] += transfer.amount_fen
        elif transfer.debit == REFUND_DUE and transfer.credit.startswith("clearing:"):
            booked[transfer.credit.partition(":")[2]] -= transfer.amount_fen
    for name in sorted(books.keys() | booked.keys()):
        if books[name] != booked[name]:
            yield f"{name} holds {books[name]} fen for us, the ledger says {booked[name]}"
