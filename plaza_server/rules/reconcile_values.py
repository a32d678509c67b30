"""What goes into a look at one order number of a bill, what comes out, and what is told of a day.

Frozen values.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from plaza_server.rules.bills import BillRow, BillTotals
from plaza_server.rules.facts import BillLacks, BillShows
from plaza_server.rules.order_values import Order


class DifferenceClass(StrEnum):
    """How bill and books disagree."""

    LONG = "LONG"
    """The platform has it, we have not."""
    SHORT = "SHORT"
    """We have it, the platform has not."""
    AMOUNT = "AMOUNT"
    """Both have it, with other amounts."""
    STATUS = "STATUS"
    """Both have it, and one says given back, failed or another trade."""
    DUP = "DUP"
    """A second trade under one number."""
    DAY = "DAY"
    """It belongs to the neighbour day's bill."""
    FEE = "FEE"
    """The fee is not what the rate says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OurRefund:
    """One refund our books hold as given back, or a claim's that is under way."""

    out_refund_no: str | None
    """None: the platform gave it back with a cancel."""
    amount_fen: int
    at_ms: int
    """UTC milliseconds when it was booked here: not before the platform made it. Of one under way:
    when it was approved."""
    booked: bool = True
    """False: approved and not proven yet; its engine asks for the proof."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A row of the same number in another day's bill."""

    day: str
    row: BillRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All that is known of one order number."""

    number: str
    rows: tuple[BillRow, ...]
    """Of the bill that is looked at, by line."""
    elsewhere: tuple[Sighting, ...] = ()
    order: Order | None = None
    refunds: tuple[OurRefund, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Which bill is looked at."""

    platform: str
    day: str
    imported: frozenset[str]
    """Days whose bill of this platform is here, this one included."""
    fee_rate_bp: int | None = None
    """What the contract says in hundredths of a percent; None: fees are booked as billed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A row that our books agree with."""

    key: str
    number: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One disagreement."""

    what: DifferenceClass
    key: str
    """Of the row, or the number: with *what*, it names the finding for ever."""
    number: str
    bill_fen: int
    ours_fen: int
    action: str = ""
    """What a person has to do, one sentence; empty where a rule heals it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """What the ledger has to hold for one cause; replaces what it held for it before."""

    key: str
    fee: bool
    """Against fees, or against differences."""
    clearing_fen: int
    """By how much the clearing account grows (negative: shrinks)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look at a number says."""

    matches: tuple[Match, ...] = ()
    findings: tuple[Finding, ...] = ()
    postings: tuple[Posting, ...] = ()
    fact: BillShows | BillLacks | None = None
    """To be applied to the order; then look again."""


# ---- what is told of a day ----


@dataclass(frozen=True, slots=True, kw_only=True)
class BillDifference:
    """One disagreement of a day, standing or healed."""

    platform: str
    day: str
    what: str
    """LONG, SHORT, AMOUNT, STATUS, DUP, DAY or FEE."""
    out_trade_no: str
    key: str
    bill_fen: int
    ours_fen: int
    action: str
    """What a person has to do; empty where a rule healed it."""
    found_ms: int
    healed_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayReport:
    """One platform's day: its bill, what agrees, what is left."""

    platform: str
    day: str
    version: int
    """Of the bill in force, from 1."""
    imported_ms: int
    ran_ms: int | None
    """Last whole run; None: never."""
    runs: int
    stale: bool
    """Its last run was against another version, or there was none."""
    bill: BillTotals
    matched: int
    healed: int
    left: int
    difference_fen: int
    """What stands in ``differences:<platform>`` because of this day; positive: the platform has
    more than our books explain."""
    fee_fen: int
    """Booked as fees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayeeSum:
    """What one platform's day holds for one payee."""

    platform: str
    payee: str
    """Empty: rows that no order explains."""
    totals: BillTotals
