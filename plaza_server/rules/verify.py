"""What stored rows must say for the books to be right: one row, one order, one record. Pure.

Strategy. The judges take rows as the database gives them, not values: a value could not hold what a
row may say after somebody changed it. Each returns the first thing that is wrong, or None. What an
order's transfers must be follows from the order alone, so they are compared whole: a row too many,
too few or other than it should be shows. ``store/verify.py`` walks the tables and asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plaza_server.rules.ledger import MOVING, Transfer, TransferKind
from plaza_server.rules.ledger_accounts import (
    REFUND_DUE,
    SUSPENSE,
    clearing,
    is_account,
    may_transfer,
    revenue,
)
from plaza_server.rules.ledger_chain import StreamHead, row_hash
from tolling.money import MAX_FEN
from tolling.orders import CAPTURED_STATES, OrderState

Row = Mapping[str, Any]
Wrong = tuple[str, str]
"""Key of the row that is wrong, and what is wrong with it."""
_KINDS = frozenset(kind.value for kind in TransferKind)
_MOVING = frozenset(kind.value for kind in MOVING)
_CAPTURED = frozenset(state.value for state in CAPTURED_STATES)
_PAID = OrderState.PAID.value


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """The first thing found that must not be."""

    rule: str
    """M1, M4, M5, M6 or M7 of the design."""
    table: str
    key: str
    what: str


# ---- one transfer ----


def judge_transfer(row: Row) -> str | None:
    """Return what is wrong with one row of ``transfers`` by itself."""
    if row["kind"] not in _KINDS:
        return f"no kind of transfer is called {row['kind']}"
    if not 0 < row["amount_fen"] < MAX_FEN:
        return f"moves {row['amount_fen']} fen"
    for side in ("debit", "credit"):
        if not is_account(row[side]):
            return f"{side} account {row[side]} is not in the chart"
    if not may_transfer(row["debit"], row["credit"]):
        return f"no transfer goes from {row['debit']} to {row['credit']}"
    ends = row["kind"] in {TransferKind.POST.value, TransferKind.VOID.value}
    if ends and row["pending_id"] is None:
        return "ends a pending transfer and does not say which"
    if not ends and row["pending_id"] is not None:
        return "names a pending transfer and does not end it"
    return None


def judge_link(head: StreamHead, row: Row) -> str | None:
    """Return what is wrong with *row* as the next one of its stream behind *head*."""
    if row["stream_no"] != head.next_no:
        return f"number {row['stream_no']} of its stream follows number {head.next_no - 1}"
    if row_hash(head.head_hash, row) != row["chain_hash"]:
        return "its hash does not fit it and the row before it"
    return None


def head_after(row: Row) -> StreamHead:
    """Return the head of a stream that ends with *row*."""
    return StreamHead(next_no=row["stream_no"] + 1, head_hash=row["chain_hash"])


# ---- one order ----


def judge_order(order: Row, transfers: Sequence[Row]) -> Wrong | None:
    """Return the first of an order's own transfers that is wrong, missing or too many.

    Args:   order: a row of ``orders``. transfers: those about its capture, revenue and refund.
    """
    number = order["out_trade_no"]
    there = {row["transfer_id"]: row for row in transfers}
    wanted = _transfers_of(order, there)
    for name, should in wanted.items():
        row = there.pop(name, None)
        if row is None:
            return number, f"transfer {name} is missing"
        wrong = _differs(row, should)
        if wrong is not None:
            return name, wrong
    if there:
        name = min(there)
        return name, f"its order is {order['state']} and does not call for it"
    if order["pending"] and order["state"] in _CAPTURED:
        return number, "is captured, and its pending transfer stands"
    held = order["captured_fen"], order["refunded_fen"]
    if (held[0] > 0) != (order["state"] in _CAPTURED):
        return number, f"is {order['state']} with {held[0]} fen captured"
    whole = order["captured_fen"] if order["state"] == OrderState.REFUNDED.value else 0
    if order["refunded_fen"] != whole:
        return number, f"is {order['state']} with {held[1]} of {held[0]} fen given back"
    return None


@dataclass(frozen=True, slots=True)
class _Should:
    kind: TransferKind
    debit: str
    credit: str
    amount_fen: int
    pending_id: str | None = None


def _transfers_of(order: Row, there: Mapping[str, Row]) -> dict[str, _Should]:
    """Return the transfers an order must have, by id."""
    number, captured = order["out_trade_no"], order["captured_fen"]
    if order["sent_ms"] is None:
        return {}
    held = clearing(order["platform"])
    opening, end, direct = (f"{number}/capture{part}" for part in ("", "/end", "/direct"))
    wanted = {opening: _Should(TransferKind.PENDING, held, SUSPENSE, order["toll_fen"])}
    if not order["pending"]:
        posted = captured == order["toll_fen"] and direct not in there
        kind = TransferKind.POST if posted else TransferKind.VOID
        wanted[end] = _Should(kind, held, SUSPENSE, order["toll_fen"], opening)
        if captured > 0 and not posted:
            wanted[direct] = _Should(TransferKind.POSTED, held, SUSPENSE, captured)
    if order["state"] == _PAID and order["record"] == "named":
        earned = revenue(order["platform"], order["payee"])
        wanted[f"{number}/revenue"] = _Should(TransferKind.POSTED, SUSPENSE, earned, captured)
    elif order["state"] in _CAPTURED and order["state"] != _PAID:
        owed = _Should(TransferKind.POSTED, SUSPENSE, REFUND_DUE, captured)
        wanted[f"{number}/refund_due"] = owed
        if order["state"] == OrderState.REFUNDED.value:
            wanted[f"{number}/refund"] = _Should(TransferKind.POSTED, REFUND_DUE, held, captured)
    return wanted


def _differs(row: Row, should: _Should) -> str | None:
    for name in ("kind", "debit", "credit", "amount_fen", "pending_id"):
        wanted = getattr(should, name)
        if row[name] != wanted:
            return f"{name} is {row[name]}, its order says {wanted}"
    return None


# ---- one record ----


def judge_legs(
    legs: Sequence[Transfer], named: Mapping[str, int], booked: Mapping[str, Row]
) -> Wrong | None:
    """Return the first leg of a record that is not booked as it should be.

    Args:   legs: the transfers its cash, ETC and coupon legs call for.
            named: order number -> amount of its phone legs whose capture is revenue.
            booked: the rows of ``transfers`` with those ids, and with ``<order>/revenue``.
    """
    for leg in legs:
        row = booked.get(leg.transfer_id)
        if row is None:
            return leg.transfer_id, "the record has this leg, and no transfer books it"
        if row["kind"] not in _MOVING:
            return leg.transfer_id, "the record has this leg, and its transfer moves nothing"
        accounts = row["debit"], row["credit"].rpartition(":")[0], row["amount_fen"]
        if accounts != (leg.debit, leg.credit.rpartition(":")[0], leg.amount_fen):
            return leg.transfer_id, f"books {accounts[2]} fen on {accounts[0]}, its leg differs"
    for number, amount_fen in named.items():
        row = booked.get(f"{number}/revenue")
        if row is None:
            return number, "a record names it, and its capture is not revenue"
        if row["amount_fen"] != amount_fen:
            what = f"books {row['amount_fen']} fen, the record says {amount_fen}"
            return row["transfer_id"], what
    return None
