"""What finance takes away: differences and settlements as CSV text. Pure.

Text cells never begin like a formula: where one does, an apostrophe goes before it, which a
spreadsheet shows as text. Amounts are yuan with two decimals, so a negative one begins with a minus
and is a number. Lines end with CR LF.

A settlement file holds one row per platform, a row of totals, and as its last line the SHA-256 of
every byte before that line: ``sha256,<64 hex digits>``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from plaza_server.rules.bills import BillTotals
from plaza_server.rules.reconcile_values import BillDifference, PayeeSum
from tolling.clock import iso_beijing
from tolling.money import Money

DIFFERENCE_COLUMNS = (
    "platform",
    "day",
    "what",
    "out_trade_no",
    "key",
    "bill_yuan",
    "ours_yuan",
    "found",
    "healed",
    "action",
)
SETTLEMENT_COLUMNS = (
    "day",
    "payee",
    "platform",
    "pay_count",
    "pay_yuan",
    "refund_count",
    "refund_yuan",
    "fee_yuan",
    "net_yuan",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def cell(text: str) -> str:
    """Return a text as a CSV cell that no spreadsheet runs."""
    safe = f"'{text}" if text.startswith(_FORMULA) else text
    if any(mark in safe for mark in ',"\r\n'):
        return '"' + safe.replace('"', '""') + '"'
    return safe


def _line(cells: Sequence[str]) -> str:
    return ",".join(cells) + "\r\n"


def _yuan(fen: int) -> str:
    return Money(fen).yuan_text()


def differences_csv(differences: Iterable[BillDifference]) -> str:
    """Return a day's differences, a header first."""
    lines = [_line(DIFFERENCE_COLUMNS)]
    for each in differences:
        texts = (each.platform, each.day, each.what, each.out_trade_no, each.key)
        healed = "" if each.healed_ms is None else iso_beijing(each.healed_ms)
        lines.append(
            _line(
                (
                    *map(cell, texts),
                    _yuan(each.bill_fen),
                    _yuan(each.ours_fen),
                    iso_beijing(each.found_ms),
                    healed,
                    cell(each.action),
                )
            )
        )
    return "".join(lines)


def settlement_csv(day: str, payee: str, sums: Iterable[PayeeSum]) -> str:
    """Return what the platforms settle for *payee* of one day, with totals and hash."""
    lines = [_line(SETTLEMENT_COLUMNS)]
    whole = BillTotals()
    for each in sums:
        if each.payee != payee:
            continue
        lines.append(_line(_sums(day, payee, each.platform, each.totals)))
        whole = _added(whole, each.totals)
    lines.append(_line(_sums(day, payee, "total", whole)))
    text = "".join(lines)
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
    return text + _line(("sha256", digest))


def _added(one: BillTotals, other: BillTotals) -> BillTotals:
    return BillTotals(
        pay_count=one.pay_count + other.pay_count,
        pay_fen=one.pay_fen + other.pay_fen,
        refund_count=one.refund_count + other.refund_count,
        refund_fen=one.refund_fen + other.refund_fen,
        fee_fen=one.fee_fen + other.fee_fen,
    )


def _sums(day: str, payee: str, platform: str, totals: BillTotals) -> tuple[str, ...]:
    return (
        day,
        cell(payee),
        platform,
        str(totals.pay_count),
        _yuan(totals.pay_fen),
        str(totals.refund_count),
        _yuan(totals.refund_fen),
        _yuan(totals.fee_fen),
        _yuan(totals.net_fen),
    )
