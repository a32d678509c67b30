"""Units of work about bills: an import is one unit, a reconciliation a run of short ones.

A reconciliation looks at every number of a bill and of our books for that day, some hundred at a
time, so that payments behind it never wait long for the store. Every unit can be run again: what is
stored already is not stored twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from plaza_server.rules.bills import Bill
from plaza_server.rules.ledger import Transfer, TransferKind
from plaza_server.rules.ledger_accounts import clearing, differences, fees
from plaza_server.rules.order_values import Moment, Order
from plaza_server.rules.reconcile_values import Posting
from tolling.ids import BootId, OutTradeNo

NUMBERS_PER_UNIT = 100
"""Order numbers one transaction looks at, so that a payment behind it waits some 10 ms, and on a
busy machine not half a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportBill:
    """Store a whole bill, or nothing. Result: BillImported."""

    bill: Bill
    content: bytes
    """As it came."""
    source: str
    """``platform`` or ``file``."""
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class BillImported:
    """Result of ImportBill."""

    bill_no: int
    version: int
    """From 1 for each platform and day; the highest is in force."""
    new: bool
    """False: these very bytes were there before, nothing was stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtNumbers:
    """Reconcile some order numbers of a platform's day. Result: Looked.

    Raises (the store): RefusedError: no bill of that day is here.
    """

    platform: str
    day: str
    numbers: tuple[str, ...]
    fee_rate_bp: int | None
    owner: BootId
    """Whose ledger stream is written."""
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """Result of LookAtNumbers."""

    matched: int
    healed: int
    """Found and healed by a rule just now."""
    left: int
    """Standing, for a person."""
    orders: tuple[Order, ...]
    """Those a fact has changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndReconciliation:
    """Note that a whole run is done. Result: None."""

    platform: str
    day: str
    at: Moment


BillUnit = ImportBill | LookAtNumbers | EndReconciliation


def reconcile_units(
    platform: str,
    day: str,
    numbers: Sequence[str],
    *,
    fee_rate_bp: int | None,
    owner: BootId,
    at: Moment,
) -> Iterator[LookAtNumbers]:
    """Yield the units of one run, to be committed one by one; EndReconciliation is the caller's."""
    for start in range(0, len(numbers), NUMBERS_PER_UNIT):
        yield LookAtNumbers(
            platform=platform,
            day=day,
            numbers=tuple(numbers[start : start + NUMBERS_PER_UNIT]),
            fee_rate_bp=fee_rate_bp,
            owner=owner,
            at=at,
        )


def posting_transfer(
    posting: Posting, delta_fen: int, *, platform: str, day: str, number: int, order: str | None
) -> Transfer:
    """Return the transfer that moves what *posting* holds by *delta_fen*, not 0.

    Args:   number: from 1, how many transfers this posting has had. order: of ours, or None.
    """
    other = fees(platform) if posting.fee else differences(platform)
    grows = delta_fen > 0
    return Transfer(
        transfer_id=f"bill/{platform}/{day}/{posting.key}/{number}",
        kind=TransferKind.POSTED,
        debit=clearing(platform) if grows else other,
        credit=other if grows else clearing(platform),
        amount_fen=abs(delta_fen),
        out_trade_no=None if order is None else OutTradeNo(order),
    )
