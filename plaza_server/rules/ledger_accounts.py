"""The chart of accounts: which accounts there are, what a debit means on each, and which transfers
may go between which kinds.

Strategy. An account is text: a kind, and behind a colon what tells accounts of that kind apart. A
transfer debits one account and credits another. A balance is debits less credits, in fen:

    asset      clearing:<platform>           what a platform holds for us; a capture debits it
               cash_lane:<lane>              what a lane's drawer holds
               cash_safe                     what the plaza's safe holds
               etc                           what ETC issuers owe us
               coupon                        what issuers of coupons owe us
    liability  suspense                      captured, and no record has said yet for which passage
               refund_due                    captured, and to be given back
    income     revenue:<tender>:<payee>      tolls earned: only a sealed record or a matched bill
                                             leads here
    expense    fees:<platform>               what a platform kept for its work
    open       differences:<platform>        what bill or drawer and books do not agree on; a person
                                             or a rule clears it

Assets and expenses grow by a debit: their balance is 0 or more. Liabilities and income grow by a
credit: their balance is 0 or less. Differences may be either. All balances sum to 0 at any time.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

from tolling.records import Tender

SUSPENSE = "suspense"
REFUND_DUE = "refund_due"
CASH_SAFE = "cash_safe"
ETC = "etc"
COUPON = "coupon"
CASH_TENDER = "cash"
"""The tender of cash legs, and the name behind ``differences:`` for drawers and safe."""

REVENUE_TENDERS = frozenset(tender.value for tender in Tender) | {COUPON}
"""Tenders that revenue is kept apart by."""


class AccountKind(StrEnum):
    """What an account is; the text before its colon."""

    CLEARING = "clearing"
    SUSPENSE = SUSPENSE
    REFUND_DUE = REFUND_DUE
    REVENUE = "revenue"
    FEES = "fees"
    CASH_LANE = "cash_lane"
    CASH_SAFE = CASH_SAFE
    ETC = ETC
    COUPON = COUPON
    DIFFERENCES = "differences"


K = AccountKind

DEBIT_KINDS = frozenset({K.CLEARING, K.CASH_LANE, K.CASH_SAFE, K.ETC, K.COUPON, K.FEES})
"""Assets and expenses: their balance is never below 0."""
CREDIT_KINDS = frozenset({K.SUSPENSE, K.REFUND_DUE, K.REVENUE})
"""Liabilities and income: their balance is never above 0."""

_NAMED = {
    K.CLEARING: re.compile(r"[a-z][a-z0-9_]{0,31}"),
    K.FEES: re.compile(r"[a-z][a-z0-9_]{0,31}"),
    K.DIFFERENCES: re.compile(r"[a-z][a-z0-9_]{0,31}"),
    K.CASH_LANE: re.compile(r"[0-9]{3}"),
    K.REVENUE: re.compile(rf"(?:{'|'.join(sorted(REVENUE_TENDERS))}):[0-9A-Za-z_-]{{1,32}}"),
}
"""What stands behind the colon; kinds that are not here are one account each."""

ALLOWED: dict[tuple[AccountKind, AccountKind], str] = {
    (K.CLEARING, K.SUSPENSE): "a platform captured money",
    (K.SUSPENSE, K.REVENUE): "a sealed record names the capture",
    (K.SUSPENSE, K.REFUND_DUE): "no record names the capture",
    (K.REFUND_DUE, K.CLEARING): "a platform gave money back, proven",
    (K.REVENUE, K.REFUND_DUE): "a claim was granted after the record",
    (K.FEES, K.CLEARING): "a bill shows what the platform kept",
    (K.CLEARING, K.FEES): "a bill shows a fee given back with its refund",
    (K.DIFFERENCES, K.CLEARING): "a bill has less than the books",
    (K.CLEARING, K.DIFFERENCES): "a bill has more than the books",
    (K.DIFFERENCES, K.REFUND_DUE): "money of a difference is to be given back",
    (K.DIFFERENCES, K.REVENUE): "money of a difference was earned",
    (K.REVENUE, K.DIFFERENCES): "revenue was booked that no bill has",
    (K.DIFFERENCES, K.SUSPENSE): "money of a difference is a capture",
    (K.SUSPENSE, K.DIFFERENCES): "a capture was booked that no bill has",
    (K.REFUND_DUE, K.DIFFERENCES): "a refund due was never captured",
    (K.CASH_LANE, K.REVENUE): "a sealed record has a cash leg",
    (K.CASH_SAFE, K.CASH_LANE): "a drawer was emptied into the safe",
    (K.CASH_LANE, K.CASH_SAFE): "a drawer was given change",
    (K.CASH_LANE, K.DIFFERENCES): "a drawer was counted over its books",
    (K.DIFFERENCES, K.CASH_LANE): "a drawer was counted under its books",
    (K.CASH_SAFE, K.DIFFERENCES): "the safe was counted over its books",
    (K.DIFFERENCES, K.CASH_SAFE): "the safe was counted under its books",
    (K.REFUND_DUE, K.CASH_LANE): "a person paid a claim out of a drawer",
    (K.REFUND_DUE, K.CASH_SAFE): "a person paid a claim out of the safe",
    (K.ETC, K.REVENUE): "a sealed record has an ETC leg",
    (K.ETC, K.SUSPENSE): "a tag was debited for a passage that settles nothing of it",
    (K.SUSPENSE, K.ETC): "a debit of a tag was undone before it was owed back",
    (K.REFUND_DUE, K.ETC): "an ETC issuer gave money back",
    (K.COUPON, K.REVENUE): "a sealed record has a coupon leg",
    (K.COUPON, K.SUSPENSE): "a coupon was reserved for a passage",
    (K.SUSPENSE, K.COUPON): "a reserved coupon was released",
    (K.REFUND_DUE, K.COUPON): "a used coupon was given back",
}
"""Which kind may be debited against which, as (debit, credit), and what that says happened."""
assert all(debit is not credit for debit, credit in ALLOWED), "a transfer changes something"


@lru_cache(maxsize=4096)
def kind_of(account: str) -> AccountKind | None:
    """Return the kind of an account; None: no such account in the chart."""
    head, colon, name = account.partition(":")
    try:
        kind = AccountKind(head)
    except ValueError:
        return None
    named = _NAMED.get(kind)
    if named is None:
        return None if colon else kind
    return kind if named.fullmatch(name) else None


def is_account(name: str) -> bool:
    """Return whether *name* is an account of the chart."""
    return kind_of(name) is not None


def may_transfer(debit: str, credit: str) -> bool:
    """Return whether the table lets a transfer debit the one account and credit the other."""
    kinds = kind_of(debit), kind_of(credit)
    return kinds in ALLOWED


def clearing(platform: str) -> str:
    """Return the account of what *platform* holds for us."""
    assert platform, "a tombstone moves no money"
    return f"{K.CLEARING.value}:{platform}"


def revenue(tender: str, payee: str) -> str:
    """Return the account of tolls *payee* earned by *tender*, which is a phone leg's platform."""
    return f"{K.REVENUE.value}:{tender}:{payee}"


def fees(platform: str) -> str:
    """Return the account of what *platform* kept for its work."""
    return f"{K.FEES.value}:{platform}"


def cash_lane(lane: str) -> str:
    """Return the account of a lane's drawer."""
    return f"{K.CASH_LANE.value}:{lane}"


def differences(platform: str) -> str:
    """Return the account of what *platform*'s bills, or drawers (``cash``), do not agree on."""
    return f"{K.DIFFERENCES.value}:{platform}"
