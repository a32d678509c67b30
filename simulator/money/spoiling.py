"""A platform's bill with mistakes in it, as platforms have sent them: corrected a day later.

A row is missing, stands twice under two transaction numbers, says another amount, or is of nobody
here. What a bill claims about an undecided order is taken for proof by design, so only rows of
payments that stand by themselves are spoiled.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from random import Random

from plaza_server.rules.bills import Bill, BillKind, BillRow, BillStatus

MISTAKES_MAX = 4
NOBODYS = "999999000000000000000A01"
"""An order number of another plaza that never was."""


def spoil(bill: Bill, dice: Random) -> tuple[Bill, int]:
    """Return the bill with mistakes, and how many of them a reconciliation has to find."""
    rows = list(bill.rows)
    refunded = {row.out_trade_no for row in rows if row.kind is BillKind.REFUND}
    plain = [
        row
        for row in rows
        if row.kind is BillKind.PAY
        and row.status is not BillStatus.FAILED
        and row.out_trade_no not in refunded
    ]
    count = min(1 + dice.randrange(MISTAKES_MAX), len(plain))
    picked = dice.sample(plain, count)
    for number, row in enumerate(picked):
        _spoil_row(rows, row, number, dice)
    numbered = tuple(replace(row, line=line) for line, row in enumerate(rows, start=2))
    digest = hashlib.sha256(repr(numbered).encode()).hexdigest()
    return replace(bill, rows=numbered, digest=digest), count


def _spoil_row(rows: list[BillRow], row: BillRow, number: int, dice: Random) -> None:
    place = rows.index(row)
    other = f"{row.provider_txn_id}X{number}"
    match dice.randrange(4):
        case 0:
            del rows[place]
        case 1:
            rows[place] = replace(row, amount_fen=row.amount_fen + 100)
        case 2:
            rows.append(replace(row, provider_txn_id=other))
        case _:
            rows.append(replace(row, out_trade_no=NOBODYS, provider_txn_id=other))
