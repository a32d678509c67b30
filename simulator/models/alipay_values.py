"""Words of the simulated Alipay: what a wallet does, what the books say, amounts and times on the
wire.

Inside everything is whole fen and nanoseconds; on the wire amounts are yuan texts and instants are
Beijing time. The conversions are written here a second time on purpose: the model must not agree
with the merchant's side by sharing its code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Protocol

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
MIN_AMOUNT_FEN = 1
"""0.01 yuan, the smallest trade."""
MAX_AMOUNT_FEN = 10_000_000_000
"""100,000,000 yuan, the largest trade (remembered, not read)."""

BEIJING = timezone(timedelta(hours=8))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YUAN = re.compile(r"(\d{1,9})(?:\.(\d{1,2}))?", re.ASCII)
_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)


class Randomness(Protocol):
    """The one source of chance, handed in; ``random.Random`` fits."""

    def randrange(self, stop: int, /) -> int:
        """Return an integer in 0..stop-1."""
        ...


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
    """Refused, ACQ.BUYER_BALANCE_NOT_ENOUGH."""
    UNKNOWN_CODE = "unknown_code"
    """The code looks right and belongs to nobody: ACQ.PAYMENT_AUTH_CODE_INVALID."""
    RISK_REFUSED = "risk_refused"
    """Refused, ACQ.PAYMENT_REQUEST_HAS_RISK."""


class TradeState(StrEnum):
    """trade_status as query says it."""

    WAIT_BUYER_PAY = "WAIT_BUYER_PAY"
    """Created, the buyer has not confirmed."""
    TRADE_SUCCESS = "TRADE_SUCCESS"
    """Paid; stays so through partial refunds."""
    TRADE_FINISHED = "TRADE_FINISHED"
    """Paid and too old to be refunded."""
    TRADE_CLOSED = "TRADE_CLOSED"
    """Timed out unpaid, cancelled, or wholly refunded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlipayConfig:
    """How this platform and its one merchant are set up."""

    app_id: str = "2021000000000001"
    """The merchant's application, 16 digits."""
    seller_id: str = "2088000000000001"
    """The merchant's account (pid), 16 digits."""
    wall_base_ns: int = 1_795_305_600 * NS_PER_S
    """Unix time in ns at now_ns = 0, so that Beijing times on the wire are decided by the
    caller."""
    latency_ms: int = 600
    """From request read to answer written, 0..; a driver's phone answers in about this time."""
    latency_jitter_ms: int = 0
    """Uniform extra latency 0..jitter from the random source handed in."""
    code_ttl_ms: int = 60_000
    """Phones show a fresh code about every 60 s (remembered, not read)."""
    unpaid_close_ms: int = 180_000
    """A trade without timeout_express closes unpaid after 3 minutes (the platform's global
    pages)."""
    finish_after_ms: int = 90 * 86_400_000
    """A paid trade turns TRADE_FINISHED after about three months (remembered, not read)."""
    timestamp_skew_ms: int = 900_000
    """A request stamped further off than this is isv.invalid-timestamp. The real window was not
    found; 15 minutes tells a wrong time zone from a slow clock."""
    cancel_closes_unknown: bool = True
    """Cancelling a number the platform never saw uses the number up, as a number is single-use for
    good also after a cancel. False is the harsher reading: nothing is remembered, a late pay still
    charges."""

    def __post_init__(self) -> None:
        assert self.latency_ms >= 0, "latency below zero"
        assert self.latency_jitter_ms >= 0, "jitter below zero"
        assert self.code_ttl_ms > 0, "a code lives for some time"
        assert self.unpaid_close_ms > 0, "a trade lives for some time"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCode:
    """A pay code as the phone shows it."""

    code: str = field(repr=False)
    """16..24 digits beginning 25..30; the secret itself."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeView:
    """One trade in the books, as the auditor may see it."""

    out_trade_no: str
    trade_no: str
    buyer_id: str
    code_no: int
    """Which code paid; the code itself stays in the wallet."""
    state: TradeState
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
    """One request that reached the gateway and what was answered, without any code or key."""

    at_ns: int
    method: str
    out_trade_no: str
    carried_out: bool
    """False: a fault kept the request from the books, or the gateway refused it."""
    code: str
    """Gateway code of the answer; empty when none was made."""
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


def beijing_text(wall_ns: int) -> str:
    """Return the instant as ``yyyy-MM-dd HH:mm:ss`` Beijing time, whole seconds, cut not
    rounded."""
    moment = _EPOCH + timedelta(seconds=wall_ns // NS_PER_S)
    return moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


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


def end_of_beijing_day_ns(wall_ns: int) -> int:
    """Return the unix time in ns of the next midnight in Beijing."""
    day_ns = 86_400 * NS_PER_S
    shifted = wall_ns + 8 * 3_600 * NS_PER_S
    return (shifted // day_ns + 1) * day_ns - 8 * 3_600 * NS_PER_S
