"""The ledger: immutable transfers between the accounts of the chart.

Strategy. A transfer moves one amount from one account to another and is never changed; which kinds
of accounts it may join stands in a table (ledger_accounts.py). Sending pay writes a *pending*
transfer clearing -> suspense; a later row posts or voids it, so an unknown order stays pending in
the books too. Balances are sums of posted rows and are stored nowhere. Ids follow from what the
transfer is about, so the same fact can never be booked twice. Rows are chained (ledger_chain.py)
where they are written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from plaza_server.rules.ledger_accounts import (
    ETC,
    REFUND_DUE,
    SUSPENSE,
    cash_lane,
    clearing,
    is_account,
    may_transfer,
    revenue,
)
from tolling.evolve import quick
from tolling.ids import OutTradeNo
from tolling.money import MAX_FEN
from tolling.records import Leg, Tender


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


@quick
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
        assert may_transfer(self.debit, self.credit), "no transfer goes between such accounts"
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


def to_revenue(order: OutTradeNo, platform: str, payee: str, amount_fen: int) -> Transfer:
    """Return suspense -> revenue: the passage's record names this order."""
    return Transfer(
        transfer_id=f"{order}/revenue",
        kind=TransferKind.POSTED,
        debit=SUSPENSE,
        credit=revenue(platform, payee),
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


LOCAL_TENDERS = frozenset({Tender.CASH, Tender.ETC})
"""Tenders no platform captures: the record alone books their legs."""


def leg_id(place: str, number: int) -> str:
    """Return the id of the transfer of leg *number* (from 1) of the record at *place*."""
    return f"{place}/leg/{number}"


def leg_to_revenue(place: str, number: int, leg: Leg, *, lane: str, payee: str) -> Transfer:
    """Return drawer or ETC -> revenue for a leg of the record at *place* (lane/epoch/seq).

    Args:   number: which leg of the record it is, from 1.
    """
    assert leg.tender in LOCAL_TENDERS
    return Transfer(
        transfer_id=leg_id(place, number),
        kind=TransferKind.POSTED,
        debit=cash_lane(lane) if leg.tender is Tender.CASH else ETC,
        credit=revenue(leg.tender.value, payee),
        amount_fen=leg.amount_fen,
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
