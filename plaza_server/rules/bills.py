"""A platform's daily bill as a value: its rows, its own totals, its day. Pure.

Strategy. A bill is the platform's last word on one Beijing day: what it lists was captured or given
back, what it does not list was not. So a parser gives a whole ``Bill`` or refuses the file; nothing
here or behind it ever works with half a bill. Amounts are whole fen and never negative: the kind of
a row says which way the money went. A fee is positive where the platform kept money and negative
where it returned some with a refund.

The day of a bill. Alipay and WeChat cut at midnight in Beijing. UnionPay clears from 23:00 of the
day before to 23:00 (facts: remembered, not measured), so its window is moved by one hour.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from tolling.clock import BEIJING

DAY_MS = 86_400_000
_CUT_MS = {"unionpay": -3_600_000}
"""From midnight to where a platform's own day begins."""
THOUSANDTHS = 1_000
"""A platform writes fees with up to five decimals of a yuan: thousandths of a fen."""


class BillKind(StrEnum):
    """Which way the money of a row went."""

    PAY = "pay"
    """From the payer to us."""
    REFUND = "refund"
    """Back to the payer: a refund, or a reversal of a captured payment."""


class BillStatus(StrEnum):
    """What the platform says of a row's end."""

    DONE = "done"
    """The money has moved."""
    PROCESSING = "processing"
    """A refund: taken from us, not yet with the payer."""
    FAILED = "failed"
    """A refund that did not happen: the money is ours still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BillRow:
    """One movement of money as its platform billed it."""

    line: int
    """In its file, from 1."""
    kind: BillKind
    out_trade_no: str
    """Our number as the platform has it; may be of no order of ours."""
    out_refund_no: str | None
    """Of a refund: the number it was asked under; None for a reversal."""
    provider_txn_id: str
    amount_fen: int
    """What was asked, 0 and up, both ways."""
    fee_fen: int
    """What the platform kept (positive) or returned (negative) for it."""
    paid_at_ms: int
    """UTC milliseconds, 1 s coarse."""
    status: BillStatus

    @property
    def key(self) -> str:
        """What names this movement for ever, in every version of the bill."""
        if self.kind is BillKind.PAY:
            return f"pay/{self.provider_txn_id}"
        number = self.out_refund_no or f"@{self.paid_at_ms}"
        return f"refund/{self.provider_txn_id}/{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillTotals:
    """Counts and sums in fen over rows; refunds that failed count in neither."""

    pay_count: int = 0
    pay_fen: int = 0
    refund_count: int = 0
    refund_fen: int = 0
    fee_fen: int = 0

    @property
    def net_fen(self) -> int:
        """What the platform owes us for it."""
        return self.pay_fen - self.refund_fen - self.fee_fen


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """One platform's whole bill of one day, checked against its own totals."""

    platform: str
    day: str
    """yyyy-MM-dd, Beijing."""
    merchant: str
    """Whose bill it is, by the platform's own number."""
    rows: tuple[BillRow, ...]
    """In the file's order; no key twice."""
    digest: str
    """SHA-256 over the uncompressed text, 64 hex digits: the same bill packed twice is one."""

    @property
    def totals(self) -> BillTotals:
        """Over all rows."""
        return totals_of(self.rows)


def totals_of(rows: Iterable[BillRow]) -> BillTotals:
    """Return counts and sums of *rows*."""
    counts = {BillKind.PAY: 0, BillKind.REFUND: 0}
    sums = {BillKind.PAY: 0, BillKind.REFUND: 0}
    fees = 0
    for row in rows:
        if row.status is BillStatus.FAILED:
            continue
        counts[row.kind] += 1
        sums[row.kind] += row.amount_fen
        fees += row.fee_fen
    return BillTotals(
        pay_count=counts[BillKind.PAY],
        pay_fen=sums[BillKind.PAY],
        refund_count=counts[BillKind.REFUND],
        refund_fen=sums[BillKind.REFUND],
        fee_fen=fees,
    )


def whole_fen(thousandths: int) -> int:
    """Return a fee in whole fen, halves away from zero: the platforms' own documented rounding."""
    whole, part = divmod(abs(thousandths), THOUSANDTHS)
    fen = whole + (2 * part >= THOUSANDTHS)
    return fen if thousandths >= 0 else -fen


def expected_fee_fen(amount_fen: int, rate_bp: int) -> int:
    """Return the fee of *amount_fen* at *rate_bp* hundredths of a percent, halves up."""
    return (amount_fen * rate_bp + 5_000) // 10_000


# ---- days ----


def is_day(text: str) -> bool:
    """Return whether *text* is a day as bills are named by: yyyy-MM-dd."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def shift_day(day: str, by: int) -> str:
    """Return the day *by* days later."""
    return (date.fromisoformat(day) + timedelta(days=by)).isoformat()


def window_of(platform: str, day: str) -> tuple[int, int]:
    """Return first and one past last UTC millisecond of *day* in *platform*'s bills."""
    midnight = datetime.combine(date.fromisoformat(day), datetime.min.time(), tzinfo=BEIJING)
    start = int(midnight.timestamp()) * 1_000 + _CUT_MS.get(platform, 0)
    return start, start + DAY_MS


def day_of(platform: str, at_ms: int) -> str:
    """Return the day whose bill an instant belongs to."""
    moved = at_ms - _CUT_MS.get(platform, 0)
    return datetime.fromtimestamp(moved // 1_000, tz=BEIJING).date().isoformat()
