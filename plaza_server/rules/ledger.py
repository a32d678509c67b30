"""The ledger: a chart of accounts and immutable transfers between them.

Strategy. A transfer moves one amount from one account to another and is never changed. Sending pay
writes a *pending* transfer clearing -> suspense; a later row posts or voids it, so an unknown order
stays pending in the books too. Balances are sums of posted rows and are stored nowhere. Ids follow
from what the transfer is about, so the same fact can never be booked twice.

    clearing:<platform>  what a platform holds for us (asset; debited by captures)
    suspense             captured, and no record has said yet for which passage
    refund_due           captured, and to be given back
    revenue              tolls earned: only a sealed record leads here
    cash, etc            what drawers hold, what ETC issuers owe
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from tolling.ids import OutTradeNo
from tolling.money import MAX_FEN

SUSPENSE = "suspense"
REFUND_DUE = "refund_due"
REVENUE = "revenue"
CASH = "cash"
ETC = "etc"
_CLEARING = "clearing:"


def clearing(platform: str) -> str:
    """Return the account of what *platform* holds for us."""
    assert platform, "a tombstone moves no money"
    return f"{_CLEARING}{platform}"


def is_account(name: str) -> bool:
    """Return whether *name* is an account of the chart."""
    return name in {SUSPENSE, REFUND_DUE, REVENUE, CASH, ETC} or (
        name.startswith(_CLEARING) and len(name) > len(_CLEARING)
    )


class TransferKind(StrEnum):
    """What a row does."""

    POSTED = "posted"
    """Moves its amount at once."""
    PENDING = "pending"
    """Reserves its amount; moves nothing."""
    POST = "post"
    """Moves the whole amount of an earlier pending row."""
    VOID = "void"
    """Ends an earlier pending row; moves nothing."""


MOVING = frozenset({TransferKind.POSTED, TransferKind.POST})
"""Kinds that count in balances."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One immutable row: debits one account and credits another with one amount."""

    transfer_id: str
    """Unique for ever, built from what it is about."""
    kind: TransferKind
    debit: str
    credit: str
    amount_fen: int
    """1 and up."""
    out_trade_no: OutTradeNo | None
    """The order it is about; None for cash and ETC legs."""
    pending_id: str | None = None
    """Of POST and VOID: the pending row they end."""

    def __post_init__(self) -> None:
        assert 0 < self.amount_fen < MAX_FEN, "a transfer moves money"
        assert is_account(self.debit), "no such account"
        assert is_account(self.credit), "no such account"
        assert self.debit != self.credit, "a transfer goes from one account to another"
        ends = self.kind in {TransferKind.POST, TransferKind.VOID}
        assert ends == (self.pending_id is not None), "post and void name their pending row"


def capture_pending(order: OutTradeNo, platform: str, amount_fen: int) -> Transfer:
    """Return the row written before pay is sent."""
    return Transfer(
        transfer_id=f"{order}/capture",
        kind=TransferKind.PENDING,
        debit=clearing(platform),
        credit=SUSPENSE,
        amount_fen=amount_fen,
        out_trade_no=order,
    )


def capture_end(order: OutTradeNo, platform: str, amount_fen: int, *, post: bool) -> Transfer:
    """Return the row that posts (the platform captured it) or voids the pending one, whole."""
    return Transfer(
        transfer_id=f"{order}/capture/end",
        kind=TransferKind.POST if post else TransferKind.VOID,
        debit=clearing(platform),
        credit=SUSPENSE,
        amount_fen=amount_fen,
        out_trade_no=order,
        pending_id=f"{order}/capture",
    )


def capture_direct(order: OutTradeNo, platform: str, amount_fen: int) -> Transfer:
    """Return the capture of another amount, or of an order whose pending row was voided before."""
    return Transfer(
        transfer_id=f"{order}/capture/direct",
        kind=TransferKind.POSTED,
        debit=clearing(platform),
        credit=SUSPENSE,
        amount_fen=amount_fen,
        out_trade_no=order,
    )


def to_revenue(order: OutTradeNo, amount_fen: int) -> Transfer:
    """Return suspense -> revenue: the passage's record names this order."""
    return Transfer(
        transfer_id=f"{order}/revenue",
        kind=TransferKind.POSTED,
        debit=SUSPENSE,
        credit=REVENUE,
        amount_fen=amount_fen,
        out_trade_no=order,
    )


def to_refund_due(order: OutTradeNo, amount_fen: int) -> Transfer:
    """Return suspense -> refund_due: no record names this capture."""
    return Transfer(
        transfer_id=f"{order}/refund_due",
        kind=TransferKind.POSTED,
        debit=SUSPENSE,
        credit=REFUND_DUE,
        amount_fen=amount_fen,
        out_trade_no=order,
    )


def refund_made(order: OutTradeNo, platform: str, amount_fen: int) -> Transfer:
    """Return refund_due -> clearing: the platform gave it back, proven. Once per order: refunds are
    whole."""
    return Transfer(
        transfer_id=f"{order}/refund",
        kind=TransferKind.POSTED,
        debit=REFUND_DUE,
        credit=clearing(platform),
        amount_fen=amount_fen,
        out_trade_no=order,
    )


def leg_to_revenue(place: str, number: int, account: str, amount_fen: int) -> Transfer:
    """Return cash or ETC -> revenue for leg *number* of the record at *place* (lane/epoch/seq)."""
    assert account in {CASH, ETC}
    return Transfer(
        transfer_id=f"{place}/leg/{number}",
        kind=TransferKind.POSTED,
        debit=account,
        credit=REVENUE,
        amount_fen=amount_fen,
        out_trade_no=None,
    )


def balances(transfers: Iterable[Transfer]) -> dict[str, int]:
    """Return debit less credit of every account, in fen: the sum of what was posted, nothing
    else."""
    sums: dict[str, int] = {}
    for transfer in transfers:
        if transfer.kind in MOVING:
            sums[transfer.debit] = sums.get(transfer.debit, 0) + transfer.amount_fen
            sums[transfer.credit] = sums.get(transfer.credit, 0) - transfer.amount_fen
    return sums
