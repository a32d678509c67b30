"""Words all simulated payment platforms share: what a wallet does, what books and calls show.

Inside everything is whole fen and nanoseconds; instants on the wires are Beijing time. The
conversions are written here a second time on purpose: a model must not agree with the merchant's
side by sharing its code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Protocol

from simulator.models.platform_wire import NS_PER_S

BEIJING = timezone(timedelta(hours=8))
DAY_NS = 86_400 * NS_PER_S
BEIJING_AHEAD_NS = 8 * 3_600 * NS_PER_S
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YUAN = re.compile(r"(\d{1,9})(?:\.(\d{1,2}))?", re.ASCII)
_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Randomness(Protocol):
    """The one source of chance, handed in; ``random.Random`` fits."""

    def randrange(self, stop: int, /) -> int:
        """Return an integer in 0..stop-1."""
        ...


class BillMistake(StrEnum):
    """What can be wrong with a row of a bill."""

    LONG = "long"
    """A payment under a number nobody here has stands beside it."""
    SHORT = "short"
    """It is missing."""
    AMOUNT = "amount"
    """It says one yuan more."""
    DUP = "dup"
    """It stands there once more, as another trade."""
    DAY = "day"
    """It stands in the bill of the day before, at its last second."""


class BuyerBehaviour(StrEnum):
    """What the phone's owner does once the merchant has sent the code in."""

    PAYS = "pays"
    """Small amount, no password: paid at once."""
    CONFIRMS = "confirms"
    """A password is asked for and entered ``after_ms`` after the pay call."""
    NEVER_CONFIRMS = "never_confirms"
    """A password is asked for; the phone lies on the seat until the trade closes by itself."""
    CLOSES_DIALOG = "closes_dialog"
    """A password is asked for; the owner closes the dialog after ``after_ms``: the trade closes
    unpaid (remembered, not read)."""
    BALANCE_SHORT = "balance_short"
    """Refused: not enough money."""
    UNKNOWN_CODE = "unknown_code"
    """The code looks right and belongs to nobody: refused."""
    RISK_REFUSED = "risk_refused"
    """Refused by the platform's risk control."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCode:
    """A pay code as the phone shows it."""

    code: str = field(repr=False)
    """The secret itself."""
    code_no: int
    """Serial number of the code, 1 and up: names it where the code may not appear."""
    buyer_id: str
    expires_at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundView:
    """One refund in the books."""

    out_request_no: str
    amount_fen: int
    at_ns: int
    by_cancel: bool
    """Made by a cancel of a paid trade, not by a refund call."""
    done_at_ns: int | None = None
    """When the money is with the buyer; None: at once."""
    refund_no: str = ""
    """The platform's own number, where it has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeView:
    """One trade in the books, as the auditor may see it."""

    out_trade_no: str
    trade_no: str
    buyer_id: str
    code_no: int
    """Which code paid; the code itself stays in the wallet."""
    state: StrEnum
    """The platform's own word for the trade's state."""
    total_fen: int
    """What the trade is over: what the merchant asked for unless a fault changed it."""
    captured_fen: int
    """0, or total_fen from the moment it was paid."""
    refunded_fen: int
    created_at_ns: int
    paid_at_ns: int | None
    closed_at_ns: int | None
    subject: str
    store_id: str
    operator_id: str
    terminal_id: str
    refunds: tuple[RefundView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One capture as the driver's phone remembers it."""

    out_trade_no: str
    trade_no: str
    amount_fen: int
    refunded_fen: int
    paid_at_ns: int
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallView:
    """One request that reached the platform and what was answered, without any code or key."""

    at_ns: int
    method: str
    out_trade_no: str
    carried_out: bool
    """False: a fault kept the request from the books, or the platform refused it."""
    code: str
    """Code of the answer; empty when none was made."""
    sub_code: str
    faults: tuple[str, ...]
    """Kinds that fired on this request."""


def fen_of(text: str) -> int | None:
    """Return an amount in fen written as yuan with at most two decimals, or None where it is
    none."""
    found = _YUAN.fullmatch(text)
    if found is None:
        return None
    whole, part = found.groups()
    return int(whole) * 100 + int(f"{part or '':0<2}")


def yuan_of(fen: int) -> str:
    """Return *fen* (0 and up) as yuan with exactly two decimals."""
    assert fen >= 0, "an amount on this wire is never negative"
    return f"{fen // 100}.{fen % 100:02d}"


def fee_fen(amount_fen: int, permyriad: int) -> int:
    """Return the fee on an amount in fen, half a fen counted up."""
    return (amount_fen * permyriad + 5_000) // 10_000


def beijing_moment(wall_ns: int) -> datetime:
    """Return the instant in Beijing time, whole seconds, cut not rounded."""
    return (_EPOCH + timedelta(seconds=wall_ns // NS_PER_S)).astimezone(BEIJING)


def beijing_text(wall_ns: int) -> str:
    """Return the instant as ``yyyy-MM-dd HH:mm:ss`` Beijing time."""
    return beijing_moment(wall_ns).strftime("%Y-%m-%d %H:%M:%S")


def beijing_ns(text: str) -> int | None:
    """Return the unix time in ns of a ``yyyy-MM-dd HH:mm:ss`` Beijing time, or None where it is
    none."""
    if _STAMP.fullmatch(text) is None:
        return None
    try:
        moment = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    except ValueError:
        return None
    return (moment - _EPOCH) // timedelta(seconds=1) * NS_PER_S


def beijing_day_ns(text: str) -> int | None:
    """Return the unix time in ns at which the Beijing day ``yyyy-MM-dd`` begins, or None where it
    is none."""
    return beijing_ns(f"{text} 00:00:00") if _DATE.fullmatch(text) else None


def end_of_beijing_day_ns(wall_ns: int) -> int:
    """Return the unix time in ns of the next midnight in Beijing."""
    shifted = wall_ns + BEIJING_AHEAD_NS
    return (shifted // DAY_NS + 1) * DAY_NS - BEIJING_AHEAD_NS
